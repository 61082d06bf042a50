// Pictures that come in requests: PNG and PGM.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace draw {

/// Bytes (height, width, channels).
struct DigitImage {
  std::size_t height = 0, width = 0, channels = 1;
  std::vector<std::uint8_t> bytes{};
};

/// A picture of at most this many pixels is read.
inline constexpr std::size_t most_pixels = std::size_t{1} << 22;

/// Reads a PNG file (as (height, width, 3), on white) or a binary PGM file (P5, 8 bits). Throws an Error that
/// says what is wrong.
DigitImage decode_image(std::string_view file);

}  // namespace draw
