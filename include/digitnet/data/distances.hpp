// The distance of each pixel of a sheet from the nearest one with ink.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "digitnet/core/language.hpp"

namespace digitnet {

namespace detail {

// Squared distances to the nearest pixel for which `is_ink(row, column)`, between the pixels' middles; more
// than the sheet's diagonal where there is none. Felzenszwalb, Huttenlocher: Distance Transforms of Sampled
// Functions (2012): first along columns, then the lower envelope of a parabola for each pixel of a row.
template <class IsInk>
std::vector<float> squared_distances(std::size_t height, std::size_t width, const IsInk& is_ink) {
  const auto far = static_cast<float>(height + width);
  std::vector<float> result(height * width);
  std::vector<float> column_distance(width, far);
  for (std::size_t row = 0; row < height; ++row)
    for (std::size_t column = 0; column < width; ++column) {
      float& distance = column_distance[column];
      distance = is_ink(row, column) ? 0.0f : std::min(distance + 1, far);
      result[row * width + column] = distance;
    }
  std::fill(column_distance.begin(), column_distance.end(), far);
  for (std::size_t row = height; row-- > 0;)
    for (std::size_t column = 0; column < width; ++column) {
      float &distance = column_distance[column], &value = result[row * width + column];
      distance = std::min(value, std::min(distance + 1, far));
      value = distance * distance;
    }

  std::vector<std::size_t> apex(width);
  std::vector<float> begin(width + 1), heights(width);
  for (std::size_t row = 0; row < height; ++row) {
    float* const line = result.data() + row * width;
    std::copy_n(line, width, heights.begin());
    const auto crossing = [&](std::size_t left, std::size_t right) {
      const auto l = static_cast<float>(left), r = static_cast<float>(right);
      return (heights[right] - heights[left] + r * r - l * l) / (2 * (r - l));
    };
    std::size_t last = 0;
    apex[0] = 0;
    begin[0] = -std::numeric_limits<float>::infinity();
    for (std::size_t column = 1; column < width; ++column) {
      float from = crossing(apex[last], column);
      while (from <= begin[last]) from = crossing(apex[--last], column);
      apex[++last] = column;
      begin[last] = from;
    }
    for (std::size_t column = 0, k = 0; column < width; ++column) {
      while (k < last && begin[k + 1] <= static_cast<float>(column)) ++k;
      const float across = static_cast<float>(column) - static_cast<float>(apex[k]);
      line[column] = heights[apex[k]] + across * across;
    }
  }
  return result;
}

}  // namespace detail

}  // namespace digitnet
