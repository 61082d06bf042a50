// A sheet as a table of numbers: how much ink lies on each pixel. Parts of a sheet, and sheets of other
// sizes.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"

namespace digitnet {

/// How much ink lies on each pixel of a sheet: 0 none, 1 most; rows from the top. What is read of it lies
/// between: less than none and what is no number count as none, more than most as most.
struct InkImage {
  std::size_t height = 0, width = 0;
  std::vector<float> ink{};

  float at(std::size_t row, std::size_t column) const {
    const float value = ink[row * width + column];
    return value > 0 ? std::min(value, 1.0f) : 0.0f;
  }
  float& at(std::size_t row, std::size_t column) { return ink[row * width + column]; }

  /// Fails where there is not one value for each pixel.
  void check() const {
    if (ink.size() != height * width)
      fail("A sheet of " + std::to_string(height) + " x " + std::to_string(width) + " pixels has " +
           std::to_string(ink.size()) + " values of ink: give it one for each pixel");
  }
};

/// A part of an image, with rows and columns from `top` and `left` up to but not including `bottom` and
/// `right`.
struct InkBox {
  std::size_t top = 0, left = 0, bottom = 0, right = 0;

  bool empty() const { return bottom <= top || right <= left; }
  std::size_t height() const { return bottom - top; }
  std::size_t width() const { return right - left; }

  /// The part that lies in an image of this size.
  InkBox within(std::size_t image_height, std::size_t image_width) const {
    return {top, left, std::min(bottom, image_height), std::min(right, image_width)};
  }
  /// The smallest box around both.
  InkBox with(const InkBox& other) const {
    return {std::min(top, other.top), std::min(left, other.left), std::max(bottom, other.bottom),
            std::max(right, other.right)};
  }
};

/// The smallest box around all ink; empty where there is none.
inline InkBox box_of_ink(const InkImage& image) {
  image.check();
  InkBox box{image.height, image.width, 0, 0};
  for (std::size_t row = 0; row < image.height; ++row)
    for (std::size_t column = 0; column < image.width; ++column)
      if (image.at(row, column) > 0) {
        box.top = std::min(box.top, row);
        box.left = std::min(box.left, column);
        box.bottom = std::max(box.bottom, row + 1);
        box.right = std::max(box.right, column + 1);
      }
  return box;
}

namespace detail {

// What each of `size` new pixels takes of `old_size` old ones that cover the same length: the mean over its
// part where pixels become fewer, a linear interpolation where they become more.
struct Resampling {
  std::vector<std::size_t> first;
  std::vector<std::vector<float>> weights;

  Resampling(std::size_t old_size, std::size_t size) {
    const double step = static_cast<double>(old_size) / static_cast<double>(size);
    for (std::size_t i = 0; i < size; ++i) {
      const double reach = std::max(step, 1.0), middle = (static_cast<double>(i) + 0.5) * step;
      const double low = middle - reach / 2, high = middle + reach / 2;
      const auto begin = static_cast<std::size_t>(std::max(0.0, std::floor(low)));
      const auto end = std::min(old_size, static_cast<std::size_t>(std::max(0.0, std::ceil(high - 1e-9))));
      std::vector<float> parts;
      double sum = 0;
      for (std::size_t j = begin; j < end; ++j) {
        const double part =
            std::min(high, static_cast<double>(j + 1)) - std::max(low, static_cast<double>(j));
        parts.push_back(static_cast<float>(part));
        sum += part;
      }
      for (float& part : parts) part /= static_cast<float>(sum);
      first.push_back(begin);
      weights.push_back(std::move(parts));
    }
  }
};

}  // namespace detail

/// The part `box` of an image with another number of rows and columns. Nothing is on a part that lies beyond
/// the image.
inline InkImage resized(const InkImage& image, const InkBox& box, std::size_t height, std::size_t width) {
  image.check();
  InkImage result{height, width, std::vector<float>(height * width)};
  const InkBox part = box.within(image.height, image.width);
  if (part.empty() || result.ink.empty()) return result;
  const detail::Resampling rows(part.height(), height), columns(part.width(), width);
  InkImage narrow{part.height(), width, std::vector<float>(part.height() * width)};
  for (std::size_t row = 0; row < part.height(); ++row)
    for (std::size_t column = 0; column < width; ++column)
      for (std::size_t i = 0; i < columns.weights[column].size(); ++i)
        narrow.at(row, column) +=
            columns.weights[column][i] * image.at(part.top + row, part.left + columns.first[column] + i);
  for (std::size_t row = 0; row < height; ++row)
    for (std::size_t i = 0; i < rows.weights[row].size(); ++i)
      for (std::size_t column = 0; column < width; ++column)
        result.at(row, column) += rows.weights[row][i] * narrow.at(rows.first[row] + i, column);
  return result;
}

}  // namespace digitnet
