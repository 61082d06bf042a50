// A single row times a matrix in bfloat16: what counts is how many bytes of the matrix are read, so that its
// rows lie apart, and those whose factor is zero are left out.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "digitnet/kernels/bfloat16_panels.hpp"

namespace digitnet::kernels {

/// A factor, and which row of the matrix it is for.
struct RowFactor {
  float value;
  std::uint32_t row;
};

inline namespace DIGITNET_PROCESSOR {

/// The rows of a matrix, each as words of two numbers: column j of a vector and column j of the next one.
template <class Arch>
struct RowWords {
  static constexpr std::size_t lanes = PairVector<Arch>::lanes;
  /// Words that a row takes.
  static constexpr std::size_t line(std::size_t columns) {
    return (columns + 2 * lanes - 1) / (2 * lanes) * lanes;
  }
};

/// Packs b (rows, columns) as RowWords.
template <class Arch = DefaultArch>
void pack_row_words(std::size_t rows, std::size_t columns, const float* b, BfloatPair* to) {
  constexpr std::size_t lanes = RowWords<Arch>::lanes;
  for (std::size_t row = 0; row < rows; ++row, b += columns)
    for (std::size_t column = 0; column < columns; column += 2 * lanes, to += lanes) {
      if (column + 2 * lanes <= columns) {
        pair_rows<Arch>(lanes, b + column, b + column + lanes, to);
        continue;
      }
      std::array<float, 2 * lanes> rest{};
      std::copy_n(b + column, columns - column, rest.begin());
      pair_rows<Arch>(lanes, rest.data(), rest.data() + lanes, to);
    }
}

/// The numbers of x that are not zero, rounded, in the order in which products of pairs add: a pair's second
/// before its first. `to` has room for count + lanes; returns how many there are.
template <class Arch = DefaultArch>
std::size_t pick_factors(std::size_t count, const float* x, RowFactor* to) {
  std::size_t picked = 0, i = 0;
#ifdef __AVX512F__
  if constexpr (RowWords<Arch>::lanes == 16)
    for (; i + 16 <= count; i += 16) {
      const __m512i pairs = _mm512_castps_si512(_mm512_permute_ps(_mm512_loadu_ps(x + i), 0xb1));
      const __m512i places =
          _mm512_add_epi32(_mm512_set1_epi32(static_cast<int>(i)),
                           _mm512_set_epi32(14, 15, 12, 13, 10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1));
      const __mmask16 wanted = _mm512_test_epi32_mask(pairs, _mm512_set1_epi32(0x7fffffff));
      alignas(64) std::uint32_t values[16], rows[16];
      _mm512_store_si512(values, _mm512_maskz_compress_epi32(wanted, pairs));
      _mm512_store_si512(rows, _mm512_maskz_compress_epi32(wanted, places));
      const auto found = static_cast<std::size_t>(std::popcount(static_cast<unsigned>(wanted)));
      for (std::size_t k = 0; k < found; ++k)
        to[picked + k] = {rounded_to_bfloat16(std::bit_cast<float>(values[k])), rows[k]};
      picked += found;
    }
#endif
  const auto add = [&](std::size_t row) {
    to[picked] = {rounded_to_bfloat16(x[row]), static_cast<std::uint32_t>(row)};
    // Without a branch, which nobody could foretell.
    picked += (std::bit_cast<std::uint32_t>(x[row]) & 0x7fffffffu) != 0;
  };
  for (; i < count; i += 2) {
    if (i + 1 < count) add(i + 1);
    add(i);
  }
  return picked;
}

}  // namespace DIGITNET_PROCESSOR

namespace detail {

inline namespace DIGITNET_PROCESSOR {

// Vectors of words at a time: their sums are twice as many registers.
template <class Arch>
inline constexpr std::size_t row_vectors = simd::registers<Arch> >= 32 ? 8 : 4;

template <class Arch, class Activation, std::size_t Vectors>
[[gnu::noinline]] void row_panel(std::size_t picked, const RowFactor* factors, const BfloatPair* words,
                                 std::size_t line, const float* bias, float* y, std::size_t valid_columns) {
  using Words = PairVector<Arch>;
  using Floats = typename Words::Floats;
  constexpr std::size_t lanes = Words::lanes;
  Floats sums[2 * Vectors];
  DIGITNET_UNROLL
  for (std::size_t v = 0; v < 2 * Vectors; ++v) sums[v] = Floats(0.0f);
  for (std::size_t i = 0; i < picked; ++i) {
    const BfloatPair* const from = words + factors[i].row * line;
    const Floats factor(factors[i].value);
    DIGITNET_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) {
      const Words both = Words::read(from + v * lanes);
      sums[2 * v] = simd::fma(factor, both.firsts(), sums[2 * v]);
      sums[2 * v + 1] = simd::fma(factor, both.seconds(), sums[2 * v + 1]);
    }
  }
  DIGITNET_UNROLL
  for (std::size_t v = 0; v < 2 * Vectors; ++v)
    if (v * lanes < valid_columns)
      store_pair_sums<Arch, Result::assign, Activation>(
          sums[v], bias ? bias + v * lanes : bias, y + v * lanes, std::min(lanes, valid_columns - v * lanes));
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace detail

inline namespace DIGITNET_PROCESSOR {

/// y (columns) = activation(x b + bias) for one row x of which `picked` factors are not zero, and b as
/// RowWords: the additions of bfloat16_gemm by vectors, in their order. bias may be null.
template <class Arch = DefaultArch, class Activation = Identity>
void bfloat16_row(std::size_t picked, const RowFactor* factors, std::size_t columns, const BfloatPair* words,
                  const float* bias, float* y) {
  constexpr std::size_t lanes = RowWords<Arch>::lanes, most = detail::row_vectors<Arch>;
  const std::size_t line = RowWords<Arch>::line(columns);
  const auto panel = [&]<std::size_t Vectors>(std::size_t word) {
    const std::size_t column = 2 * word;
    detail::row_panel<Arch, Activation, Vectors>(picked, factors, words + word, line,
                                                 bias ? bias + column : bias, y + column, columns - column);
  };
  detail::for_each_panel<most, lanes>(line, panel);
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::kernels
