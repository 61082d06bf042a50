// Two-dimensional convolution, forward and both gradients, as gathered matrix products: no im2col copy is
// made. 3x3 kernels with stride 1 and enough channels go through Winograd's transform, where their kernels
// have been prepared.
#pragma once
#include <algorithm>
#include <cstddef>

#include "digitnet/kernels/conv2d_extents.hpp"
#include "digitnet/kernels/gather_gemm.hpp"
#include "digitnet/kernels/reduce.hpp"
#include "digitnet/kernels/winograd.hpp"

namespace digitnet::kernels {

/// The rule: whether Winograd's transform is faster. It saves 5/9 of the multiplications, but its transforms
/// cost as much as some 16 to 24 channels, and tiles that hang over an odd edge are computed in vain.
/// Measured on one thread, GFLOP/s of the direct method, direct / Winograd (./run bench). Zen 3 (AVX2):
/// 28x28x16 88 / 83, 28x28x32 88 / 131, 28x28x64 76 / 138, 14x14x16 73 / 81, 14x14x32 87 / 148, 14x14x64 77 /
/// 133, 7x7x32 82 / 71, 7x7x64 89 / 70, 11x11 outputs of 32 to 64 channels 75 / 113. Zen 5 (AVX-512):
/// 28x28x16 189 / 222, 28x28x32 204 / 311, 28x28x64 208 / 392, 14x14x16 187 / 225, 14x14x32 208 / 310,
/// 14x14x64 208 / 383, 7x7x16 167 / 180, 7x7x32 197 / 231, 7x7x64 203 / 201 (a transformed kernel that leaves
/// the first-level cache).
constexpr bool winograd_pays(const Conv2DExtents& e) {
  constexpr bool wide = simd::registers<> >= 32;
  constexpr std::size_t fewest = wide ? 16 : 24;
  const std::size_t tiles = ((e.out_height + 1) / 2) * ((e.out_width + 1) / 2);
  const std::size_t waste = wide && e.channels * e.filters < 64 * 64 ? 6 : 5;
  return e.kernel == Extent{3} && e.stride == Extent{1} && e.channels >= fewest && e.filters >= fewest &&
         16 * tiles <= waste * e.positions();
}

namespace detail {

// A 3x3 convolution over (height, width, channels) that yields (rows, columns, filters).
struct WinogradConvolution {
  Frame frame;
  WinogradExtents tiles;
  Extent out;
};
constexpr WinogradConvolution winograd_convolution(Extent image, std::size_t channels, Extent before,
                                                   Extent out, std::size_t filters) {
  const std::size_t rows = (out.height + 1) / 2, columns = (out.width + 1) / 2;
  const Extent outer{std::max(2 * rows + 2, image.height + before.height),
                     std::max(2 * columns + 2, image.width + before.width)};
  return {{image, channels, before, outer}, {rows, columns, channels, filters, outer.width}, out};
}
constexpr WinogradConvolution winograd_forward(const Conv2DExtents& e) {
  return winograd_convolution({e.height, e.width}, e.channels, e.before, {e.out_height, e.out_width},
                              e.filters);
}
constexpr WinogradConvolution winograd_backward(const Conv2DExtents& e) {
  return winograd_convolution({e.out_height, e.out_width}, e.filters,
                              {2 - e.before.height, 2 - e.before.width}, {e.height, e.width}, e.channels);
}
constexpr std::size_t winograd_scratch(const WinogradConvolution& c) {
  return round_up(c.frame.size(), alignment_elements) + c.tiles.scratch();
}

template <WinogradConvolution C, class Arch, class Activation, class T>
void winograd_convolve(std::size_t samples, const T* x, const T* weights, const T* bias, T* y, T* scratch) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t width = simd::width<T, Arch>, filters = C.tiles.filters;
  clear_frame<C.frame>(scratch);
  for (std::size_t i = 0; i < samples; ++i) {
    const T* const image =
        put_in_frame<C.frame>(x + i * C.frame.inner.height * C.frame.inner.width * C.frame.channels, scratch);
    T* const out = y + i * C.out.height * C.out.width * filters;
    winograd<C.tiles, Arch>(
        image, weights, scratch + round_up(C.frame.size(), alignment_elements),
        [&](std::size_t tile, std::size_t filter, const Vector(&outputs)[4]) __attribute__((always_inline)) {
          const std::size_t row = tile / C.tiles.tile_columns * 2, column = tile % C.tiles.tile_columns * 2;
          const std::size_t lanes = std::min(width, filters - filter);
          for (std::size_t place = 0; place < 4; ++place) {
            const std::size_t r = row + place / 2, c = column + place % 2;
            if (r >= C.out.height || c >= C.out.width) continue;
            Vector value = outputs[place];
            T* const to = out + (r * C.out.width + c) * filters + filter;
            if (filters % width == 0 || lanes == width) {
              if (bias) value += simd::read<Arch>(bias + filter);
              simd::write<Arch>(to, Activation::value(value));
            } else {
              if (bias) value += simd::read_part<Arch>(bias + filter, lanes);
              simd::write_part<Arch>(to, Activation::value(value), lanes);
            }
          }
        });
  }
}

// The kernel turned by 180 degrees, with channels and filters exchanged: it maps dy to dx.
template <Conv2DExtents E, class T>
void turn_kernel(const T* kernel, T* turned) {
  constexpr std::size_t taps = E.kernel.height * E.kernel.width;
  for (std::size_t tap = 0; tap < taps; ++tap)
    transpose(E.channels, E.filters, kernel + tap * E.channels * E.filters,
              turned + (taps - 1 - tap) * E.channels * E.filters);
}

}  // namespace detail

