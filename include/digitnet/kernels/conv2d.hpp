// Two-dimensional convolution, forward and both gradients, as gathered matrix products: no im2col copy is
// made.
#pragma once
#include <algorithm>
#include <cstddef>

#include "digitnet/core/shape.hpp"
#include "digitnet/kernels/gather_gemm.hpp"
#include "digitnet/kernels/reduce.hpp"

namespace digitnet::kernels {

/// Everything that decides a convolution's loops, known to the compiler. Images are (height, width,
/// channels), kernels (kernel height, kernel width, channels, filters), as in Keras.
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

  constexpr bool has_padding() const { return padded.height != height || padded.width != width; }
  constexpr std::size_t positions() const { return out_height * out_width; }
  constexpr std::size_t input_size() const { return height * width * channels; }
  constexpr std::size_t output_size() const { return positions() * filters; }
  constexpr std::size_t kernel_rows() const { return kernel.height * kernel.width * channels; }
  constexpr std::size_t padded_size() const { return padded.height * padded.width * channels; }
  /// The output gradient, spread by the stride and framed by zeros, over which the flipped kernel slides.
  constexpr std::size_t spread_height() const { return height + kernel.height - 1; }
  constexpr std::size_t spread_width() const { return width + kernel.width - 1; }
};

namespace detail {

// The image with its frame of zeros: a copy in scratch, or the image itself where there is no frame.
template <Conv2DExtents E, class T>
const T* framed(const T* x, T* scratch) {
  if constexpr (!E.has_padding()) return x;
  std::fill_n(scratch, E.padded_size(), T{0});
  for (std::size_t row = 0; row < E.height; ++row)
    std::copy_n(x + row * E.width * E.channels, E.width * E.channels,
                scratch + ((row + E.before.height) * E.padded.width + E.before.width) * E.channels);
  return scratch;
}

}  // namespace detail

/// Elements of scratch that each function below may overwrite.
template <Conv2DExtents E>
constexpr std::size_t conv2d_scratch() {
  return std::max(E.has_padding() ? E.padded_size() : 0, E.spread_height() * E.spread_width() * E.filters);
}

/// y = x * kernel + bias for n samples. Assigns y (n, out_height, out_width, filters); bias may be null.
template <Conv2DExtents E, class Arch = DefaultArch, class T>
void conv2d_forward(std::size_t samples, const T* x, const T* kernel, const T* bias, T* y, T* scratch) {
  constexpr Walk walk{.segments = E.kernel.height,
                      .length = E.kernel.width * E.channels,
                      .segment_stride = E.padded.width * E.channels};
  for (std::size_t i = 0; i < samples; ++i) {
    const T* const image = detail::framed<E>(x + i * E.input_size(), scratch);
    T* const out = y + i * E.output_size();
    gather_gemm<Arch>(
        E.positions(), E.filters, walk,
        [image](std::size_t position) {
          const std::size_t row = position / E.out_width * E.stride.height;
          const std::size_t column = position % E.out_width * E.stride.width;
          return image + (row * E.padded.width + column) * E.channels;
        },
        kernel, E.filters, bias, [out](std::size_t position) { return out + position * E.filters; });
  }
}

/// d_kernel += the gradient of n samples, and d_bias likewise where it is not null.
template <Conv2DExtents E, class Arch = DefaultArch, class T>
void conv2d_backward_weights(std::size_t samples, const T* x, const T* dy, T* d_kernel, T* d_bias,
                             T* scratch) {
  constexpr Walk walk{.segments = E.out_height,
                      .length = E.out_width,
                      .segment_stride = E.stride.height * E.padded.width * E.channels,
                      .step = E.stride.width * E.channels};
  for (std::size_t i = 0; i < samples; ++i) {
    const T* const image = detail::framed<E>(x + i * E.input_size(), scratch);
    const T* const gradient = dy + i * E.output_size();
    gather_gemm<Arch, Result::add>(
        E.kernel_rows(), E.filters, walk,
        [image](std::size_t row) {
          constexpr std::size_t line = E.kernel.width * E.channels;
          return image + row / line * E.padded.width * E.channels + row % line;
        },
        gradient, E.filters, static_cast<const T*>(nullptr),
        [d_kernel](std::size_t row) { return d_kernel + row * E.filters; });
    if (d_bias) add_column_sums<Arch>(E.positions(), E.filters, gradient, d_bias);
  }
}

/// Elements of the turned kernel that conv2d_backward_input reads.
template <Conv2DExtents E>
constexpr std::size_t conv2d_prepared() {
  return E.kernel_rows() * E.filters;
}

/// Turned by 180 degrees, and with channels and filters exchanged, the kernel maps dy to dx.
template <Conv2DExtents E, class T>
void conv2d_prepare(const T* kernel, T* turned) {
  constexpr std::size_t taps = E.kernel.height * E.kernel.width;
  for (std::size_t tap = 0; tap < taps; ++tap)
    transpose(E.channels, E.filters, kernel + tap * E.channels * E.filters,
              turned + (taps - 1 - tap) * E.channels * E.filters);
}

/// dx = the gradient with respect to x of n samples. Assigns dx. `turned` is what conv2d_prepare made of the
/// kernel.
template <Conv2DExtents E, class Arch = DefaultArch, class T>
void conv2d_backward_input(std::size_t samples, const T* dy, const T* turned, T* dx, T* scratch) {
  constexpr std::size_t spread_size = E.spread_height() * E.spread_width() * E.filters;
  T* const spread = scratch;
  std::fill_n(spread, spread_size, T{0});
  constexpr Walk walk{.segments = E.kernel.height,
                      .length = E.kernel.width * E.filters,
                      .segment_stride = E.spread_width() * E.filters};
  for (std::size_t i = 0; i < samples; ++i) {
    const T* const gradient = dy + i * E.output_size();
    constexpr std::size_t top = E.kernel.height - 1 - E.before.height;
    constexpr std::size_t left = E.kernel.width - 1 - E.before.width;
    for (std::size_t row = 0; row < E.out_height; ++row)
      for (std::size_t column = 0; column < E.out_width; ++column)
        std::copy_n(
            gradient + (row * E.out_width + column) * E.filters, E.filters,
            spread + ((row * E.stride.height + top) * E.spread_width() + column * E.stride.width + left) *
                         E.filters);
    T* const out = dx + i * E.input_size();
    gather_gemm<Arch>(
        E.height * E.width, E.channels, walk,
        [spread](std::size_t position) {
          return spread + (position / E.width * E.spread_width() + position % E.width) * E.filters;
        },
        turned, E.channels, static_cast<const T*>(nullptr),
        [out](std::size_t position) { return out + position * E.channels; });
  }
}

}  // namespace digitnet::kernels
