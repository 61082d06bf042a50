// Keras' layers that vary images in training: RandomFlip, RandomRotation, RandomTranslation, RandomZoom.
// Augmentation does the same, and more, before a model at less cost; these are part of the model.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <string>

#include "digitnet/core/error.hpp"
#include "digitnet/core/warp.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

namespace detail {

/// Layers whose pixels come from other places of the image: `layer.map<T>(random, height, width)` says from
/// where, `layer.fill_mode` what lies beyond the border. Without effect in inference.
template <class In>
struct RandomImageOn : LayerDefaults {
  static constexpr bool is_image = In::rank == 3;
  static_assert(is_image,
                "A random transform needs an image (height, width, channels): put Reshape before it");
  using Output = In;
  // The map from the varied image to the original one.
  using Cache = Buffer<Scalar, 6>;
  static constexpr LayerTraits traits{.backward_reads_x = false, .backward_reads_y = false};

  template <class Io>
  static void forward(const Io& io) {
    using T = typename Io::Real;
    if (io.mode == Mode::inference) {
      std::copy_n(io.x.data, io.x.size(), io.y.data);
      return;
    }
    for (std::size_t i = 0; i < io.samples(); ++i) {
      Random random(io.key(i));
      const kernels::AffineMap<T> map = io.layer.template map<T>(random, In::height, In::width);
      const T numbers[6] = {map.row_row,    map.row_column,    map.row_offset,
                            map.column_row, map.column_column, map.column_offset};
      std::copy_n(numbers, 6, io.cache + i * 6);
      const T* const x = io.x.sample(i);
      T* const y = io.y.sample(i);
      std::fill_n(y, In::size, T{0});
      kernels::for_each_warped(In::height, In::width, map, io.layer.fill_mode,
                               [x, y](std::size_t to, std::size_t from, T weight) {
                                 for (std::size_t c = 0; c < In::channels; ++c)
                                   y[to * In::channels + c] += weight * x[from * In::channels + c];
                               });
    }
  }
  template <class Io>
  static void backward(const Io& io) {
    using T = typename Io::Real;
    if constexpr (Io::wants_dx)
      for (std::size_t i = 0; i < io.samples(); ++i) {
        const T* const n = io.cache + i * 6;
        const T* const dy = io.dy.sample(i);
        T* const dx = io.dx.sample(i);
        std::fill_n(dx, In::size, T{0});
        kernels::for_each_warped(In::height, In::width,
                                 kernels::AffineMap<T>{n[0], n[1], n[2], n[3], n[4], n[5]},
                                 io.layer.fill_mode, [dx, dy](std::size_t to, std::size_t from, T weight) {
                                   for (std::size_t c = 0; c < In::channels; ++c)
                                     dx[from * In::channels + c] += weight * dy[to * In::channels + c];
                                 });
      }
  }
};

inline void check_factor(const char* layer, const char* name, float value, float most) {
  if (!(value >= 0 && value <= most))
    fail(std::string(layer) + "'s " + name + " must be from 0 to " + std::to_string(most) + ", but is " +
         std::to_string(value));
}

}  // namespace detail

/// Which way a RandomFlip mirrors.
enum class FlipMode { horizontal, vertical, horizontal_and_vertical };
constexpr const char* setting_word(FlipMode mode) {
  constexpr const char* words[] = {"horizontal", "vertical", "horizontal_and_vertical"};
  return words[static_cast<std::size_t>(mode)];
}

/// Keras' RandomFlip: each way that `mode` names, with probability one half.
struct RandomFlip {
  static constexpr std::string_view class_name = "RandomFlip";
  FlipMode mode = FlipMode::horizontal_and_vertical;
  static constexpr auto settings = std::tuple{setting<"mode">(&RandomFlip::mode)};
  static constexpr FillMode fill_mode = FillMode::nearest;

  template <class In>
  struct On : detail::RandomImageOn<In> {};

  template <class T>
  kernels::AffineMap<T> map(Random& random, std::size_t height, std::size_t width) const {
    kernels::AffineMap<T> result;
    if (mode != FlipMode::horizontal && random.below(2) == 1) {
      result.row_row = -1;
      result.row_offset = static_cast<T>(height - 1);
    }
    if (mode != FlipMode::vertical && random.below(2) == 1) {
      result.column_column = -1;
      result.column_offset = static_cast<T>(width - 1);
    }
    return result;
  }
};

