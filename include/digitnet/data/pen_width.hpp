// Measures how wide the pen was that drew a digit, and draws the digit again with a wider one.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>

#include "digitnet/data/distances.hpp"
#include "digitnet/data/ink_image.hpp"

namespace digitnet {

namespace detail {

// The width of strokes in pixels: their area over half of their edge. Cauchy and Crofton: an edge is as long
// as the number of times that rows and columns cross it, times pi / 4.
inline double pen_width(const InkImage& image, float level) {
  double area = 0;
  std::size_t crossings = 0;
  for (std::size_t row = 0; row < image.height; ++row) {
    bool before = false;
    for (std::size_t column = 0; column < image.width; ++column) {
      const bool ink = image.at(row, column) >= level;
      area += ink;
      crossings += ink != before;
      const bool above = row > 0 && image.at(row - 1, column) >= level;
      crossings += ink != above;
      before = ink;
    }
    crossings += before;
  }
  for (std::size_t column = 0; column < image.width; ++column)
    crossings += image.at(image.height - 1, column) >= level;
  return crossings == 0 ? 0 : 2 * area / (std::numbers::pi / 4 * static_cast<double>(crossings));
}

// The part in a box, in fewer pixels: of each block its darkest, so that no line gets lost.
inline InkImage darkest(const InkImage& image, const InkBox& box, std::size_t block) {
  InkImage result{(box.height() + block - 1) / block, (box.width() + block - 1) / block, {}};
  result.ink.resize(result.height * result.width);
  for (std::size_t row = box.top; row < box.bottom; ++row)
    for (std::size_t column = box.left; column < box.right; ++column) {
      float& value = result.at((row - box.top) / block, (column - box.left) / block);
      value = std::max(value, image.at(row, column));
    }
  return result;
}

// By how many pixels each edge must move outwards for a pen as wide as `share` of the digit's longer side.
inline double missing_width(const InkImage& digit, double share, float level) {
  const double width = pen_width(digit, level);
  const double middle = std::max(static_cast<double>(std::max(digit.height, digit.width)) - width, 1.0);
  return width > 0 ? (share * middle / (1 - share) - width) / 2 : 0;
}

// The digit in a box, drawn with a pen as wide as `share` of its longer side; empty if its own is as wide.
inline InkImage with_wider_pen(const InkImage& image, const InkBox& box, double share) {
  constexpr float level = 0.4f;
  constexpr std::size_t fine = 120;
  const std::size_t length = std::max(box.height(), box.width());
  InkImage digit = darkest(image, box, std::max<std::size_t>(1, length / fine));
  double growth = missing_width(digit, share, level);
  if (growth <= 0) return {};
  if (length < fine / 2) {
    // Few pixels are interpolated, so that edges become round.
    const std::size_t factor = fine / length;
    digit = resized(digit, {0, 0, digit.height, digit.width}, factor * digit.height, factor * digit.width);
    growth = std::max(0.0, missing_width(digit, share, level));
  }
  const auto margin = static_cast<std::size_t>(growth) + 2;
  InkImage wider{digit.height + 2 * margin, digit.width + 2 * margin, {}};
  wider.ink = squared_distances(wider.height, wider.width, [&](std::size_t row, std::size_t column) {
    return row >= margin && row < digit.height + margin && column >= margin &&
           column < digit.width + margin && std::as_const(digit).at(row - margin, column - margin) >= level;
  });
  // From a pixel's middle to its edge is half a pixel, and the new edge is a pixel wide.
  for (float& value : wider.ink)
    value = std::clamp(static_cast<float>(growth) + 1 - std::sqrt(value), 0.0f, 1.0f);
  return wider;
}

}  // namespace detail

}  // namespace digitnet
