// Products in bfloat16 by AMX: tiles of 16 rows of 16 pairs, two for rows and two for columns at a time, make
// 32 x 32 sums.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "digitnet/core/arena.hpp"
#include "digitnet/kernels/amx_tiles.hpp"
#include "digitnet/kernels/bfloat16_panels.hpp"
#include "digitnet/kernels/gather_gemm.hpp"
#if (defined(__AMX_BF16__) || defined(__AMXBF16__)) && defined(DIGITNET_AMX) && defined(__AVX512BF16__)
#define DIGITNET_BFLOAT16_AMX
#endif

namespace digitnet::kernels {

namespace detail {

inline namespace DIGITNET_PROCESSOR {

#ifdef __AVX512F__
// The transpose of 16 x 16 pairs: by blocks of 8, 4, 2, and 1.
inline void transpose_pairs(__m512i (&rows)[16]) {
  const __m512i places = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  DIGITNET_UNROLL
  for (int side = 8; side >= 1; side /= 2) {
    const __m512i distance = _mm512_set1_epi32(side);
    const __mmask16 second = _mm512_test_epi32_mask(places, distance);
    // 16 more: of the other row.
    const __m512i upper =
        _mm512_mask_add_epi32(places, second, _mm512_sub_epi32(places, distance), _mm512_set1_epi32(16));
    const __m512i lower =
        _mm512_mask_add_epi32(_mm512_add_epi32(places, distance), second, places, _mm512_set1_epi32(16));
    DIGITNET_UNROLL
    for (int i = 0; i < 16; ++i) {
      if ((i & side) != 0) continue;
      const __m512i one = rows[i], other = rows[i + side];
      rows[i] = _mm512_permutex2var_epi32(one, upper, other);
      rows[i + side] = _mm512_permutex2var_epi32(one, lower, other);
    }
  }
}
#endif

}  // namespace DIGITNET_PROCESSOR

}  // namespace detail

inline namespace DIGITNET_PROCESSOR {

#ifdef DIGITNET_BFLOAT16_AMX
/// Tiles that multiply pairs.
struct AmxPairTiles : AmxTiles {
  /// 16 pairs of each of 32 rows, which are a_stride pairs apart, times 16 columns at b and as many at
  /// b_second, whose pairs are b_stride apart.
  static void multiply(const BfloatPair* a, std::size_t a_stride, const BfloatPair* b,
                       const BfloatPair* b_second, std::size_t b_stride) {
    _tile_loadd(4, a, a_stride * sizeof(BfloatPair));
    _tile_loadd(5, a + 16 * a_stride, a_stride * sizeof(BfloatPair));
    _tile_loadd(6, b, b_stride * sizeof(BfloatPair));
    _tile_loadd(7, b_second, b_stride * sizeof(BfloatPair));
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
};
#endif

#ifdef __AVX512F__
/// bfloat16_gemm by tiles.
template <class Tiles, class Arch, Result result, class Activation>
void bfloat16_tile_gemm(std::size_t rows, std::size_t columns, const BfloatPair* a, std::size_t a_stride,
                        std::size_t a_step, PairPanels<Arch> b, const float* bias, float* c,
                        std::size_t c_stride) {
  constexpr std::size_t side = 16, together = 2 * side, wide = PairPanels<Arch>::wide;
  static_assert(PairPanels<Arch>::lanes == side && wide == together);
  const std::size_t depth = b.depth, whole = depth / side, rest = depth % side,
                    line = (whole + (rest > 0)) * side;
  thread_local Arena<BfloatPair> memory;
  if (memory.size() < together * line + side * wide)
    memory = Arena<BfloatPair>(together * line + side * wide);
  BfloatPair *const copy = memory.data(), *const end_of_panel = copy + together * line;
  alignas(64) std::array<float, together * together> sums;
  Tiles::begin();
  for (std::size_t row = 0; row < rows; row += together) {
    const std::size_t rows_here = std::min(together, rows - row);
    // Rows are read where they lie if they are whole; else, and behind the last whole tile, from a copy with
    // zeros behind it.
    const bool in_place = a_step == 1 && rows_here == together;
    const BfloatPair* const from = a + row * a_stride;
    if (a_step == 1) {
      const std::size_t first = in_place ? whole * side : 0;
      for (std::size_t r = 0; r < rows_here; ++r) {
        std::memcpy(copy + r * line + first, from + r * a_stride + first,
                    (depth - first) * sizeof(BfloatPair));
        std::fill(copy + r * line + depth, copy + (r + 1) * line, BfloatPair{0});
      }
    } else {
      for (std::size_t r = 0; r < rows_here; r += side)
        for (std::size_t k = 0; k < line; k += side) {
          const auto mask = static_cast<__mmask16>((1u << std::min(side, rows_here - r)) - 1);
          __m512i block[side];
          for (std::size_t i = 0; i < side; ++i)
            block[i] = k + i < depth ? _mm512_maskz_loadu_epi32(mask, from + r + (k + i) * a_step)
                                     : _mm512_setzero_si512();
          detail::transpose_pairs(block);
          for (std::size_t i = 0; i < side; ++i) _mm512_storeu_si512(copy + (r + i) * line + k, block[i]);
        }
    }
    const BfloatPair* const left = in_place ? from : copy;
    const std::size_t left_stride = in_place ? a_stride : line;
    for (std::size_t column = 0; column < columns; column += wide) {
      const std::size_t width = PairPanels<Arch>::width(columns, column);
      const BfloatPair* const panel = b.memory + column * depth;
      // Of a single vector of columns the other sums are not looked at.
      const std::size_t second = width - side;
      if (rest > 0) {
        std::memcpy(end_of_panel, panel + whole * side * width, rest * width * sizeof(BfloatPair));
        std::fill(end_of_panel + rest * width, end_of_panel + side * width, BfloatPair{0});
      }
      // The instructions do not tell the compiler which memory they read and write.
      asm volatile("" ::: "memory");
      Tiles::zero();
      for (std::size_t k = 0; k < whole * side; k += side)
        Tiles::multiply(left + k, left_stride, panel + k * width, panel + k * width + second, width);
      if (rest > 0) Tiles::multiply(copy + whole * side, line, end_of_panel, end_of_panel + second, width);
      Tiles::store(sums.data());
      asm volatile("" ::: "memory");
      for (std::size_t r = 0; r < rows_here; ++r)
        for (std::size_t j = 0; j < std::min(width, columns - column); j += side)
          detail::store_pair_sums<Arch, result, Activation>(
              simd::read<Arch>(sums.data() + r * together + j), bias ? bias + column + j : bias,
              c + (row + r) * c_stride + column + j, std::min(side, columns - column - j));
    }
  }
  Tiles::end();
}
#endif

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::kernels
