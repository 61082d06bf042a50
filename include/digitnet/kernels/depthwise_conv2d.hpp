// Depthwise convolution: each channel has a kernel of its own, so vectors go along the channels. Memory
// decides the speed, because each number is used only once for each element of the kernel. So no padded copy
// is made (rows beyond the border are one row of zeros, columns at the border are computed apart), and a row
// stays in the first-level cache until all that needs it is done.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "digitnet/core/simd.hpp"
#include "digitnet/kernels/conv2d_extents.hpp"
#include "digitnet/kernels/gather_gemm.hpp"

namespace digitnet::kernels {

/// The extents of a depthwise convolution: those of a convolution with as many filters as channels, whose
/// kernel is (kernel height, kernel width, channels).
using DepthwiseExtents = Conv2DExtents;

namespace detail {

// A kernel sliding over an image.
struct Slide {
  Extent image, out, kernel, stride, before;
  std::size_t channels;

  constexpr std::size_t taps() const { return kernel.height * kernel.width; }
  constexpr std::size_t line() const { return image.width * channels; }
  /// The columns whose windows lie inside the image: first, and one past the last.
  constexpr std::size_t first_inner() const {
    return std::min(out.width, (before.width + stride.width - 1) / stride.width);
  }
  constexpr std::size_t end_inner() const {
    const std::size_t last_start = image.width + before.width;
    if (last_start < kernel.width) return first_inner();
    return std::clamp((last_start - kernel.width) / stride.width + 1, first_inner(), out.width);
  }
};
constexpr Slide slide_forward(const DepthwiseExtents& e) {
  return {{e.height, e.width}, {e.out_height, e.out_width}, e.kernel, e.stride, e.before, e.channels};
}
// The output's gradient where a stride has spread it: among zeros, over which the turned kernel slides.
constexpr Extent spread_extent(const DepthwiseExtents& e) {
  return {e.height + e.kernel.height - 1, e.width + e.kernel.width - 1};
}
constexpr std::size_t spread_size(const DepthwiseExtents& e) {
  return e.stride == Extent{1} ? 0 : spread_extent(e).height * spread_extent(e).width * e.channels;
}
template <DepthwiseExtents E, class T>
void spread_gradient(const T* gradient, T* spread) {
  for (std::size_t row = 0; row < E.out_height; ++row)
    for (std::size_t column = 0; column < E.out_width; ++column)
      std::copy_n(
          gradient + (row * E.out_width + column) * E.channels, E.channels,
          spread + ((row * E.stride.height + E.kernel.height - 1 - E.before.height) * spread_extent(E).width +
                    column * E.stride.width + E.kernel.width - 1 - E.before.width) *
                       E.channels);
}
// Over the output's gradient, or, where the stride has spread it, over that.
constexpr Slide slide_backward(const DepthwiseExtents& e) {
  if (e.stride == Extent{1})
    return {{e.out_height, e.out_width},
            {e.height, e.width},
            e.kernel,
            e.stride,
            {e.kernel.height - 1 - e.before.height, e.kernel.width - 1 - e.before.width},
            e.channels};
  return {spread_extent(e), {e.height, e.width}, e.kernel, 1, 0, e.channels};
}

// The image's rows under a row of windows; `zeros` stands for those beyond the border.
template <Slide S, class T>
std::array<const T*, S.kernel.height> lines_of(const T* image, const T* zeros, std::size_t row) {
  std::array<const T*, S.kernel.height> lines;
  for (std::size_t y = 0; y < S.kernel.height; ++y) {
    const std::size_t at = row * S.stride.height + y - S.before.height;  // wraps around above the image
    lines[y] = at < S.image.height ? image + at * S.line() : zeros;
  }
  return lines;
}

// Visits the columns of a row: visit.inner<count>(column) for neighbours whose windows lie inside the image,
// visit.border(column, first tap, end of taps) for the others.
template <Slide S, std::size_t together, class Inner, class Border>
[[gnu::always_inline]] inline void for_columns(const Inner& inner, const Border& border) {
  constexpr std::size_t first = S.first_inner(), end = S.end_inner();
  constexpr std::size_t whole = first + (end - first) / together * together;
  const auto at_border = [&](std::size_t column) {
    const std::size_t start = column * S.stride.width;  // in the image with its padding
    const std::size_t begin_tap = start < S.before.width ? S.before.width - start : 0;
    border(column, begin_tap, std::min(S.kernel.width, S.image.width + S.before.width - start));
  };
  for (std::size_t column = 0; column < first; ++column) at_border(column);
  for (std::size_t column = first; column < whole; column += together)
    inner.template operator()<together>(column);
  if constexpr (whole < end) inner.template operator()<end - whole>(whole);
  for (std::size_t column = end; column < S.out.width; ++column) at_border(column);
}

template <Slide S, bool turned, class Arch, class Activation, class T>
void depthwise_slide(const T* image, const T* zeros, const T* kernel, const T* bias, T* y) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t width = simd::width<T, Arch>, taps = S.taps();
  for (std::size_t row = 0; row < S.out.height; ++row) {
    const auto lines = lines_of<S>(image, zeros, row);
    for (std::size_t channel = 0; channel < S.channels; channel += width) {
      const std::size_t lanes = std::min(width, S.channels - channel);
      const bool whole = S.channels % width == 0 || lanes == width;
      const Vector shift = !bias   ? Vector(T{0})
                           : whole ? simd::read<Arch>(bias + channel)
                                   : simd::read_part<Arch>(bias + channel, lanes);
      Vector weights[taps];
      DIGITNET_UNROLL
      for (std::size_t tap = 0; tap < taps; ++tap)
        weights[tap] = simd::read<Arch>(kernel + (turned ? taps - 1 - tap : tap) * S.channels + channel);
      const auto store = [&](std::size_t column, const Vector& sum) __attribute__((always_inline)) {
        T* const to = y + (row * S.out.width + column) * S.channels + channel;
        if (whole)
          simd::write<Arch>(to, Activation::value(sum + shift));
        else
          simd::write_part<Arch>(to, Activation::value(sum + shift), lanes);
      };
      for_columns<S, 4>(
          [&]<std::size_t count>(std::size_t column) __attribute__((always_inline)) {
            Vector sums[count];
            DIGITNET_UNROLL
            for (std::size_t i = 0; i < count; ++i) sums[i] = Vector(T{0});
            const std::size_t start = (column * S.stride.width - S.before.width) * S.channels + channel;
            DIGITNET_UNROLL
            for (std::size_t tap = 0; tap < taps; ++tap) {
              const T* const from = lines[tap / S.kernel.width] + start + tap % S.kernel.width * S.channels;
              DIGITNET_UNROLL
              for (std::size_t i = 0; i < count; ++i)
                sums[i] = simd::fma(simd::read<Arch>(from + i * S.stride.width * S.channels), weights[tap],
                                    sums[i]);
            }
            DIGITNET_UNROLL
            for (std::size_t i = 0; i < count; ++i) store(column + i, sums[i]);
          },
          [&](std::size_t column, std::size_t begin, std::size_t end) {
            Vector sum(T{0});
            for (std::size_t y_tap = 0; y_tap < S.kernel.height; ++y_tap)
              for (std::size_t x_tap = begin; x_tap < end; ++x_tap)
                sum = simd::fma(
                    simd::read<Arch>(lines[y_tap] +
                                     (column * S.stride.width + x_tap - S.before.width) * S.channels +
                                     channel),
                    weights[y_tap * S.kernel.width + x_tap], sum);
            store(column, sum);
          });
    }
  }
}

// sums += x * dy for the taps first, first + 1, ... of some rows of windows, and of the bias where it comes
// behind the last tap. `channel` is that of the vector.
template <Slide S, std::size_t first, std::size_t count, class Arch, class T>
[[gnu::always_inline]] inline void depthwise_weights_rows(const T* image, const T* zeros, const T* gradient,
                                                          std::size_t row, std::size_t end_row,
                                                          std::size_t channel, T* sums_memory) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t stride = round_up(S.channels, alignment_elements);
  constexpr bool with_bias = first + count > S.taps();
  constexpr std::size_t taps = with_bias ? count - 1 : count;
  Vector sums[count];
  DIGITNET_UNROLL
  for (std::size_t t = 0; t < count; ++t)
    sums[t] = simd::read<Arch>(sums_memory + (first + t) * stride + channel);
  for (; row < end_row; ++row) {
    const auto lines = lines_of<S>(image + channel, zeros, row);
    const T* const dy = gradient + row * S.out.width * S.channels + channel;
    for_columns<S, 1>(
        [&]<std::size_t>(std::size_t column) __attribute__((always_inline)) {
          const Vector factor = simd::read<Arch>(dy + column * S.channels);
          const std::size_t start = (column * S.stride.width - S.before.width) * S.channels;
          DIGITNET_UNROLL
          for (std::size_t t = 0; t < taps; ++t)
            sums[t] = simd::fma(simd::read<Arch>(lines[(first + t) / S.kernel.width] + start +
                                                 (first + t) % S.kernel.width * S.channels),
                                factor, sums[t]);
          if constexpr (with_bias) sums[taps] += factor;
        },
        [&](std::size_t column, std::size_t begin, std::size_t end) __attribute__((always_inline)) {
          const Vector factor = simd::read<Arch>(dy + column * S.channels);
          const std::size_t start = (column * S.stride.width - S.before.width) * S.channels;
          DIGITNET_UNROLL
          for (std::size_t t = 0; t < taps; ++t) {
            const std::size_t tap = (first + t) % S.kernel.width;
            if (tap >= begin && tap < end)
              // `start` lies before the row and has wrapped around; only the sum is an offset.
              sums[t] = simd::fma(
                  simd::read<Arch>(lines[(first + t) / S.kernel.width] + (start + tap * S.channels)), factor,
                  sums[t]);
          }
          if constexpr (with_bias) sums[taps] += factor;
        });
  }
  DIGITNET_UNROLL
  for (std::size_t t = 0; t < count; ++t)
    simd::write<Arch>(sums_memory + (first + t) * stride + channel, sums[t]);
}

}  // namespace detail