/// Elements of scratch that each function below may overwrite.
template <Conv2DExtents E>
constexpr std::size_t conv2d_scratch() {
  const std::size_t direct = std::max(E.frame().size(), E.spread_size());
  if constexpr (winograd_pays(E))
    return std::max({direct, detail::winograd_scratch(detail::winograd_forward(E)),
                     detail::winograd_scratch(detail::winograd_backward(E))});
  return direct;
}

/// Elements that conv2d_prepare_forward makes of a kernel; 0: nothing is needed.
template <Conv2DExtents E>
constexpr std::size_t conv2d_prepared_forward() {
  return winograd_pays(E) ? round_up(detail::winograd_forward(E).tiles.weights(), alignment_elements) : 0;
}
template <Conv2DExtents E, class Arch = DefaultArch, class T>
void conv2d_prepare_forward(const T* kernel, T* prepared) {
  if constexpr (winograd_pays(E)) winograd_weights<Arch>(E.channels, E.filters, kernel, prepared);
}

/// Elements that conv2d_prepare_backward makes of a kernel.
template <Conv2DExtents E>
constexpr std::size_t conv2d_prepared_backward() {
  const std::size_t turned = round_up(E.kernel_rows() * E.filters, alignment_elements);
  return turned + (winograd_pays(E) ? detail::winograd_backward(E).tiles.weights() : 0);
}
template <Conv2DExtents E, class Arch = DefaultArch, class T>
void conv2d_prepare_backward(const T* kernel, T* prepared) {
  detail::turn_kernel<E>(kernel, prepared);
  if constexpr (winograd_pays(E))
    winograd_weights<Arch>(E.filters, E.channels, static_cast<const T*>(prepared),
                           prepared + round_up(E.kernel_rows() * E.filters, alignment_elements));
}

