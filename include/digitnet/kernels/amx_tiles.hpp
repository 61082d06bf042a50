// The eight tiles of AMX, used as 32 x 32 sums of 32 rows on the left and 32 columns on the right.
#pragma once
#if (defined(__AMX_TILE__) || defined(__AMXTILE__)) && defined(__linux__)
#include <cstdint>

#include "digitnet/core/amx.hpp"
#include "digitnet/core/processor.hpp"
#include "digitnet/core/simd.hpp"
#define DIGITNET_AMX

namespace digitnet::kernels {

inline namespace DIGITNET_PROCESSOR {

/// Tiles of 16 rows of 64 bytes: 0 to 3 for sums, 4 and 5 for the left side, 6 and 7 for the right side.
struct AmxTiles {
  static bool allowed() { return amx_allowed(); }
  static void begin() {
    struct alignas(64) Config {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    };
    static constexpr Config config{};
    _tile_loadconfig(&config);
  }
  static void end() { _tile_release(); }
  static void zero() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  /// The sums, (32, 32) numbers of 4 bytes.
  static void store(void* to) {
    char* const first = static_cast<char*>(to);
    _tile_stored(0, first, 128);
    _tile_stored(1, first + 64, 128);
    _tile_stored(2, first + 16 * 128, 128);
    _tile_stored(3, first + 16 * 128 + 64, 128);
  }
};

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::kernels
#endif
