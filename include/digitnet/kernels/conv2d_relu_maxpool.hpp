// Convolution, ReLU and max-pooling in one pass, forward. The map between them is never stored: only
// positions that a window covers are computed, and of each window only the largest value and its place stay.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "digitnet/core/processor.hpp"
#include "digitnet/kernels/conv2d.hpp"

namespace digitnet::kernels {

inline namespace DIGITNET_PROCESSOR {

/// A convolution under non-overlapping pooling windows of `window`; odd rows and columns at the end are
/// dropped.
struct ConvPoolExtents {
  Conv2DExtents conv;
  Extent window;

  constexpr std::size_t out_height() const { return conv.out_height / window.height; }
  constexpr std::size_t out_width() const { return conv.out_width / window.width; }
  constexpr std::size_t windows() const { return out_height() * out_width(); }
  constexpr std::size_t output_size() const { return windows() * conv.filters; }
  constexpr std::size_t window_size() const { return window.height * window.width; }
  /// Elements from the padded image's start to the patch under place `place` of a window.
  constexpr std::size_t patch(std::size_t pooled, std::size_t place) const {
    const std::size_t row = pooled / out_width() * window.height + place / window.width;
    const std::size_t column = pooled % out_width() * window.width + place % window.width;
    return (row * conv.stride.height * conv.padded.width + column * conv.stride.width) * conv.channels;
  }
  /// Outputs, down as across, of the tiles of Winograd's transform, which hold whole windows; 0: register
  /// tiles are faster.
  constexpr std::size_t winograd_outputs() const {
    if (window != Extent{2}) return 0;
    const Extent covered{2 * out_height(), 2 * out_width()};
    const std::size_t best = detail::winograd_outputs(conv, covered, conv.channels, conv.filters);
    // Larger tiles may reach beyond the image, where there is nothing to read behind a part of a vector.
    if (best == 2 || detail::are_whole_vectors(conv.channels)) return best;
    return detail::winograd_is_faster(2, conv, covered) ? 2 : 0;
  }
  constexpr WinogradExtents winograd() const {
    const std::size_t outputs = winograd_outputs(), windows = std::max<std::size_t>(1, outputs / 2);
    return {outputs,
            (out_height() + windows - 1) / windows,
            (out_width() + windows - 1) / windows,
            conv.channels,
            conv.filters,
            conv.padded};
  }
  /// Few inputs reach an output, so that its whole kernel row fits the registers beside the filters.
  constexpr bool is_shallow() const { return conv.kernel_rows() <= 12; }
};

}  // namespace DIGITNET_PROCESSOR

namespace detail {

// The largest of a window's sums, then bias and ReLU, and its place, which is window_size where nothing is
// above zero. `argmax` is null in inference.
template <class Arch, std::size_t places, class T>
[[gnu::always_inline]] inline void keep_largest(const simd::Vector<T, Arch> (&sums)[places], const T* bias,
                                                T* y, std::uint8_t* argmax, std::size_t lanes) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t width = simd::width<T, Arch>;
  Vector best = sums[0], place_of_best(T{0});
  Vector not_a_number = sums[0] * Vector(T{0});  // 0, or NaN if any value is NaN or infinite
  DIGITNET_UNROLL
  for (std::size_t place = 1; place < places; ++place) {
    const auto larger = sums[place] > best;
    best = simd::select(larger, sums[place], best);
    place_of_best = simd::select(larger, Vector(static_cast<T>(place)), place_of_best);
    not_a_number = simd::fma(sums[place], Vector(T{0}), not_a_number);
  }
  if (bias) best += lanes == width ? simd::read<Arch>(bias) : simd::read_part<Arch>(bias, lanes);
  const auto live = best > Vector(T{0});
  best = simd::select(live, best, Vector(T{0})) + not_a_number;
  place_of_best = simd::select(live, place_of_best, Vector(static_cast<T>(places)));
  if (lanes == width) {
    simd::write<Arch>(y, best);
    if (argmax) simd::write_bytes<Arch>(argmax, place_of_best);
    return;
  }
  simd::write_part<Arch>(y, best, lanes);
  if (!argmax) return;
  std::array<std::uint8_t, width> bytes;
  simd::write_bytes<Arch>(bytes.data(), place_of_best);
  std::copy_n(bytes.data(), lanes, argmax);
}

template <ConvPoolExtents E, class Arch, std::size_t Windows, std::size_t Vectors, class T>
[[gnu::always_inline]] inline void conv_pool_tile(const T* image, std::size_t first,
                                                  std::size_t valid_windows, const T* kernel, const T* bias,
                                                  T* y, std::uint8_t* argmax, std::size_t valid_columns) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t width = simd::width<T, Arch>;
  constexpr std::size_t places = E.window_size();
  constexpr std::size_t rows = Windows * places;
  RowPointers<rows, const T> a;
  for (std::size_t w = 0; w < Windows; ++w)
    for (std::size_t place = 0; place < places; ++place)
      a.rows[w * places + place] = image + E.patch(first + std::min(w, valid_windows - 1), place);
  Vector sums[rows][Vectors];
  constexpr FixedWalk<Walk{.segments = E.conv.kernel.height,
                           .length = E.conv.kernel.width * E.conv.channels,
                           .segment_stride = E.conv.padded.width * E.conv.channels}>
      walk{};
  multiply<Arch>(a, walk, kernel, E.conv.filters, sums);
  DIGITNET_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) {
    const std::size_t lanes = std::min(width, valid_columns - v * width);
    DIGITNET_UNROLL
    for (std::size_t w = 0; w < Windows; ++w) {
      Vector window[places];
      DIGITNET_UNROLL
      for (std::size_t place = 0; place < places; ++place) window[place] = sums[w * places + place][v];
      const std::size_t at = w * E.conv.filters + v * width;
      if (w < valid_windows)
        keep_largest<Arch>(window, bias ? bias + v * width : nullptr, y + at, argmax ? argmax + at : nullptr,
                           lanes);
    }
  }
}

