// Pooling: an image becomes smaller, its channels stay.
#pragma once
#include <type_traits>

#include "digitnet/kernels/pooling.hpp"
#include "digitnet/kernels/reduce.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

namespace detail {

// Shapes of a pooling, shared by maximum and mean.
template <class In, Extent PoolSize, Extent Strides, Padding Border>
struct PoolingOn : LayerDefaults {
  static constexpr bool is_image = In::rank == 3;
  static constexpr bool fits =
      !is_image || Border == same || (PoolSize.height <= In::height && PoolSize.width <= In::width);
  static constexpr bool moves = Strides.height > 0 && Strides.width > 0;
  static constexpr kernels::PoolingExtents extents{In::height,
                                                   In::width,
                                                   In::channels,
                                                   is_image&& fits ? PoolSize : Extent{1},
                                                   moves ? Strides : Extent{1},
                                                   Border};
  using Output = std::conditional_t<is_image, Shape<extents.out_height, extents.out_width, In::channels>, In>;
  static constexpr LayerTraits traits{.backward_reads_x = false, .backward_reads_y = false, .keeps_dy = true};

  static_assert(moves, "Pooling's strides must be at least 1");
  static_assert(is_image, "Pooling needs an image (height, width, channels): put Reshape before it");
  static_assert(fits,
                "The pooling window is larger than its input: use a smaller window, padding same, or fewer "
                "poolings before it");
};

}  // namespace detail

/// Keras' MaxPooling2D: the largest value of each window and channel. The stride is the window unless given.
/// Where two values are equal, the gradient goes to the first.
template <Extent PoolSize = 2, Extent Strides = PoolSize, Padding Border = valid>
struct MaxPooling2D {
  static constexpr std::string_view class_name = "MaxPooling2D";
  static constexpr auto settings =
      std::tuple{setting<"pool_size">(PoolSize), setting<"strides">(Strides), setting<"padding">(Border)};
  static_assert(PoolSize.height * PoolSize.width <= 256, "MaxPooling2D's window has at most 256 positions");

  template <class In>
  struct On : detail::PoolingOn<In, PoolSize, Strides, Border> {
    using Base = detail::PoolingOn<In, PoolSize, Strides, Border>;
    using Cache = Buffer<std::uint8_t, Base::Output::size>;

    template <class Io>
    static void forward(const Io& io) {
      kernels::max_pooling_forward<Base::extents>(io.samples(), io.x.data, io.y.data, io.cache);
    }
    template <class Io>
    static void backward(const Io& io) {
      if constexpr (Io::wants_dx)
        kernels::max_pooling_backward<Base::extents>(io.samples(), io.dy.data, io.cache, io.dx.data);
    }
  };
};

/// Keras' AveragePooling2D: the mean of each window and channel; with padding `same`, of the positions inside
/// the image.
template <Extent PoolSize = 2, Extent Strides = PoolSize, Padding Border = valid>
struct AveragePooling2D {
  static constexpr std::string_view class_name = "AveragePooling2D";
  static constexpr auto settings =
      std::tuple{setting<"pool_size">(PoolSize), setting<"strides">(Strides), setting<"padding">(Border)};

  template <class In>
  struct On : detail::PoolingOn<In, PoolSize, Strides, Border> {
    using Base = detail::PoolingOn<In, PoolSize, Strides, Border>;

    template <class Io>
    static void forward(const Io& io) {
      kernels::average_pooling_forward<Base::extents>(io.samples(), io.x.data, io.y.data);
    }
    template <class Io>
    static void backward(const Io& io) {
      if constexpr (Io::wants_dx)
        kernels::average_pooling_backward<Base::extents>(io.samples(), io.dy.data, io.dx.data);
    }
  };
};

/// Keras' GlobalAveragePooling2D: (height, width, channels) to (channels), the mean of each channel.
struct GlobalAveragePooling2D {
  static constexpr std::string_view class_name = "GlobalAveragePooling2D";
  static constexpr OutputKind output_kind = OutputKind::of_input;

  template <class In>
  struct On : LayerDefaults {
    static constexpr bool is_image = In::rank == 3;
    static_assert(is_image,
                  "GlobalAveragePooling2D needs an image (height, width, channels): put Reshape before it");
    static constexpr std::size_t positions = In::height * In::width;
    using Output = std::conditional_t<is_image, Shape<In::channels>, In>;
    static constexpr LayerTraits traits{
        .backward_reads_x = false, .backward_reads_y = false, .keeps_dy = true};

    template <class Io>
    static void forward(const Io& io) {
      using T = typename Io::Real;
      for (std::size_t i = 0; i < io.samples(); ++i) {
        T* const y = io.y.sample(i);
        std::fill_n(y, In::channels, T{0});
        kernels::add_column_sums(positions, In::channels, io.x.sample(i), y);
        for (std::size_t channel = 0; channel < In::channels; ++channel) y[channel] /= T{positions};
      }
    }
    template <class Io>
    static void backward(const Io& io) {
      using T = typename Io::Real;
      if constexpr (Io::wants_dx)
        for (std::size_t i = 0; i < io.samples(); ++i)
          for (std::size_t position = 0; position < positions; ++position)
            for (std::size_t channel = 0; channel < In::channels; ++channel)
              io.dx.sample(i)[position * In::channels + channel] = io.dy.sample(i)[channel] / T{positions};
    }
  };
};

}  // namespace digitnet
