// Distorts images: each pixel of the new image is interpolated from another place of the old one.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "digitnet/core/language.hpp"

namespace digitnet {

/// What lies beyond an image's border, in Keras' words: zeros; the nearest pixel; the image mirrored, its
/// border twice (d c b a | a b c d | d c b a); the image again.
enum class FillMode { constant, nearest, reflect, wrap };
constexpr const char* setting_word(FillMode mode) {
  constexpr const char* words[] = {"constant", "nearest", "reflect", "wrap"};
  return words[static_cast<std::size_t>(mode)];
}

}  // namespace digitnet

namespace digitnet::kernels {

/// Where the pixel (row, column) comes from: (row_row * row + row_column * column + row_offset, the same for
/// the column).
template <class T>
struct AffineMap {
  T row_row = 1, row_column = 0, row_offset = 0;
  T column_row = 0, column_column = 1, column_offset = 0;

  /// The same about a centre instead of about (0, 0).
  constexpr AffineMap about(T row, T column) const {
    AffineMap result = *this;
    result.row_offset += row - row_row * row - row_column * column;
    result.column_offset += column - column_row * row - column_column * column;
    return result;
  }
  constexpr T row(T r, T c) const { return row_row * r + row_column * c + row_offset; }
  constexpr T column(T r, T c) const { return column_row * r + column_column * c + column_offset; }
};

/// The place inside [0, size) that stands for one anywhere, or -1 for nothing.
inline std::ptrdiff_t filled_index(std::ptrdiff_t index, std::size_t extent, FillMode mode) {
  const auto size = static_cast<std::ptrdiff_t>(extent);
  if (index >= 0 && index < size) return index;
  switch (mode) {
    case FillMode::constant:
      return -1;
    case FillMode::nearest:
      return std::clamp(index, std::ptrdiff_t{0}, size - 1);
    case FillMode::wrap:
      return (index % size + size) % size;
    case FillMode::reflect:
      break;
  }
  const std::ptrdiff_t period = (index % (2 * size) + 2 * size) % (2 * size);
  return period < size ? period : 2 * size - 1 - period;
}

/// Calls visit(to, from, weight) for the up to four pixels from that each pixel to of (height, width) is
/// mixed from, by bilinear interpolation; to and from are numbers of pixels.
template <class T, class Visit>
void for_each_warped(std::size_t height, std::size_t width, const AffineMap<T>& map, FillMode mode,
                     const Visit& visit) {
  for (std::size_t row = 0; row < height; ++row)
    for (std::size_t column = 0; column < width; ++column) {
      const T r = map.row(static_cast<T>(row), static_cast<T>(column));
      const T c = map.column(static_cast<T>(row), static_cast<T>(column));
      const T top = std::floor(r), left = std::floor(c);
      const T below = r - top, beside = c - left;
      const std::array<T, 2> of_rows{1 - below, below}, of_columns{1 - beside, beside};
      for (std::size_t y = 0; y < 2; ++y)
        for (std::size_t x = 0; x < 2; ++x) {
          const T weight = of_rows[y] * of_columns[x];
          if (weight == 0) continue;
          const auto from_row =
              filled_index(static_cast<std::ptrdiff_t>(top) + static_cast<std::ptrdiff_t>(y), height, mode);
          const auto from_column =
              filled_index(static_cast<std::ptrdiff_t>(left) + static_cast<std::ptrdiff_t>(x), width, mode);
          if (from_row < 0 || from_column < 0) continue;
          visit(row * width + column,
                static_cast<std::size_t>(from_row) * width + static_cast<std::size_t>(from_column), weight);
        }
    }
}

/// An image with one row and column of zeros before and two behind, from which pixels beyond the border read
/// as zero.
struct WarpFrame {
  std::size_t height, width, channels;
  constexpr std::size_t line() const { return (width + 3) * channels; }
  constexpr std::size_t size() const { return (height + 3) * line(); }
};

/// image (height, width, channels) = the image drawn anew, with zeros beyond its border: pixel i comes from
/// (rows[i], columns[i]). `frame` has frame.size() elements, zero around the image.
template <class T>
void warp_image(const WarpFrame& extents, T* image, T* frame, const T* rows, const T* columns) {
  const std::size_t height = extents.height, width = extents.width, channels = extents.channels;
  const std::size_t line = extents.line();
  for (std::size_t row = 0; row < height; ++row)
    std::copy_n(image + row * width * channels, width * channels, frame + (row + 1) * line + channels);
  const T last_row = static_cast<T>(height) + 1, last_column = static_cast<T>(width) + 1;
  for (std::size_t i = 0; i < height * width; ++i) {
    // In the frame, and never beyond it.
    const T r = std::min(std::max(rows[i] + 1, T{0}), last_row);
    const T c = std::min(std::max(columns[i] + 1, T{0}), last_column);
    const auto top = static_cast<std::uint32_t>(r), left = static_cast<std::uint32_t>(c);
    const T below = r - static_cast<T>(top), beside = c - static_cast<T>(left);
    const T* const upper = frame + top * line + left * channels;
    const T* const lower = upper + line;
    T* const to = image + i * channels;
    for (std::size_t channel = 0; channel < channels; ++channel) {
      const T above = upper[channel] + beside * (upper[channel + channels] - upper[channel]);
      const T under = lower[channel] + beside * (lower[channel + channels] - lower[channel]);
      to[channel] = above + below * (under - above);
    }
  }
}

}  // namespace digitnet::kernels