/// Elements of scratch that each function below may overwrite.
template <DepthwiseExtents E>
constexpr std::size_t depthwise_scratch() {
  const std::size_t zeros = std::max(detail::slide_forward(E).line(), detail::slide_backward(E).line());
  const std::size_t sums = (E.kernel.height * E.kernel.width + 1) * round_up(E.channels, alignment_elements);
  return round_up(zeros, alignment_elements) + std::max(detail::spread_size(E), sums);
}

/// y = activation(x * kernel + bias) for n samples, channel by channel. Assigns y (n, out_height, out_width,
/// channels); bias may be null. Kernel and bias have readable_bytes_behind.
template <DepthwiseExtents E, class Activation = Identity, class Arch = DefaultArch, class T>
void depthwise_forward(std::size_t samples, const T* x, const T* kernel, const T* bias, T* y, T* scratch) {
  static_assert(E.channels == E.filters);
  constexpr detail::Slide slide = detail::slide_forward(E);
  std::fill_n(scratch, slide.line(), T{0});
  for (std::size_t i = 0; i < samples; ++i)
    detail::depthwise_slide<slide, false, Arch, Activation>(
        x + i * E.input_size(), static_cast<const T*>(scratch), kernel, bias, y + i * E.output_size());
}

/// d_kernel += the gradient of n samples, and d_bias likewise where it is not null.
template <DepthwiseExtents E, class Arch = DefaultArch, class T>
void depthwise_backward_weights(std::size_t samples, const T* x, const T* dy, T* d_kernel, T* d_bias,
                                T* scratch) {
  constexpr detail::Slide slide = detail::slide_forward(E);
  constexpr std::size_t width = simd::width<T, Arch>, taps = slide.taps();
  constexpr std::size_t together =
      simd::registers<Arch> >= 32 ? 26 : 10;  // sums in registers; the last is the bias
  constexpr std::size_t stride = round_up(E.channels, alignment_elements);
  // Rows whose numbers, with those of the gradient, stay in the first-level cache for all channels.
  constexpr std::size_t line_bytes = (slide.line() + E.out_width * E.channels) * sizeof(T);
  constexpr std::size_t rows_together = std::max<std::size_t>(1, 24 * 1024 / line_bytes);
  const T* const zeros = scratch;
  T* const sums = scratch + round_up(slide.line(), alignment_elements);
  std::fill_n(scratch, slide.line(), T{0});
  std::fill_n(sums, (taps + 1) * stride, T{0});
  for (std::size_t i = 0; i < samples; ++i)
    for (std::size_t row = 0; row < E.out_height; row += rows_together)
      for (std::size_t channel = 0; channel < E.channels; channel += width)
        [&]<std::size_t... B>(std::index_sequence<B...>) {
          (detail::depthwise_weights_rows<slide, B * together, std::min(together, taps + 1 - B * together),
                                          Arch>(x + i * E.input_size(), zeros, dy + i * E.output_size(), row,
                                                std::min(row + rows_together, E.out_height), channel, sums),
           ...);
        }
  (std::make_index_sequence<(taps + together) / together>{});
  for (std::size_t tap = 0; tap < taps; ++tap)
    for (std::size_t channel = 0; channel < E.channels; ++channel)
      d_kernel[tap * E.channels + channel] += sums[tap * stride + channel];
  if (d_bias)
    for (std::size_t channel = 0; channel < E.channels; ++channel)
      d_bias[channel] += sums[taps * stride + channel];
}

/// dx = the gradient with respect to x of n samples. Assigns dx.
template <DepthwiseExtents E, class Arch = DefaultArch, class T>
void depthwise_backward_input(std::size_t samples, const T* dy, const T* kernel, T* dx, T* scratch) {
  constexpr detail::Slide slide = detail::slide_backward(E);
  const T* const zeros = scratch;
  T* const spread = scratch + round_up(slide.line(), alignment_elements);
  std::fill_n(scratch, slide.line(), T{0});
  std::fill_n(spread, detail::spread_size(E), T{0});
  for (std::size_t i = 0; i < samples; ++i) {
    const T* image = dy + i * E.output_size();
    if constexpr (E.stride != Extent{1}) {
      detail::spread_gradient<E>(image, spread);
      image = spread;
    }
    detail::depthwise_slide<slide, true, Arch, Identity>(image, zeros, kernel, static_cast<const T*>(nullptr),
                                                         dx + i * E.input_size());
  }
}

}  // namespace digitnet::kernels
