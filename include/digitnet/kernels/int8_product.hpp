// Products of a uint8 image or matrix with int8 weights: Dense, Conv2D and, by channel, DepthwiseConv2D.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/kernels/gather_gemm.hpp"
#include "digitnet/kernels/int8_amx.hpp"
#include "digitnet/kernels/int8_lanes.hpp"

namespace digitnet::kernels {

inline namespace DIGITNET_PROCESSOR {

/// A product whose kernel is some rows of bytes: a kernel's rows in an image (kernel width times channels
/// bytes each, which lie side by side there, too), or one row, all inputs, for a matrix. Rows are padded to
/// groups of four with weights 0; what stands there in the image does not matter.
struct Int8Product {
  /// Bytes from a position's first byte to each group; see int8_groups.
  std::span<const std::size_t> groups{};
  std::size_t outputs = 0;
  /// (columns of lanes, groups, lanes, 4); see pack_int8.
  const std::int8_t* weights = nullptr;
  /// Each padded to whole columns. The sum begins with the bias.
  const std::int32_t* bias = nullptr;
  const float* factors = nullptr;
  ByteRange range{};
};

/// The places of groups in an image, whose rows are `row_stride` bytes long.
inline std::vector<std::size_t> int8_groups(std::size_t rows, std::size_t row_length,
                                            std::size_t row_stride) {
  std::vector<std::size_t> result;
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t k = 0; k < row_length; k += 4) result.push_back(row * row_stride + k);
  return result;
}

/// weights (rows, row length, outputs), as layers have them, in the order of Int8Product.
template <class Lanes = Int8Lanes>
Arena<std::int8_t> pack_int8(std::size_t rows, std::size_t row_length, std::size_t outputs,
                             const std::int8_t* weights) {
  constexpr std::size_t lanes = Lanes::lanes;
  const std::size_t groups = (row_length + 3) / 4, columns = (outputs + lanes - 1) / lanes;
#ifdef DIGITNET_INT8_AMX
  constexpr std::size_t behind = amx_readable;
#else
  constexpr std::size_t behind = 0;
#endif
  Arena<std::int8_t> result(columns * rows * groups * lanes * 4 + behind);
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t k = 0; k < row_length; ++k)
      for (std::size_t output = 0; output < outputs; ++output)
        result
            .data()[(((output / lanes * rows + row) * groups + k / 4) * lanes + output % lanes) * 4 + k % 4] =
            weights[(row * row_length + k) * outputs + output];
  return result;
}

template <class Lanes>
void store_int8_sums(const typename Lanes::Sums& sums, const Int8Product& product, std::size_t output,
                     std::uint8_t* to) {
  Lanes::to_bytes(sums, product.factors + output, product.range, product.outputs - output, to + output);
}
template <class Lanes>
void store_int8_sums(const typename Lanes::Sums& sums, const Int8Product& product, std::size_t output,
                     float* to) {
  Lanes::to_floats(sums, product.factors + output, product.outputs - output, to + output);
}