template <ConvPoolExtents E, class Arch, std::size_t Vectors, class T>
[[gnu::noinline]] void conv_pool_columns(const T* image, const T* kernel, const T* bias, T* y,
                                         std::uint8_t* argmax, std::size_t column) {
  constexpr std::size_t room = simd::registers<Arch> >= 32 ? 24 : 12;  // registers for sums
  constexpr std::size_t Windows = std::max<std::size_t>(1, room / Vectors / E.window_size());
  const std::size_t valid_columns = std::min(Vectors * simd::width<T, Arch>, E.conv.filters - column);
  for (std::size_t first = 0; first < E.windows(); first += Windows) {
    const std::size_t at = first * E.conv.filters + column;
    conv_pool_tile<E, Arch, Windows, Vectors>(image, first, std::min(Windows, E.windows() - first),
                                              kernel + column, bias ? bias + column : nullptr, y + at,
                                              argmax ? argmax + at : nullptr, valid_columns);
  }
}

// The places that the functions below share scratch into.
template <ConvPoolExtents E>
constexpr std::size_t conv_pool_border() {
  return round_up(E.conv.border().size(), alignment_elements);
}

template <ConvPoolExtents E>
constexpr std::size_t conv_pool_kernel_gradients() {
  return E.is_shallow() ? 0 : round_up(E.conv.kernel_rows() * E.conv.filters, alignment_elements);
}
// One number for each window, and one more.
template <ConvPoolExtents E>
constexpr std::size_t conv_pool_list() {
  return round_up(E.windows() + 1, alignment_elements);
}

// Computed once.
template <ConvPoolExtents E>
inline constexpr std::size_t scratch_of_conv_pool = [] {
  const std::size_t gradients = conv_pool_kernel_gradients<E>() + 2 * conv_pool_list<E>();
  const std::size_t image = detail::conv_pool_border<E>();
  std::size_t winograd = 0;
  if constexpr (E.winograd_outputs() > 0) winograd = WinogradLayout<E.winograd()>::scratch;
  return image + std::max(image + gradients, winograd);
}();

}  // namespace detail

