// Two-dimensional convolution, forward and both gradients, as matrix products that read the image where it
// is: no im2col copy is made. 3x3 kernels with stride 1 and enough channels go through Winograd's transforms.
#pragma once
#include <algorithm>
#include <cstddef>
#include <string_view>

#include "digitnet/kernels/conv2d_extents.hpp"
#include "digitnet/kernels/conv2d_input_gradient.hpp"
#include "digitnet/kernels/line_gemm.hpp"
#include "digitnet/kernels/reduce.hpp"
#include "digitnet/kernels/winograd.hpp"

namespace digitnet::kernels {

namespace detail {

// What a 3x3 convolution costs in tiles of so many outputs (0: directly), in multiplications, to which the
// transforms' work is reckoned. `uses` is how often each sample has the whole transformed kernel pass by, as
// it is summed up for its gradient. Measured on one thread on a Zen 5, GFLOP/s of the direct method, direct /
// F(2x2) / F(4x4), forward. AVX-512: 28x28x16 184 / 217 / 311, 24x24x32 204 / 303 / 475, 8x8x64 155 / 395 /
// 552, 6x6x32 195 / 319 / 284, 5x5x64 200 / 283 / 219, 28x28x8 80 / 60 / 77. AVX2: 92 / 167 / 220, 102 / 205
// / 298, 91 / 216 / 306, 100 / 208 / 160, 95 / 156 / 115, 84 / 90 / 126. Gradient of the kernel, AVX-512:
// 28x28x16 179 / 253 / 335, 5x5x64 195 / 211 / 132, 3x3x64 177 / 138 / 115.
constexpr std::size_t convolution_cost(std::size_t outputs, Extent out, std::size_t channels,
                                       std::size_t filters, std::size_t uses) {
  constexpr std::size_t width = simd::width<float>;
  const std::size_t all_channels = round_up(channels, width), all_filters = round_up(filters, width);
  if (outputs == 0) return 9 * out.height * out.width * channels * all_filters;
  const std::size_t tiles = ((out.height + outputs - 1) / outputs) * ((out.width + outputs - 1) / outputs);
  const std::size_t points = (outputs + 2) * (outputs + 2);
  const std::size_t transforms = outputs == 4 && width >= 16 ? 8 : 5;
  return points * (tiles * (channels * all_filters + transforms * (all_channels + all_filters)) +
                   uses * channels * all_filters);
}
constexpr bool has_winograd(const Conv2DExtents& e) {
  return e.kernel == Extent{3} && e.stride == Extent{1} && e.channels >= 8 && e.filters >= 8;
}
constexpr bool winograd_is_faster(std::size_t outputs, const Conv2DExtents& e, Extent out) {
  return has_winograd(e) && convolution_cost(outputs, out, e.channels, e.filters, 0) <
                                convolution_cost(0, out, e.channels, e.filters, 0);
}
// The outputs, down as across, of the tiles that make a convolution fastest; 0: none, the direct way.
constexpr std::size_t winograd_outputs(const Conv2DExtents& e, Extent out, std::size_t channels,
                                       std::size_t filters, std::size_t uses = 0) {
  if (!has_winograd(e)) return 0;
  std::size_t best = 0;
  for (const std::size_t outputs : {std::size_t{2}, std::size_t{4}})
    if (convolution_cost(outputs, out, channels, filters, uses) <
        convolution_cost(best, out, channels, filters, uses))
      best = outputs;
  return best;
}

// A 3x3 convolution over (height, width, channels) that yields (rows, columns, filters). Where the channels
// are no whole vectors, the last one of a position reaches into the next, so that images are copied into a
// border; otherwise they are read where they are.
struct WinogradConvolution {
  Border border;
  WinogradExtents tiles;
  Extent out;
};
constexpr bool are_whole_vectors(std::size_t channels) { return channels % simd::width<float> == 0; }
constexpr WinogradConvolution winograd_convolution(std::size_t outputs, Extent image, std::size_t channels,
                                                   Extent before, Extent out, std::size_t filters) {
  const std::size_t rows = (out.height + outputs - 1) / outputs,
                    columns = (out.width + outputs - 1) / outputs;
  if (are_whole_vectors(channels))
    return {
        {image, channels, {0, 0}, image}, {outputs, rows, columns, channels, filters, image, before}, out};
  const Extent outer{std::max(outputs * rows + 2, image.height + before.height),
                     std::max(outputs * columns + 2, image.width + before.width)};
  return {{image, channels, before, outer}, {outputs, rows, columns, channels, filters, outer}, out};
}
constexpr std::size_t forward_outputs(const Conv2DExtents& e) {
  return winograd_outputs(e, {e.out_height, e.out_width}, e.channels, e.filters);
}
constexpr std::size_t weights_outputs(const Conv2DExtents& e) {
  return winograd_outputs(e, {e.out_height, e.out_width}, e.channels, e.filters, 3);
}
constexpr std::size_t input_outputs(const Conv2DExtents& e) {
  return winograd_outputs(e, {e.height, e.width}, e.filters, e.channels);
}
// The convolution that yields y, or as much of one as the kernel's gradient needs, and that which yields dx.
constexpr WinogradConvolution winograd_forward(const Conv2DExtents& e, std::size_t outputs) {
  return winograd_convolution(outputs, {e.height, e.width}, e.channels, e.before, {e.out_height, e.out_width},
                              e.filters);
}
constexpr WinogradConvolution winograd_input(const Conv2DExtents& e) {
  return winograd_convolution(input_outputs(e), {e.out_height, e.out_width}, e.filters,
                              {2 - e.before.height, 2 - e.before.width}, {e.height, e.width}, e.channels);
}
constexpr std::size_t winograd_border(const WinogradConvolution& c) {
  return round_up(c.border.size(), alignment_elements);
}
template <WinogradConvolution C>
constexpr std::size_t winograd_scratch() {
  return winograd_border(C) + WinogradLayout<C.tiles>::scratch;
}
// The output's gradient, with zeros beyond it up to the end of the tiles.
constexpr Border winograd_gradient_border(const WinogradConvolution& c) {
  const Extent outer{c.tiles.tile_rows * c.tiles.outputs, c.tiles.tile_columns * c.tiles.outputs};
  return {c.out, c.tiles.filters, {0, 0}, are_whole_vectors(c.tiles.filters) ? c.out : outer};
}
constexpr std::size_t winograd_gradient_border_size(const WinogradConvolution& c) {
  return round_up(winograd_gradient_border(c).size(), alignment_elements);
}

template <WinogradConvolution C, class Arch, class Activation, class T>
void winograd_convolve(std::size_t samples, const T* x, const T* weights, const T* bias, T* y, T* scratch) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t width = simd::width<T, Arch>, filters = C.tiles.filters;
  winograd<C.tiles, Arch>(
      samples, PaddedImages<C.border, T>(x, scratch), weights, scratch + winograd_border(C),
      [&](std::size_t sample, std::size_t tile, std::size_t filter,
          const Vector(&outputs)[C.tiles.outputs * C.tiles.outputs]) __attribute__((always_inline)) {
        const std::size_t row = tile / C.tiles.tile_columns * C.tiles.outputs,
                          column = tile % C.tiles.tile_columns * C.tiles.outputs;
        const std::size_t lanes = std::min(width, filters - filter);
        T* const out = y + sample * C.out.height * C.out.width * filters;
        DIGITNET_UNROLL
        for (std::size_t place = 0; place < C.tiles.outputs * C.tiles.outputs; ++place) {
          const std::size_t r = row + place / C.tiles.outputs, c = column + place % C.tiles.outputs;
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

// Computed once: networks ask for it again and again while they are laid out.
template <Conv2DExtents E>
inline constexpr std::size_t scratch_of_conv2d = [] {
  std::size_t most = std::max(E.border().size(), conv2d_input_gradient_scratch<E>());
  if constexpr (forward_outputs(E) > 0)
    most = std::max(most, winograd_scratch<winograd_forward(E, forward_outputs(E))>());
  if constexpr (input_outputs(E) > 0) most = std::max(most, winograd_scratch<winograd_input(E)>());
  if constexpr (weights_outputs(E) > 0) {
    constexpr WinogradConvolution c = winograd_forward(E, weights_outputs(E));
    most = std::max(
        most, winograd_border(c) + winograd_gradient_border_size(c) + winograd_gradients_scratch<c.tiles>());
  }
  return most;
}();

}  // namespace detail

/// What tiles of so many outputs, or none, are called.
constexpr std::string_view winograd_method(std::size_t outputs) {
  return outputs == 4 ? "Winograd F(4x4, 3x3)" : outputs == 2 ? "Winograd F(2x2, 3x3)" : "register tiles";
}
/// How the forward pass is computed.
constexpr std::string_view conv2d_method(const Conv2DExtents& e) {
  return winograd_method(detail::forward_outputs(e));
}

/// Elements of scratch that each function below may overwrite.
template <Conv2DExtents E>
constexpr std::size_t conv2d_scratch() {
  return detail::scratch_of_conv2d<E>;
}

/// Elements that conv2d_pack_forward makes of a kernel; 0: nothing is needed.
template <Conv2DExtents E>
constexpr std::size_t conv2d_packed_forward() {
  if constexpr (detail::forward_outputs(E) > 0)
    return round_up(detail::winograd_forward(E, detail::forward_outputs(E)).tiles.weights(),
                    alignment_elements);
  return 0;
}
template <Conv2DExtents E, class Arch = DefaultArch, class T>
void conv2d_pack_forward(const T* kernel, T* packed) {
  if constexpr (detail::forward_outputs(E) > 0)
    winograd_weights<detail::forward_outputs(E), Arch>(E.channels, E.filters, kernel, packed);
}

/// Elements that conv2d_pack_backward makes of a kernel.
template <Conv2DExtents E>
constexpr std::size_t conv2d_packed_backward() {
  const std::size_t turned = round_up(E.kernel_rows() * E.filters, alignment_elements);
  if constexpr (detail::input_outputs(E) > 0) return turned + detail::winograd_input(E).tiles.weights();
  return turned;
}
template <Conv2DExtents E, class Arch = DefaultArch, class T>
void conv2d_pack_backward(const T* kernel, T* packed) {
  detail::turn_kernel<E>(kernel, packed);
  if constexpr (detail::input_outputs(E) > 0)
    winograd_weights<detail::input_outputs(E), Arch>(
        E.filters, E.channels, static_cast<const T*>(packed),
        packed + round_up(E.kernel_rows() * E.filters, alignment_elements));
}

/// y = activation(x * kernel + bias) for n samples. Assigns y (n, out_height, out_width, filters); bias may
/// be null; `packed` is what conv2d_pack_forward made of the kernel, or null.
template <Conv2DExtents E, class Activation = Identity, class Arch = DefaultArch, class T>
void conv2d_forward(std::size_t samples, const T* x, const T* kernel, const T* bias, const T* packed, T* y,
                    T* scratch) {
  if constexpr (detail::forward_outputs(E) > 0) {
    if (packed) {
      constexpr auto convolution = detail::winograd_forward(E, detail::forward_outputs(E));
      detail::winograd_convolve<convolution, Arch, Activation>(samples, x, packed, bias, y, scratch);
      return;
    }
  }
  constexpr auto walk = walk_of<Walk{.segments = E.kernel.height,
                                     .length = E.kernel.width * E.channels,
                                     .segment_stride = E.padded.width * E.channels}>();
  const PaddedImages<E.border(), T> images(x, scratch);
  for (std::size_t i = 0; i < samples; ++i) {
    const T* const image = images(i);
    T* const out = y + i * E.output_size();
    line_gemm<Lines{E.out_width, E.stride.width * E.channels, E.filters}, E.filters, Arch, Result::assign,
              Activation>(E.out_height, walk,
                          Rows<const T>{image, E.stride.height * E.padded.width * E.channels}, kernel, bias,
                          Rows<T>{out, E.out_width * E.filters});
  }
}

/// d_kernel += the gradient of n samples, and d_bias likewise where it is not null.
template <Conv2DExtents E, class Arch = DefaultArch, class T>
void conv2d_backward_weights(std::size_t samples, const T* x, const T* dy, T* d_kernel, T* d_bias,
                             T* scratch) {
  if constexpr (detail::weights_outputs(E) > 0) {
    constexpr auto convolution = detail::winograd_forward(E, detail::weights_outputs(E));
    constexpr Border gradient_border = detail::winograd_gradient_border(convolution);
    T* const gradients = scratch + detail::winograd_border(convolution);
    winograd_weight_gradients<convolution.tiles, gradient_border.outer, Arch>(
        samples, PaddedImages<convolution.border, T>(x, scratch),
        PaddedImages<gradient_border, T>(dy, gradients), d_kernel,
        gradients + detail::winograd_gradient_border_size(convolution));
    if (d_bias) add_column_sums<Arch>(samples * E.positions(), E.filters, dy, d_bias);
    return;
  }
  // Some rows of dy at a time: as many as stay in the first-level cache with what they meet of x, while all
  // of d_kernel passes by.
  constexpr std::size_t rows_together = std::max<std::size_t>(1, 8 * 1024 / (E.out_width * 64));
  const PaddedImages<E.border(), T> images(x, scratch);
  for (std::size_t i = 0; i < samples; ++i) {
    const T* const image = images(i);
    const T* const gradient = dy + i * E.output_size();
    for (std::size_t first = 0; first < E.out_height; first += rows_together) {
      const Walk walk{.segments = std::min(rows_together, E.out_height - first),
                      .length = E.out_width,
                      .segment_stride = E.stride.height * E.padded.width * E.channels,
                      .step = E.stride.width * E.channels};
      const T* const lines = image + first * walk.segment_stride;
      constexpr std::size_t line = E.kernel.width * E.channels;
      line_gemm<Lines{line, 1, E.filters}, E.filters, Arch, Result::add>(
          E.kernel.height, walk, Rows<const T>{lines, E.padded.width * E.channels},
          gradient + first * E.out_width * E.filters, static_cast<const T*>(nullptr),
          Rows<T>{d_kernel, line * E.filters});
    }
    if (d_bias) add_column_sums<Arch>(E.positions(), E.filters, gradient, d_bias);
  }
}

/// dx = the gradient with respect to x of n samples. Assigns dx. `packed` is what conv2d_pack_backward
/// made of the kernel.
template <Conv2DExtents E, class Arch = DefaultArch, class T>
void conv2d_backward_input(std::size_t samples, const T* dy, const T* packed, T* dx, T* scratch) {
  if constexpr (detail::input_outputs(E) > 0) {
    detail::winograd_convolve<detail::winograd_input(E), Arch, Identity>(
        samples, dy, packed + round_up(E.kernel_rows() * E.filters, alignment_elements),
        static_cast<const T*>(nullptr), dx, scratch);
    return;
  }
  conv2d_input_gradient<E, Arch>(samples, dy, packed, dx, scratch);
}

}  // namespace digitnet::kernels