/// y = activation(x * kernel + bias) for n samples. Assigns y (n, out_height, out_width, filters); bias may
/// be null; `prepared` is what conv2d_prepare_forward made of the kernel, or null.
template <Conv2DExtents E, class Activation = Identity, class Arch = DefaultArch, class T>
void conv2d_forward(std::size_t samples, const T* x, const T* kernel, const T* bias, const T* prepared, T* y,
                    T* scratch) {
  if constexpr (winograd_pays(E)) {
    if (prepared) {
      detail::winograd_convolve<detail::winograd_forward(E), Arch, Activation>(samples, x, prepared, bias, y,
                                                                               scratch);
      return;
    }
  }
  constexpr auto walk = walk_of<Walk{.segments = E.kernel.height,
                                     .length = E.kernel.width * E.channels,
                                     .segment_stride = E.padded.width * E.channels}>();
  clear_frame<E.frame()>(scratch);
  for (std::size_t i = 0; i < samples; ++i) {
    const T* const image = put_in_frame<E.frame()>(x + i * E.input_size(), scratch);
    T* const out = y + i * E.output_size();
    line_gemm<Lines{E.out_width, E.stride.width * E.channels, E.filters}, E.filters, Arch, Result::assign,
              Activation>(
        E.out_height, walk,
        [image](std::size_t row) { return image + row * E.stride.height * E.padded.width * E.channels; },
        kernel, bias, [out](std::size_t row) { return out + row * E.out_width * E.filters; });
  }
}

/// d_kernel += the gradient of n samples, and d_bias likewise where it is not null.
template <Conv2DExtents E, class Arch = DefaultArch, class T>
void conv2d_backward_weights(std::size_t samples, const T* x, const T* dy, T* d_kernel, T* d_bias,
                             T* scratch) {
  // Some rows of dy at a time: as many as stay in the first-level cache with what they meet of x, while all
  // of d_kernel passes by.
  constexpr std::size_t rows_together = std::max<std::size_t>(1, 8 * 1024 / (E.out_width * 64));
  clear_frame<E.frame()>(scratch);
  for (std::size_t i = 0; i < samples; ++i) {
    const T* const image = put_in_frame<E.frame()>(x + i * E.input_size(), scratch);
    const T* const gradient = dy + i * E.output_size();
    for (std::size_t first = 0; first < E.out_height; first += rows_together) {
      const Walk walk{.segments = std::min(rows_together, E.out_height - first),
                      .length = E.out_width,
                      .segment_stride = E.stride.height * E.padded.width * E.channels,
                      .step = E.stride.width * E.channels};
      const T* const lines = image + first * walk.segment_stride;
      constexpr std::size_t line = E.kernel.width * E.channels;
      line_gemm<Lines{line, 1, E.filters}, E.filters, Arch, Result::add>(
          E.kernel.height, walk,
          [lines](std::size_t row) { return lines + row * E.padded.width * E.channels; },
          gradient + first * E.out_width * E.filters, static_cast<const T*>(nullptr),
          [d_kernel](std::size_t row) { return d_kernel + row * line * E.filters; });
    }
    if (d_bias) add_column_sums<Arch>(E.positions(), E.filters, gradient, d_bias);
  }
}

/// dx = the gradient with respect to x of n samples. Assigns dx. `prepared` is what conv2d_prepare_backward
/// made of the kernel.
template <Conv2DExtents E, class Arch = DefaultArch, class T>
void conv2d_backward_input(std::size_t samples, const T* dy, const T* prepared, T* dx, T* scratch) {
  if constexpr (winograd_pays(E)) {
    detail::winograd_convolve<detail::winograd_backward(E), Arch, Identity>(
        samples, dy, prepared + round_up(E.kernel_rows() * E.filters, alignment_elements),
        static_cast<const T*>(nullptr), dx, scratch);
    return;
  }
  clear_spread<E>(scratch);
  constexpr auto walk = walk_of<Walk{.segments = E.kernel.height,
                                     .length = E.kernel.width * E.filters,
                                     .segment_stride = E.spread_width() * E.filters}>();
  for (std::size_t i = 0; i < samples; ++i) {
    const T* const spread = spread_gradient<E>(dy + i * E.output_size(), scratch);
    T* const out = dx + i * E.input_size();
    line_gemm<Lines{E.width, E.filters, E.channels}, E.channels, Arch>(
        E.height, walk, [spread](std::size_t row) { return spread + row * E.spread_width() * E.filters; },
        prepared, static_cast<const T*>(nullptr),
        [out](std::size_t row) { return out + row * E.width * E.channels; });
  }
}

}  // namespace digitnet::kernels