// Some positions times some columns of outputs, in registers. The largest of each `Window` positions is
// stored: the factors are positive, so that what is largest is so before and after them.
template <class Lanes, std::size_t Positions, std::size_t Columns, std::size_t Window, class Out>
[[gnu::always_inline]] inline void int8_tile(const Int8Product& product,
                                             const std::array<const std::uint8_t*, Positions>& x,
                                             std::size_t column, Out* y) {
  using Sums = typename Lanes::Sums;
  constexpr std::size_t lanes = Lanes::lanes, step = lanes * 4;
  Sums sums[Positions][Columns];
  DIGITNET_UNROLL
  for (std::size_t c = 0; c < Columns; ++c) {
    const Sums bias = Lanes::load(product.bias + (column + c) * lanes);
    DIGITNET_UNROLL
    for (std::size_t p = 0; p < Positions; ++p) sums[p][c] = bias;
  }
  const std::size_t depth = product.groups.size() * step;
  const std::int8_t* w = product.weights + column * depth;
  // One loop: of two in each other g++ makes moves between all registers.
  for (const std::size_t group : product.groups) {
    typename Lanes::Weights weights[Columns];
    DIGITNET_UNROLL
    for (std::size_t c = 0; c < Columns; ++c) weights[c] = Lanes::weights(w + c * depth);
    DIGITNET_UNROLL
    for (std::size_t p = 0; p < Positions; ++p) {
      const typename Lanes::Bytes bytes = Lanes::bytes(x[p] + group);
      DIGITNET_UNROLL
      for (std::size_t c = 0; c < Columns; ++c) sums[p][c] = Lanes::dot(sums[p][c], bytes, weights[c]);
    }
    w += step;
  }
  DIGITNET_UNROLL
  for (std::size_t p = 0; p < Positions; p += Window) DIGITNET_UNROLL
  for (std::size_t c = 0; c < Columns; ++c) {
    Sums largest = sums[p][c];
    DIGITNET_UNROLL
    for (std::size_t other = 1; other < Window; ++other) largest = Lanes::max(largest, sums[p + other][c]);
    store_int8_sums<Lanes>(largest, product, (column + c) * lanes, y + p / Window * product.outputs);
  }
}

template <class Lanes, std::size_t Positions, std::size_t Window, class At, class Out>
[[gnu::noinline]] void int8_tiles(const Int8Product& product, std::size_t& position, std::size_t count,
                                  const At& at, Out* y) {
  constexpr std::size_t lanes = Lanes::lanes;
  const std::size_t columns = (product.outputs + lanes - 1) / lanes;
  for (; position + Positions <= count; position += Positions) {
    std::array<const std::uint8_t*, Positions> x;
    DIGITNET_UNROLL
    for (std::size_t p = 0; p < Positions; ++p) x[p] = at(position + p);
    Out* const to = y + position / Window * product.outputs;
    std::size_t column = 0;
    for (; column + Lanes::columns <= columns; column += Lanes::columns)
      int8_tile<Lanes, Positions, Lanes::columns, Window>(product, x, column, to);
    for (; column < columns; ++column) int8_tile<Lanes, Positions, 1, Window>(product, x, column, to);
  }
}

#ifdef DIGITNET_INT8_AVX512_VNNI
/// int8_product by tiles of AMX.
template <std::size_t Window, class Tiles, class At, class Out>
void int8_tile_product(const Int8Product& product, std::size_t count, const At& at, Out* y) {
  using Lanes = Int8Avx512Vnni;
  using Sums = Lanes::Sums;
  constexpr std::size_t lanes = Lanes::lanes;
  const std::size_t columns = (product.outputs + lanes - 1) / lanes;
  int8_by_tiles<Tiles>(
      product.groups, columns, product.weights, count, at,
      [&](std::size_t position, std::size_t positions, std::size_t column, const std::int32_t* sums) {
        for (std::size_t c = column; c < std::min(columns, column + 2); ++c) {
          const Sums bias = Lanes::load(product.bias + c * lanes);
          for (std::size_t p = 0; p < positions; p += Window) {
            const std::int32_t* const here = sums + p * 32 + (c - column) * lanes;
            Sums largest = Lanes::load(here);
            for (std::size_t i = 1; i < Window; ++i)
              largest = Lanes::max(largest, Lanes::load(here + i * 32));
            store_int8_sums<Lanes>(largest + bias, product, c * lanes,
                                   y + (position + p) / Window * product.outputs);
          }
        }
      });
}
#endif

/// The product at `count` positions, where `at(p)` is the first byte that position p reads. y has the
/// results of one after the other, as bytes or as floats; with Window 4, one for every four positions, the
/// largest of theirs. 64 bytes beyond x may be read.
template <std::size_t Window = 1, class Lanes = Int8Lanes, class At, class Out>
void int8_product(const Int8Product& product, std::size_t count, const At& at, Out* y) {
#ifdef DIGITNET_INT8_AMX
  if constexpr (std::is_same_v<Lanes, Int8Lanes>)
    if (count >= amx_rows && AmxByteTiles::allowed())
      return int8_tile_product<Window, AmxByteTiles>(product, count, at, y);
#endif
  std::size_t position = 0;
  int8_tiles<Lanes, Lanes::positions, Window>(product, position, count, at, y);
  if constexpr (Lanes::positions > 4) int8_tiles<Lanes, 4, Window>(product, position, count, at, y);
  if constexpr (Window == 1) int8_tiles<Lanes, 1, 1>(product, position, count, at, y);
}

