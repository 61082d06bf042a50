// The right side of a product in bfloat16, packed: panels as wide as a register tile, so that a tile reads
// memory in one line.
#pragma once
#include <algorithm>
#include <cstddef>

#include "digitnet/kernels/bfloat16.hpp"
#include "digitnet/kernels/gather_gemm.hpp"

namespace digitnet::kernels {

namespace detail {

inline namespace DIGITNET_PROCESSOR {

template <class Arch>
inline constexpr std::size_t pair_tile_vectors = 2;

// The first `lanes` of some sums.
template <class Arch, Result result, class Activation>
[[gnu::always_inline]] inline void store_pair_sums(typename PairVector<Arch>::Floats sum, const float* bias,
                                                   float* to, std::size_t lanes) {
  const auto finish = [&](const auto& read, const auto& write) __attribute__((always_inline)) {
    if (bias) sum += read(bias);
    if constexpr (result == Result::add) sum += read(to);
    write(to, Activation::value(sum));
  };
  if (lanes == PairVector<Arch>::lanes)
    finish([](const float* from) { return simd::read<Arch>(from); },
           [](float* at, const auto& value) { simd::write<Arch>(at, value); });
  else
    finish([&](const float* from) { return simd::read_part<Arch>(from, lanes); },
           [&](float* at, const auto& value) { simd::write_part<Arch>(at, value, lanes); });
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace detail

inline namespace DIGITNET_PROCESSOR {

/// A matrix of `depth` pairs times `columns` in panels: all pairs of the first columns, then those of the
/// next ones.
template <class Arch>
struct PairPanels {
  static constexpr std::size_t lanes = PairVector<Arch>::lanes,
                               wide = lanes * detail::pair_tile_vectors<Arch>;
  const BfloatPair* memory;
  std::size_t depth;

  /// Pairs that the panels take.
  static constexpr std::size_t size(std::size_t depth, std::size_t columns) {
    return depth * ((columns + lanes - 1) / lanes * lanes);
  }
  /// Columns of the panel that begins at `column`.
  static constexpr std::size_t width(std::size_t columns, std::size_t column) {
    return std::min(wide, (columns - column + lanes - 1) / lanes * lanes);
  }
};

/// Packs pairs along the rows of b (rows, columns), whose rows are `stride` apart: pair k of column j is
/// b[2k][j] and b[2k + 1][j].
template <class Arch = DefaultArch>
void pack_row_pairs(std::size_t rows, std::size_t columns, const float* b, std::size_t stride,
                    BfloatPair* panels) {
  using Panels = PairPanels<Arch>;
  const std::size_t depth = (rows + 1) / 2;
  for (std::size_t column = 0; column < columns; column += Panels::wide) {
    const std::size_t width = Panels::width(columns, column), valid = std::min(width, columns - column);
    BfloatPair* to = panels + column * depth;
    for (std::size_t row = 0; row < rows; row += 2, to += width) {
      const float* const first = b + row * stride + column;
      pair_rows<Arch>(valid, first, row + 1 < rows ? first + stride : nullptr, to);
      std::fill(to + valid, to + width, BfloatPair{0});
    }
  }
}

/// Packs the transpose of b (columns, depth numbers): pair k of column j is b[j][2k] and b[j][2k + 1].
template <class Arch = DefaultArch>
void pack_column_pairs(std::size_t columns, std::size_t numbers, const float* b, BfloatPair* panels) {
  using Panels = PairPanels<Arch>;
  const std::size_t depth = (numbers + 1) / 2;
  // Blocks, so that lines of both sides stay in the first-level cache.
  constexpr std::size_t block = 16;
  for (std::size_t column = 0; column < columns; column += Panels::wide) {
    const std::size_t width = Panels::width(columns, column), valid = std::min(width, columns - column);
    BfloatPair* const to = panels + column * depth;
    for (std::size_t first = 0; first < depth; first += block) {
      const std::size_t count = std::min(2 * block, numbers - 2 * first), pairs = (count + 1) / 2;
      for (std::size_t j = 0; j < width; ++j) {
        BfloatPair line[block]{};
        if (j < valid) pair_neighbours<Arch>(count, b + (column + j) * numbers + 2 * first, line);
        for (std::size_t k = 0; k < pairs; ++k) to[(first + k) * width + j] = line[k];
      }
    }
  }
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::kernels
