// Winograd's minimal filtering F(2x2, 3x3): four outputs of a 3x3 convolution with 16 multiplications instead
// of
// 36. Patches of 4x4 and the kernel are transformed, multiplied point by point (a matrix product over the
// channels at each of the 16 points), and transformed back. Lavin, Gray: Fast Algorithms for Convolutional
// Neural Networks (2015).
#pragma once
#include <algorithm>
#include <cstddef>

#include "digitnet/core/arena.hpp"
#include "digitnet/kernels/frame.hpp"
#include "digitnet/kernels/gather_gemm.hpp"

namespace digitnet::kernels {

/// A 3x3 convolution with stride 1, cut into tiles of 2x2 outputs. The image is framed so that every tile's
/// patch lies inside.
struct WinogradExtents {
  std::size_t tile_rows, tile_columns, channels, filters;
  std::size_t image_width;  ///< of the framed image, in positions

  static constexpr std::size_t points = 16;
  constexpr std::size_t tiles() const { return tile_rows * tile_columns; }
  constexpr std::size_t patch(std::size_t tile) const {
    return (tile / tile_columns * 2 * image_width + tile % tile_columns * 2) * channels;
  }
  constexpr std::size_t channel_stride() const { return round_up(channels, alignment_elements); }
  constexpr std::size_t filter_stride() const { return round_up(filters, alignment_elements); }
  /// Elements of the transformed kernel.
  constexpr std::size_t weights() const { return points * channels * filters; }
  /// Tiles in a line of the products: no more than a register tile has rows, with enough sums to hide the
  /// multiplications' latency, and as many as make all lines cost least.
  constexpr std::size_t product_rows() const {
    constexpr std::size_t fewest = 4, sums = 16;
    const std::size_t widest = detail::line_tile<DefaultArch, float>(fewest, filters).vectors;
    std::size_t best = fewest, best_cost = 0;
    for (std::size_t rows = fewest; rows <= std::max(sums / widest, std::size_t{6}); ++rows) {
      const detail::TileShape shape = detail::line_tile<DefaultArch, float>(rows, filters);
      if (shape.rows < rows || shape.vectors < widest) continue;
      const std::size_t cost =
          (tiles() + rows - 1) / rows * detail::line_cost<DefaultArch, float>(shape, rows, filters);
      if (best_cost > 0 && cost >= best_cost) continue;
      best = rows;
      best_cost = cost;
    }
    return best;
  }
  /// Tiles that are transformed and multiplied together: what stays in the second-level cache beside the
  /// kernel.
  constexpr std::size_t block() const {
    constexpr std::size_t room = 48 * 1024;  // elements
    const std::size_t fit = room / (points * (channel_stride() + filter_stride()));
    const std::size_t rows = product_rows();
    return std::max(rows, std::min(round_up(tiles(), rows), fit / rows * rows));
  }
  constexpr std::size_t scratch() const { return points * block() * (channel_stride() + filter_stride()); }
};

/// transformed = G g G^T of each channel and filter of a kernel (3, 3, channels, filters), as (16, channels,
/// filters).
template <class Arch = DefaultArch, class T>
void winograd_weights(std::size_t channels, std::size_t filters, const T* kernel, T* transformed) {
  using Vector = simd::Vector<T, Arch>;
  const std::size_t size = channels * filters;
  const Vector half(static_cast<T>(0.5));
  const auto column = [&](const Vector& a, const Vector& b, const Vector& c, Vector(&to)[4]) {
    to[0] = a;
    to[1] = half * (a + b + c);
    to[2] = half * (a - b + c);
    to[3] = c;
  };
  const auto transform = [&](std::size_t i, auto read, auto write) {
    Vector rows[3][4];
    for (std::size_t y = 0; y < 3; ++y) {
      const T* const from = kernel + y * 3 * size + i;
      column(read(from), read(from + size), read(from + 2 * size), rows[y]);
    }
    for (std::size_t x = 0; x < 4; ++x) {
      Vector points[4];
      column(rows[0][x], rows[1][x], rows[2][x], points);
      for (std::size_t y = 0; y < 4; ++y) write(transformed + (y * 4 + x) * size + i, points[y]);
    }
  };
  constexpr std::size_t width = simd::width<T, Arch>;
  std::size_t i = 0;
  for (; i + width <= size; i += width)
    transform(
        i, [](const T* from) { return simd::read<Arch>(from); },
        [](T* to, const Vector& v) { simd::write<Arch>(to, v); });
  if (i < size)
    transform(
        i, [&](const T* from) { return simd::read_part<Arch>(from, size - i); },
        [&](T* to, const Vector& v) { simd::write_part<Arch>(to, v, size - i); });
}

namespace detail {

// B^T d B of one patch, all channels: patches[point * stride of points + channel].
template <WinogradExtents E, class Arch, class T>
[[gnu::always_inline]] inline void winograd_patch(const T* patch, T* to) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t point_stride = E.block() * E.channel_stride();
  for (std::size_t channel = 0; channel < E.channels; channel += simd::width<T, Arch>) {
    Vector rows[4][4];
    DIGITNET_UNROLL
    for (std::size_t x = 0; x < 4; ++x) {
      Vector d[4];
      DIGITNET_UNROLL
      for (std::size_t y = 0; y < 4; ++y)
        d[y] = simd::read<Arch>(patch + (y * E.image_width + x) * E.channels + channel);
      rows[0][x] = d[0] - d[2];
      rows[1][x] = d[1] + d[2];
      rows[2][x] = d[2] - d[1];
      rows[3][x] = d[1] - d[3];
    }
    DIGITNET_UNROLL
    for (std::size_t y = 0; y < 4; ++y) {
      T* const point = to + y * 4 * point_stride + channel;
      simd::write<Arch>(point, rows[y][0] - rows[y][2]);
      simd::write<Arch>(point + point_stride, rows[y][1] + rows[y][2]);
      simd::write<Arch>(point + 2 * point_stride, rows[y][2] - rows[y][1]);
      simd::write<Arch>(point + 3 * point_stride, rows[y][1] - rows[y][3]);
    }
  }
}

// A^T m A of one tile and one vector of filters.
template <WinogradExtents E, class Arch, class T>
[[gnu::always_inline]] inline void winograd_outputs(const T* products, simd::Vector<T, Arch> (&outputs)[4]) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t point_stride = E.block() * E.filter_stride();
  Vector sums[2][4];
  DIGITNET_UNROLL
  for (std::size_t x = 0; x < 4; ++x) {
    Vector m[4];
    DIGITNET_UNROLL
    for (std::size_t y = 0; y < 4; ++y) m[y] = simd::read<Arch>(products + (y * 4 + x) * point_stride);
    sums[0][x] = m[0] + m[1] + m[2];
    sums[1][x] = m[1] - m[2] - m[3];
  }
  DIGITNET_UNROLL
  for (std::size_t y = 0; y < 2; ++y) {
    outputs[2 * y] = sums[y][0] + sums[y][1] + sums[y][2];
    outputs[2 * y + 1] = sums[y][1] - sums[y][2] - sums[y][3];
  }
}

}  // namespace detail

