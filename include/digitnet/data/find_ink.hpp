// Tells ink from paper, in a drawing or a photo.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/data/brightness.hpp"
#include "digitnet/data/ink_image.hpp"
#include "digitnet/data/paper.hpp"
#include "digitnet/data/paper_lines.hpp"

namespace digitnet {

namespace detail {

// How many pixels of all four edges are a frame around the sheet: of one brightness, thin, and around a sheet
// of another brightness.
inline std::size_t edge_frame(const InkImage& image) {
  const std::size_t shorter = std::min(image.height, image.width), thickest = shorter / 16;
  std::vector<float> values;
  const auto ring = [&](std::size_t depth) -> const std::vector<float>& {
    values.clear();
    for (std::size_t column = depth; column + depth < image.width; ++column) {
      values.push_back(image.at(depth, column));
      values.push_back(image.at(image.height - 1 - depth, column));
    }
    for (std::size_t row = depth; row + depth < image.height; ++row) {
      values.push_back(image.at(row, depth));
      values.push_back(image.at(row, image.width - 1 - depth));
    }
    return values;
  };
  const auto is_even = [](const std::vector<float>& brightness, float middle) {
    const auto alike = std::count_if(brightness.begin(), brightness.end(),
                                     [&](float value) { return std::abs(value - middle) < 0.2f; });
    return 5 * static_cast<std::size_t>(alike) >= 4 * brightness.size();
  };
  if (thickest < 1) return 0;
  const float edge = median(ring(0));
  if (!is_even(ring(0), edge)) return 0;
  for (std::size_t depth = 1; depth <= thickest; ++depth) {
    if (std::abs(median(ring(depth)) - edge) < 0.15f) continue;
    // Its own edge may be soft.
    const std::size_t inner = depth + 2;
    const float sheet = median(ring(inner));
    return std::abs(sheet - edge) >= 0.2f && is_even(ring(inner), sheet) && is_even(ring(inner + 1), sheet)
               ? inner
               : 0;
  }
  return 0;
}

inline InkImage part_of(const InkImage& image, const InkBox& box) {
  InkImage part{box.height(), box.width(), {}};
  for (std::size_t row = box.top; row < box.bottom; ++row)
    part.ink.insert(part.ink.end(),
                    image.ink.begin() + static_cast<std::ptrdiff_t>(row * image.width + box.left),
                    image.ink.begin() + static_cast<std::ptrdiff_t>(row * image.width + box.right));
  return part;
}

// The brightness of a sheet whose border has a single one, but for short pieces where lines end; none of a
// photo.
inline std::optional<float> sheet_color(const InkImage& image) {
  std::vector<float> border;
  const auto add = [&](std::size_t row, std::size_t column) { border.push_back(image.at(row, column)); };
  for (std::size_t column = 0; column < image.width; ++column) add(0, column);
  for (std::size_t row = 0; row < image.height; ++row) add(row, image.width - 1);
  for (std::size_t column = image.width; column-- > 0;) add(image.height - 1, column);
  for (std::size_t row = image.height; row-- > 0;) add(row, 0);
  const float sheet = median(border);
  std::size_t other = 0, run = 0, longest = 0;
  for (const float value : border) {
    const bool differs = std::abs(value - sheet) > 0.5f / 255;
    other += differs;
    run = differs ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  if (2 * other > border.size() ||
      8 * longest > std::max<std::size_t>(64, std::max(image.height, image.width)))
    return std::nullopt;
  return sheet;
}

// Brightness becomes ink.
inline void find_ink(InkImage& image) {
  const std::optional<float> color = sheet_color(image);
  constexpr float level = 1.0f / 255;
  if (!color) {
    find_ink_of_photo(image);
  } else {
    const float sheet = *color;
    const auto [low, high] = std::minmax_element(image.ink.begin(), image.ink.end());
    const float direction = sheet - *low > *high - sheet ? -1.0f : 1.0f;
    const float most = direction < 0 ? sheet - *low : *high - sheet;
    for (float& value : image.ink) {
      const float difference = direction * (value - sheet);
      value = difference >= std::max(1.5f * level, 0.03f * most) ? difference / most : 0.0f;
    }
  }
  erase_print(image);
}

}  // namespace detail

/// Finds the ink of an image of bytes, (height, width, channels): dark on light or light on dark. The border
/// tells the color of the sheet; where it has no single one, the image is a photo, and the light on its paper
/// may be uneven. Frames, rulings, squares, margin lines and specks are no ink. Channels: 1 gray, 2 gray and
/// opacity, 3 red, green, blue, 4 these and opacity. A sheet of one color has no ink. An image with a side
/// longer than `longest` pixels is made smaller first.
inline InkImage find_ink(const std::uint8_t* bytes, std::size_t height, std::size_t width,
                         std::size_t channels,
                         std::size_t longest = std::numeric_limits<std::size_t>::max()) {
  if (height == 0 || width == 0 || channels == 0 || longest == 0)
    fail("An image to read needs at least one pixel, but has " + std::to_string(height) + " x " +
         std::to_string(width) + " x " + std::to_string(channels) + " values");
  InkImage image{height, width, detail::brightness(bytes, height * width, channels)};
  if (const std::size_t side = std::max(height, width); side > longest) {
    const auto fewer = [&](std::size_t length) { return std::max<std::size_t>(1, length * longest / side); };
    image = resized(image, {0, 0, height, width}, fewer(height), fewer(width));
  }
  // A sheet may lie on another, with a frame in between.
  std::size_t frame = 0;
  InkImage inside;
  for (int around = 0; around < 3; ++around) {
    const std::size_t thickness = detail::edge_frame(around == 0 ? image : inside);
    if (thickness == 0) break;
    frame += thickness;
    inside = detail::part_of(image, {frame, frame, image.height - frame, image.width - frame});
  }
  if (frame > 0) {
    detail::find_ink(inside);
    if (!box_of_ink(inside).empty()) {
      std::fill(image.ink.begin(), image.ink.end(), 0.0f);
      for (std::size_t row = 0; row < inside.height; ++row)
        std::copy_n(inside.ink.begin() + static_cast<std::ptrdiff_t>(row * inside.width), inside.width,
                    image.ink.begin() + static_cast<std::ptrdiff_t>((row + frame) * image.width + frame));
      return image;
    }
  }
  detail::find_ink(image);
  return image;
}

}  // namespace digitnet
