// Products of matrices in bfloat16 with sums in float32, by vectors or, where the processor has them, by
// tiles.
#pragma once
#include <algorithm>
#include <cstddef>

#include "digitnet/kernels/bfloat16_amx.hpp"

namespace digitnet::kernels {

namespace detail {

inline namespace DIGITNET_PROCESSOR {

// Without products of pairs a vector of pairs becomes two of floats, which need registers, too.
template <class Arch>
inline constexpr std::size_t pair_tile_rows = has_pair_products<Arch>       ? 14
                                              : simd::registers<Arch> >= 32 ? 10
                                                                            : 4;

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
    for (std::size_t v = 0; v < Vectors && r < valid_rows; ++v)
      store_pair_sums<Arch, result, Activation>(sums[r][v], bias ? bias + v * width : bias, c[r] + v * width,
                                                std::min(width, valid_columns - v * width));
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
/// c_stride apart; bias may be null. Either a_step or a_stride is 1. The order of additions depends on
/// nothing but the depth.
template <class Arch = DefaultArch, Result result = Result::assign, class Activation = Identity>
void bfloat16_gemm(std::size_t rows, std::size_t columns, const BfloatPair* a, std::size_t a_stride,
                   std::size_t a_step, PairPanels<Arch> b, const float* bias, float* c,
                   std::size_t c_stride) {
#ifdef DIGITNET_BFLOAT16_AMX
  if constexpr (has_pair_products<Arch>)
    if (AmxPairTiles::allowed())
      return bfloat16_tile_gemm<AmxPairTiles, Arch, result, Activation>(rows, columns, a, a_stride, a_step, b,
                                                                        bias, c, c_stride);
#endif
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