/// Calls store(tile, filter, outputs) for every tile and every vector of filters from `filter` on (lanes
/// beyond the last filter hold anything), with the four sums, without bias, of the tile's outputs, row by
/// row. `image` is framed, `weights` transformed.
template <WinogradExtents E, class Arch = DefaultArch, class T, class Store>
void winograd(const T* image, const T* weights, T* scratch, const Store& store) {
  constexpr std::size_t block = E.block(), rows = E.product_rows();
  constexpr auto walk = walk_of<Walk{.length = E.channels}>();
  T* const patches = scratch;
  T* const products = scratch + WinogradExtents::points * block * E.channel_stride();
  for (std::size_t first = 0; first < E.tiles(); first += block) {
    const std::size_t count = std::min(block, E.tiles() - first);
    for (std::size_t i = 0; i < count; ++i)
      detail::winograd_patch<E, Arch>(image + E.patch(first + i), patches + i * E.channel_stride());
    for (std::size_t point = 0; point < WinogradExtents::points; ++point) {
      const T* const a = patches + point * block * E.channel_stride();
      T* const c = products + point * block * E.filter_stride();
      // Rows beyond `count`, up to the end of a register tile, are computed in vain.
      line_gemm<Lines{rows, E.channel_stride(), E.filter_stride()}, E.filters, Arch>(
          (count + rows - 1) / rows, walk,
          [a](std::size_t line) { return a + line * rows * E.channel_stride(); },
          weights + point * E.channels * E.filters, static_cast<const T*>(nullptr),
          [c](std::size_t line) { return c + line * rows * E.filter_stride(); });
    }
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t filter = 0; filter < E.filters; filter += simd::width<T, Arch>) {
        simd::Vector<T, Arch> outputs[4];
        detail::winograd_outputs<E, Arch>(products + i * E.filter_stride() + filter, outputs);
        store(first + i, filter, outputs);
      }
  }
}

}  // namespace digitnet::kernels
