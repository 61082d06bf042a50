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
/// Memory that decoding one and finding its ink takes, for each of its pixels.
inline constexpr std::size_t bytes_per_pixel = 30;

/// How many pixels the header of a PNG or PGM file announces, without decoding it. Throws an Error if they
/// are more than `most_pixels`, or if it is no such file.
std::size_t pixels_of_image(std::string_view file);

/// Reads a PNG file (3 channels, or 4 where some of it may be transparent) or a binary PGM file (P5, 8 bits).
/// Throws an Error that says what is wrong.
DigitImage decode_image(std::string_view file);

}  // namespace draw
