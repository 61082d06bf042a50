// Dropout and its relatives. In training they set a random part of the numbers, or of the channels, to zero,
// and enlarge the rest to make up for it; or they add noise.
#pragma once
#include <algorithm>
#include <cmath>

#include "digitnet/core/error.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

namespace detail {

constexpr float checked_rate(const char* layer, float rate) {
  if (!(rate >= 0 && rate < 1))
    fail(std::string(layer) + "'s rate must be at least 0 and below 1, but is " + std::to_string(rate));
  return rate;
}

}  // namespace detail

/// Keras' Dropout. `rate` in [0, 1) is the part that is dropped, to a precision of 1/65536; what stays is
/// divided by 1 - rate. Which numbers, is decided by (seed, epoch, step, sample, layer). No effect in
/// inference. Srivastava and others: Dropout (2014).
struct Dropout {
  static constexpr std::string_view class_name = "Dropout";
  static constexpr OutputKind output_kind = OutputKind::of_input;
  float rate = 0.5f;
  static constexpr auto settings = std::tuple{setting<"rate">(&Dropout::rate)};

  constexpr Dropout() = default;
  constexpr explicit Dropout(float part) : rate(detail::checked_rate("Dropout", part)) {}

  template <class In>
  struct On : LayerDefaults {
    using Output = In;
    // 1 where a number stays.
    using Cache = Buffer<std::uint8_t, In::size>;
    static constexpr LayerTraits traits{
        .in_place = true, .backward_reads_x = false, .backward_reads_y = false};

    template <class Io>
    static void forward(const Io& io) {
      using T = typename Io::Real;
      if (io.mode == Mode::inference) {
        if (io.x.data != io.y.data) std::copy_n(io.x.data, io.x.size(), io.y.data);
        return;
      }
      const auto threshold = static_cast<std::uint32_t>(std::lround(io.layer.rate * 65536));
      for (std::size_t i = 0; i < io.samples(); ++i) {
        Random random(io.key(i));
        std::uint8_t* const stays = io.cache + i * In::size;
        std::uint64_t bits = 0;
        for (std::size_t j = 0; j < In::size; ++j, bits >>= 16) {
          if (j % 4 == 0) bits = random();
          stays[j] = (bits & 0xffff) >= threshold;
        }
      }
      scale<T>(io.layer, io.x.size(), io.cache, io.x.data, io.y.data);
    }
    template <class Io>
    static void backward(const Io& io) {
      using T = typename Io::Real;
      if constexpr (Io::wants_dx)
        scale<T>(io.layer, io.x.size(), io.cache, static_cast<const T*>(io.dy.data), io.dx.data);
    }

   private:
    template <class T>
    static void scale(const Dropout& layer, std::size_t size, const std::uint8_t* stays, const T* from,
                      T* to) {
      const T factor = T{1} / (T{1} - static_cast<T>(layer.rate));
      for (std::size_t i = 0; i < size; ++i) to[i] = from[i] * (factor * static_cast<T>(stays[i]));
    }
  };
};

/// Keras' SpatialDropout2D: whole channels of an image are dropped. Tompson and others: Efficient Object
/// Localization Using Convolutional Networks (2014).
struct SpatialDropout2D {
  static constexpr std::string_view class_name = "SpatialDropout2D";
  static constexpr OutputKind output_kind = OutputKind::of_input;
  float rate = 0.5f;
  static constexpr auto settings = std::tuple{setting<"rate">(&SpatialDropout2D::rate)};

  constexpr SpatialDropout2D() = default;
  constexpr explicit SpatialDropout2D(float part) : rate(detail::checked_rate("SpatialDropout2D", part)) {}

  template <class In>
  struct On : LayerDefaults {
    static constexpr bool is_image = In::rank == 3;
    static_assert(is_image,
                  "SpatialDropout2D needs an image (height, width, channels): use Dropout for flat inputs");
    using Output = In;
    // The factor of each channel.
    using Cache = Buffer<Scalar, In::last>;
    static constexpr LayerTraits traits{
        .in_place = true, .backward_reads_x = false, .backward_reads_y = false};

    template <class Io>
    static void forward(const Io& io) {
      using T = typename Io::Real;
      if (io.mode == Mode::inference) {
        if (io.x.data != io.y.data) std::copy_n(io.x.data, io.x.size(), io.y.data);
        return;
      }
      for (std::size_t i = 0; i < io.samples(); ++i) {
        Random random(io.key(i));
        for (std::size_t c = 0; c < In::last; ++c)
          io.cache[i * In::last + c] =
              random.uniform() < io.layer.rate ? T{0} : T{1} / (T{1} - static_cast<T>(io.layer.rate));
      }
      scale<T>(io.samples(), io.cache, io.x.data, io.y.data);
    }
    template <class Io>
    static void backward(const Io& io) {
      using T = typename Io::Real;
      if constexpr (Io::wants_dx)
        scale<T>(io.samples(), io.cache, static_cast<const T*>(io.dy.data), io.dx.data);
    }

   private:
    template <class T>
    static void scale(std::size_t samples, const T* factors, const T* from, T* to) {
      for (std::size_t i = 0; i < samples; ++i)
        for (std::size_t j = 0; j < In::size; ++j)
          to[i * In::size + j] = from[i * In::size + j] * factors[i * In::last + j % In::last];
    }
  };
};

/// Keras' GaussianNoise: in training, adds normal numbers of mean 0 and this standard deviation.
struct GaussianNoise {
  static constexpr std::string_view class_name = "GaussianNoise";
  float stddev = 0.1f;
  static constexpr auto settings = std::tuple{setting<"stddev">(&GaussianNoise::stddev)};

  constexpr GaussianNoise() = default;
  constexpr explicit GaussianNoise(float deviation) : stddev(deviation) {
    if (!(deviation >= 0))
      fail("GaussianNoise's stddev must be at least 0, but is " + std::to_string(deviation));
  }

  template <class In>
  struct On : LayerDefaults {
    using Output = In;
    static constexpr LayerTraits traits{
        .in_place = true, .backward_reads_x = false, .backward_reads_y = false};

    template <class Io>
    static void forward(const Io& io) {
      using T = typename Io::Real;
      if (io.x.data != io.y.data) std::copy_n(io.x.data, io.x.size(), io.y.data);
      if (io.mode == Mode::inference || io.layer.stddev == 0) return;
      for (std::size_t i = 0; i < io.samples(); ++i) {
        Random random(io.key(i));
        T* const y = io.y.sample(i);
        for (std::size_t j = 0; j < In::size; ++j) y[j] += static_cast<T>(io.layer.stddev * random.normal());
      }
    }
    template <class Io>
    static void backward(const Io& io) {
      if constexpr (Io::wants_dx)
        if (io.dx.data != io.dy.data) std::copy_n(io.dy.data, io.dy.size(), io.dx.data);
    }
  };
};

}  // namespace digitnet