/// A convolution of each channel by itself: `taps` places of the image for each position.
struct Int8Depthwise {
  std::size_t taps = 0, channels = 0;
  /// Bytes from a position's first byte to each tap.
  const std::size_t* offsets = nullptr;
  /// (columns of lanes, pairs of taps, lanes, 2); see pack_int8_depthwise.
  const std::int16_t* weights = nullptr;
  const std::int32_t* bias = nullptr;
  const float* factors = nullptr;
  ByteRange range{};
};

/// weights (taps, channels) in the order of Int8Depthwise.
template <class Lanes = Int8Lanes>
Arena<std::int16_t> pack_int8_depthwise(std::size_t taps, std::size_t channels, const std::int8_t* weights) {
  constexpr std::size_t lanes = Lanes::lanes;
  const std::size_t pairs = (taps + 1) / 2, columns = (channels + lanes - 1) / lanes;
  Arena<std::int16_t> result(columns * pairs * lanes * 2);
  for (std::size_t tap = 0; tap < taps; ++tap)
    for (std::size_t c = 0; c < channels; ++c)
      result.data()[((c / lanes * pairs + tap / 2) * lanes + c % lanes) * 2 + tap % 2] =
          weights[tap * channels + c];
  return result;
}

template <class Lanes, std::size_t Positions, class Out>
[[gnu::always_inline]] inline void int8_depthwise_tile(const Int8Depthwise& product,
                                                       const std::array<const std::uint8_t*, Positions>& x,
                                                       const std::array<Out*, Positions>& y) {
  constexpr std::size_t lanes = Lanes::lanes;
  const std::size_t pairs = (product.taps + 1) / 2;
  const std::int16_t* w = product.weights;
  for (std::size_t c = 0; c < product.channels; c += lanes) {
    typename Lanes::Sums sums[Positions];
    DIGITNET_UNROLL
    for (std::size_t p = 0; p < Positions; ++p) sums[p] = Lanes::load(product.bias + c);
    for (std::size_t pair = 0; pair < pairs; ++pair, w += 2 * lanes) {
      // Without a second tap its weights are 0.
      const std::size_t first = product.offsets[2 * pair] + c,
                        second = product.offsets[std::min(2 * pair + 1, product.taps - 1)] + c;
      DIGITNET_UNROLL
      for (std::size_t p = 0; p < Positions; ++p)
        sums[p] = Lanes::dot_channels(sums[p], x[p] + first, x[p] + second, w);
    }
    DIGITNET_UNROLL
    for (std::size_t p = 0; p < Positions; ++p)
      if constexpr (sizeof(Out) == 1)
        Lanes::to_bytes(sums[p], product.factors + c, product.range, product.channels - c, y[p] + c);
      else
        Lanes::to_floats(sums[p], product.factors + c, product.channels - c, y[p] + c);
  }
}

/// As int8_product.
template <class Lanes = Int8Lanes, class At, class Out>
void int8_depthwise(const Int8Depthwise& product, std::size_t count, const At& at, Out* y) {
  constexpr std::size_t positions = 4;
  std::size_t position = 0;
  for (; position + positions <= count; position += positions) {
    std::array<const std::uint8_t*, positions> x;
    std::array<Out*, positions> to;
    for (std::size_t p = 0; p < positions; ++p) {
      x[p] = at(position + p);
      to[p] = y + (position + p) * product.channels;
    }
    int8_depthwise_tile<Lanes, positions>(product, x, to);
  }
  for (; position < count; ++position)
    int8_depthwise_tile<Lanes, 1, Out>(product, {at(position)}, {y + position * product.channels});
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::kernels
