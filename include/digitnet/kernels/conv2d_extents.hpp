// Everything that decides a convolution's loops, known to the compiler.
#pragma once
#include <algorithm>
#include <cstddef>

#include "digitnet/core/shape.hpp"
#include "digitnet/kernels/frame.hpp"

namespace digitnet::kernels {

/// The extents of a convolution. Images are (height, width, channels), kernels (kernel height, kernel width,
/// channels, filters), as in Keras.
struct Conv2DExtents {
  std::size_t height, width, channels, filters;
  Extent kernel, stride;
  std::size_t out_height, out_width;
  Extent before;  ///< zero rows above and zero columns left of the image
  Extent padded;  ///< extents of the image with its zeros

  constexpr Conv2DExtents(std::size_t image_height, std::size_t image_width, std::size_t image_channels,
                          std::size_t filter_count, Extent kernel_extent, Extent strides, Padding padding)
      : height(image_height),
        width(image_width),
        channels(image_channels),
        filters(filter_count),
        kernel(kernel_extent),
        stride(strides),
        out_height(0),
        out_width(0),
        before(0),
        padded(0) {
    const Sliding rows(height, kernel.height, stride.height, padding);
    const Sliding columns(width, kernel.width, stride.width, padding);
    out_height = rows.output;
    out_width = columns.output;
    before = {rows.before, columns.before};
    padded = {rows.padded, columns.padded};
  }

  constexpr Frame frame() const { return {{height, width}, channels, before, padded}; }
  constexpr std::size_t positions() const { return out_height * out_width; }
  constexpr std::size_t input_size() const { return height * width * channels; }
  constexpr std::size_t output_size() const { return positions() * filters; }
  constexpr std::size_t kernel_rows() const { return kernel.height * kernel.width * channels; }
  constexpr std::size_t multiply_adds() const { return positions() * kernel_rows() * filters; }
  /// The output gradient, spread by the stride and framed by zeros, over which the turned kernel slides.
  constexpr std::size_t spread_height() const { return height + kernel.height - 1; }
  constexpr std::size_t spread_width() const { return width + kernel.width - 1; }
  constexpr std::size_t spread_size() const { return spread_height() * spread_width() * filters; }
  /// The same where the stride is 1 and only frames.
  constexpr Frame spread_frame() const {
    return {{out_height, out_width},
            filters,
            {kernel.height - 1 - before.height, kernel.width - 1 - before.width},
            {spread_height(), spread_width()}};
  }
};

/// Zeroes scratch of spread_size for spread_gradient, once for many images.
template <Conv2DExtents E, class T>
void clear_spread(T* spread) {
  if constexpr (E.stride == Extent{1})
    clear_frame<E.spread_frame()>(spread);
  else
    std::fill_n(spread, E.spread_size(), T{0});
}

/// An output gradient among zeros, in front of which the turned kernel gives dx: in scratch that is clear, or
/// where it lies if it needs no zeros.
template <Conv2DExtents E, class T>
const T* spread_gradient(const T* gradient, T* spread) {
  if constexpr (E.stride == Extent{1}) {
    return put_in_frame<E.spread_frame()>(gradient, spread);
  } else {
    constexpr Extent before = E.spread_frame().before;
    for (std::size_t row = 0; row < E.out_height; ++row)
      for (std::size_t column = 0; column < E.out_width; ++column)
        std::copy_n(gradient + (row * E.out_width + column) * E.filters, E.filters,
                    spread + ((row * E.stride.height + before.height) * E.spread_width() +
                              column * E.stride.width + before.width) *
                                 E.filters);
    return spread;
  }
}

}  // namespace digitnet::kernels