/// Elements of scratch that conv_pool_forward and conv_pool_backward may overwrite.
template <ConvPoolExtents E>
constexpr std::size_t conv_pool_scratch() {
  return detail::scratch_of_conv_pool<E>;
}

/// Elements that conv_pool_pack_forward makes of a kernel; 0: nothing is needed.
template <ConvPoolExtents E>
constexpr std::size_t conv_pool_packed_forward() {
  return E.winograd_outputs() > 0 ? round_up(E.winograd().weights(), alignment_elements) : 0;
}
template <ConvPoolExtents E, class Arch = DefaultArch, class T>
void conv_pool_pack_forward(const T* kernel, T* packed) {
  if constexpr (E.winograd_outputs() > 0)
    winograd_weights<E.winograd_outputs(), Arch>(E.conv.channels, E.conv.filters, kernel, packed);
}

/// y = max over each window of relu(x * kernel + bias), for n samples. Assigns y (n, out_height, out_width,
/// filters) and, unless it is null, for each of its elements `argmax`: the place inside the window, or
/// window_size where y is 0. bias may be null; `packed` is what conv_pool_pack_forward made of the
/// kernel, or null.
template <ConvPoolExtents E, class Arch = DefaultArch, class T>
void conv_pool_forward(std::size_t samples, const T* x, const T* kernel, const T* bias, const T* packed, T* y,
                       std::uint8_t* argmax, T* scratch) {
  constexpr std::size_t width = simd::width<T, Arch>;
  constexpr std::size_t most = detail::tile_vectors<Arch> * width;
  constexpr std::size_t filters = E.conv.filters;
  const PaddedImages<E.conv.border(), T> images(x, scratch);
  if constexpr (E.winograd_outputs() > 0) {
    if (packed) {
      constexpr WinogradExtents tiles = E.winograd();
      constexpr std::size_t outputs = tiles.outputs, windows = outputs / 2;
      winograd<tiles, Arch>(
          samples, images, packed, scratch + detail::conv_pool_border<E>(),
          [&](std::size_t sample, std::size_t tile, std::size_t filter,
              const simd::Vector<T, Arch>(&sums)[outputs * outputs]) __attribute__((always_inline)) {
            const std::size_t first_row = tile / tiles.tile_columns * windows,
                              first_column = tile % tiles.tile_columns * windows;
            DIGITNET_UNROLL
            for (std::size_t w = 0; w < windows * windows; ++w) {
              const std::size_t row = first_row + w / windows, column = first_column + w % windows;
              if (row >= E.out_height() || column >= E.out_width()) continue;
              const std::size_t corner = w / windows * 2 * outputs + w % windows * 2;
              const simd::Vector<T, Arch> window[] = {sums[corner], sums[corner + 1], sums[corner + outputs],
                                                      sums[corner + outputs + 1]};
              const std::size_t at =
                  sample * E.output_size() + (row * E.out_width() + column) * filters + filter;
              detail::keep_largest<Arch>(window, bias ? bias + filter : nullptr, y + at,
                                         argmax ? argmax + at : nullptr,
                                         filters % width == 0 ? width : std::min(width, filters - filter));
            }
          });
      return;
    }
  }
  for (std::size_t i = 0; i < samples; ++i) {
    const T* const image = images(i);
    T* const out = y + i * E.output_size();
    std::uint8_t* const argmaxes = argmax ? argmax + i * E.output_size() : nullptr;
    constexpr std::size_t whole = filters / most * most;
    for (std::size_t column = 0; column < whole; column += most)
      detail::conv_pool_columns<E, Arch, most / width>(image, kernel, bias, out, argmaxes, column);
    if constexpr (whole < filters)
      detail::conv_pool_columns<E, Arch, (filters - whole + width - 1) / width>(image, kernel, bias, out,
                                                                                argmaxes, whole);
  }
}

}  // namespace digitnet::kernels
