// Products of bytes by AMX: tiles of 16 rows of 64 bytes, two for positions and two for outputs at a time,
// make 32 x 32 sums.
#pragma once
#include "digitnet/kernels/int8_lanes.hpp"
#ifdef DIGITNET_INT8_AVX512_VNNI
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "digitnet/core/arena.hpp"
#include "digitnet/kernels/amx_tiles.hpp"
#if (defined(__AMX_INT8__) || defined(__AMXINT8__)) && defined(DIGITNET_AMX)
#define DIGITNET_INT8_AMX
#endif

namespace digitnet::kernels {

inline namespace DIGITNET_PROCESSOR {

/// Positions, and outputs, that one tile has.
inline constexpr std::size_t amx_rows = 16;
/// Bytes beyond the weights that a tile may read: what it reads there is multiplied by 0.
inline constexpr std::size_t amx_readable = (amx_rows - 1) * 64;

#ifdef DIGITNET_INT8_AMX
/// Tiles that multiply bytes.
struct AmxByteTiles : AmxTiles {
  /// 64 bytes of each of 32 positions, whose rows are `stride` bytes long, times 16 groups of two columns.
  static void multiply(const std::uint8_t* x, std::size_t stride, const std::int8_t* w0,
                       const std::int8_t* w1) {
    _tile_loadd(4, x, stride);
    _tile_loadd(5, x + amx_rows * stride, stride);
    _tile_loadd(6, w0, 64);
    _tile_loadd(7, w1, 64);
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
};
#endif

/// The sums of a product as Int8Product has it, without its bias: store(position, positions, column, sums),
/// sums being (32, 32) of `positions` positions and the outputs of two columns from `column` on.
template <class Tiles, class At, class Store>
void int8_by_tiles(std::span<const std::size_t> groups, std::size_t columns, const std::int8_t* weights,
                   std::size_t count, const At& at, const Store& store) {
  constexpr std::size_t block = 16, together = 2 * amx_rows;
  const std::size_t blocks = (groups.size() + block - 1) / block, stride = 64 * blocks,
                    depth = groups.size() * 64;
  thread_local Arena<std::uint8_t> memory;
  if (memory.size() < together * stride) memory = Arena<std::uint8_t>(together * stride);
  std::uint8_t* const x = memory.data();
  alignas(64) std::array<std::int32_t, together * together> sums;
  Tiles::begin();
  for (std::size_t position = 0; position < count; position += together) {
    const std::size_t here = std::min(together, count - position);
    // What a position reads, in one piece, and zeros behind it.
    for (std::size_t p = 0; p < together; ++p) {
      const std::uint8_t* const from = at(position + std::min(p, here - 1));
      std::uint8_t* const row = x + p * stride;
      _mm512_storeu_si512(row + stride - 64, _mm512_setzero_si512());
      for (std::size_t g = 0; g < groups.size();) {
        std::size_t run = 1;
        while (run < block && g + run < groups.size() && groups[g + run] == groups[g] + 4 * run) ++run;
        const auto mask = static_cast<__mmask16>((1u << run) - 1);
        _mm512_mask_storeu_epi32(row + 4 * g, mask, _mm512_maskz_loadu_epi32(mask, from + groups[g]));
        g += run;
      }
    }
    for (std::size_t column = 0; column < columns; column += 2) {
      const std::int8_t* const first = weights + column * depth;
      // Of a single column the other sums are not looked at.
      const std::int8_t* const second = column + 1 < columns ? first + depth : first;
      // The instructions do not tell the compiler which memory they read and write.
      asm volatile("" ::: "memory");
      Tiles::zero();
      for (std::size_t i = 0; i < blocks; ++i)
        Tiles::multiply(x + 64 * i, stride, first + i * block * 64, second + i * block * 64);
      Tiles::store(sums.data());
      asm volatile("" ::: "memory");
      store(position, here, column, static_cast<const std::int32_t*>(sums.data()));
    }
  }
  Tiles::end();
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::kernels
#endif
