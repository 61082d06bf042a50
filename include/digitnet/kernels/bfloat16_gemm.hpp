// Products of matrices in bfloat16 with sums in float32. The right side lies packed, in panels as wide as a
// register tile, so that a tile reads memory in one line.
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
// Without products of pairs a vector of pairs becomes two of floats, which need registers, too.
template <class Arch>
inline constexpr std::size_t pair_tile_rows = has_pair_products<Arch>       ? 14
                                              : simd::registers<Arch> >= 32 ? 10
                                                                            : 4;

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

namespace detail {

inline namespace DIGITNET_PROCESSOR {

// Rows x Vectors sums of one panel; rows from first to before end are stored.
template <class Arch, Result result, class Activation, std::size_t Rows, std::size_t Vectors>
[[gnu::always_inline]] inline void pair_tile(std::size_t depth, const BfloatPair* const (&a)[Rows],
                                             std::size_t a_step, const BfloatPair* b, const float* bias,
                                             float* const (&c)[Rows], std::size_t valid_rows,
                                             std::size_t valid_columns) {
  using Pairs = PairVector<Arch>;
  constexpr std::size_t width = Pairs::lanes;
  typename Pairs::Floats sums[Rows][Vectors];
  DIGITNET_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    DIGITNET_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) sums[r][v] = typename Pairs::Floats(0.0f);
  }
  for (std::size_t k = 0; k < depth * a_step; k += a_step, b += Vectors * width) {
    Pairs columns[Vectors];
    DIGITNET_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) columns[v] = Pairs::read(b + v * width);
    DIGITNET_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      DIGITNET_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) sums[r][v] = columns[v].multiply_add(a[r][k], sums[r][v]);
    }
  }
  DIGITNET_UNROLL
  for (std::size_t r = 0; r < Rows; ++r)
    for (std::size_t v = 0; v < Vectors && r < valid_rows; ++v) {
      float* const to = c[r] + v * width;
      const std::size_t lanes = std::min(width, valid_columns - v * width);
      const auto finish = [&](const auto& read, const auto& write) {
        auto sum = sums[r][v];
        if (bias) sum += read(bias + v * width);
        if constexpr (result == Result::add) sum += read(to);
        write(to, Activation::value(sum));
      };
      if (lanes == width)
        finish([](const float* from) { return simd::read<Arch>(from); },
               [](float* at, const auto& sum) { simd::write<Arch>(at, sum); });
      else
        finish([&](const float* from) { return simd::read_part<Arch>(from, lanes); },
               [&](float* at, const auto& sum) { simd::write_part<Arch>(at, sum, lanes); });
    }
}

// All rows times one panel.
template <class Arch, Result result, class Activation, std::size_t Vectors>
[[gnu::noinline]] void pair_panel(std::size_t rows, std::size_t depth, const BfloatPair* a,
                                  std::size_t a_stride, std::size_t a_step, const BfloatPair* b,
                                  const float* bias, float* c, std::size_t c_stride,
                                  std::size_t valid_columns) {
  const auto tiles = [&]<std::size_t Rows>(std::size_t first, std::size_t end)
      __attribute__((always_inline)) {
    for (; first < end; first += Rows) {
      const std::size_t valid = std::min(Rows, end - first);
      const BfloatPair* from[Rows];
      float* to[Rows];
      for (std::size_t r = 0; r < Rows; ++r) {
        const std::size_t row = first + std::min(r, valid - 1);
        from[r] = a + row * a_stride;
        to[r] = c + row * c_stride;
      }
      pair_tile<Arch, result, Activation, Rows, Vectors>(depth, from, a_step, b, bias, to, valid,
                                                         valid_columns);
    }
  };
  if (rows == 1)
    tiles.template operator()<1>(0, 1);
  else
    tiles.template operator()<pair_tile_rows<Arch>>(0, rows);
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace detail

inline namespace DIGITNET_PROCESSOR {

/// For row i < rows and column j < columns: c[i][j] (=, +=) bias[j] + the sum over k of the products of pairs
/// a[i * a_stride + k * a_step] and b's pair k of column j, and at last the activation. Rows of c are
/// c_stride apart; bias may be null.
template <class Arch = DefaultArch, Result result = Result::assign, class Activation = Identity>
void bfloat16_gemm(std::size_t rows, std::size_t columns, const BfloatPair* a, std::size_t a_stride,
                   std::size_t a_step, PairPanels<Arch> b, const float* bias, float* c,
                   std::size_t c_stride) {
  constexpr std::size_t lanes = PairPanels<Arch>::lanes, wide = PairPanels<Arch>::wide;
  for (std::size_t column = 0; column < columns; column += wide) {
    const BfloatPair* const panel = b.memory + column * b.depth;
    const float* const bias_here = bias ? bias + column : nullptr;
    if (PairPanels<Arch>::width(columns, column) == lanes)
      detail::pair_panel<Arch, result, Activation, 1>(rows, b.depth, a, a_stride, a_step, panel, bias_here,
                                                      c + column, c_stride, columns - column);
    else
      detail::pair_panel<Arch, result, Activation, detail::pair_tile_vectors<Arch>>(
          rows, b.depth, a, a_stride, a_step, panel, bias_here, c + column, c_stride,
          std::min(wide, columns - column));
  }
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::kernels