/// Keras' RandomRotation: about the middle by an angle uniform in [-factor, factor] of a full turn.
struct RandomRotation {
  static constexpr std::string_view class_name = "RandomRotation";
  float factor = 0.1f;
  FillMode fill_mode = FillMode::reflect;
  static constexpr auto settings = std::tuple{setting<"factor">(&RandomRotation::factor),
                                              setting<"fill_mode">(&RandomRotation::fill_mode)};

  RandomRotation() = default;
  explicit RandomRotation(float part_of_turn, FillMode fill = FillMode::reflect)
      : factor(part_of_turn), fill_mode(fill) {
    detail::check_factor("RandomRotation", "factor", factor, 1);
  }

  template <class In>
  struct On : detail::RandomImageOn<In> {};

  template <class T>
  kernels::AffineMap<T> map(Random& random, std::size_t height, std::size_t width) const {
    const double angle = random.uniform(-factor, factor) * 2 * std::numbers::pi;
    const T cosine = static_cast<T>(std::cos(angle)), sine = static_cast<T>(std::sin(angle));
    return kernels::AffineMap<T>{
        .row_row = cosine, .row_column = -sine, .column_row = sine, .column_column = cosine}
        .about(static_cast<T>(height - 1) / 2, static_cast<T>(width - 1) / 2);
  }
};

/// Keras' RandomTranslation: by up to height_factor of the height and width_factor of the width, each way.
struct RandomTranslation {
  static constexpr std::string_view class_name = "RandomTranslation";
  float height_factor = 0.1f;
  float width_factor = 0.1f;
  FillMode fill_mode = FillMode::reflect;
  static constexpr auto settings = std::tuple{setting<"height_factor">(&RandomTranslation::height_factor),
                                              setting<"width_factor">(&RandomTranslation::width_factor),
                                              setting<"fill_mode">(&RandomTranslation::fill_mode)};

  RandomTranslation() = default;
  explicit RandomTranslation(float height, float width, FillMode fill = FillMode::reflect)
      : height_factor(height), width_factor(width), fill_mode(fill) {
    detail::check_factor("RandomTranslation", "height_factor", height_factor, 1);
    detail::check_factor("RandomTranslation", "width_factor", width_factor, 1);
  }

  template <class In>
  struct On : detail::RandomImageOn<In> {};

  template <class T>
  kernels::AffineMap<T> map(Random& random, std::size_t height, std::size_t width) const {
    kernels::AffineMap<T> result;
    result.row_offset =
        static_cast<T>(random.uniform(-height_factor, height_factor) * static_cast<double>(height));
    result.column_offset =
        static_cast<T>(random.uniform(-width_factor, width_factor) * static_cast<double>(width));
    return result;
  }
};

/// Keras' RandomZoom: what is seen becomes larger by a factor uniform in [1 - height_factor,
/// 1 + height_factor], the same for height and width.
struct RandomZoom {
  static constexpr std::string_view class_name = "RandomZoom";
  float height_factor = 0.1f;
  FillMode fill_mode = FillMode::reflect;
  static constexpr auto settings = std::tuple{setting<"height_factor">(&RandomZoom::height_factor),
                                              setting<"fill_mode">(&RandomZoom::fill_mode)};

  RandomZoom() = default;
  explicit RandomZoom(float part, FillMode fill = FillMode::reflect) : height_factor(part), fill_mode(fill) {
    detail::check_factor("RandomZoom", "height_factor", height_factor, 0.99f);
  }

  template <class In>
  struct On : detail::RandomImageOn<In> {};

  template <class T>
  kernels::AffineMap<T> map(Random& random, std::size_t height, std::size_t width) const {
    const T scale = static_cast<T>(1 + random.uniform(-height_factor, height_factor));
    return kernels::AffineMap<T>{.row_row = scale, .column_column = scale}.about(
        static_cast<T>(height - 1) / 2, static_cast<T>(width - 1) / 2);
  }
};

}  // namespace digitnet
