// The extents of a convolution, as compile-time constants.
#pragma once
#include <cstddef>

#include "digitnet/core/processor.hpp"
#include "digitnet/core/shape.hpp"
#include "digitnet/kernels/padded_images.hpp"

namespace digitnet::kernels {

inline namespace DIGITNET_PROCESSOR {

/// The extents of a convolution. Images are (height, width, channels), kernels (kernel height, kernel width,
/// channels, filters), as in Keras.
struct Conv2DExtents {
  std::size_t height, width, channels, filters;
  Extent kernel, stride;
  std::size_t out_height, out_width;
  /// Zero rows above and zero columns left of the image
  Extent before;
  /// Extents of the image with its zeros
  Extent padded;

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

  constexpr Border border() const { return {{height, width}, channels, before, padded}; }
  constexpr std::size_t positions() const { return out_height * out_width; }
  constexpr std::size_t input_size() const { return height * width * channels; }
  constexpr std::size_t output_size() const { return positions() * filters; }
  constexpr std::size_t kernel_rows() const { return kernel.height * kernel.width * channels; }
  constexpr std::size_t multiply_adds() const { return positions() * kernel_rows() * filters; }
};

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::kernels
