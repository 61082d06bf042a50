// Finds the middle line of written strokes, so that another pen can draw them again.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "digitnet/data/ink_image.hpp"
#include "digitnet/data/strokes.hpp"

namespace digitnet {

namespace detail {

// A sheet of pixels that have ink or not, with an empty row and column around it.
class Mask {
 public:
  Mask(std::size_t rows, std::size_t columns)
      : height(rows), width(columns), stride_(columns + 2), pixels_((rows + 2) * (columns + 2)) {}

  std::uint8_t& at(std::size_t row, std::size_t column) { return pixels_[place(row, column)]; }
  std::uint8_t at(std::size_t row, std::size_t column) const { return pixels_[place(row, column)]; }
  /// The eight pixels around one, from the one above it, clockwise.
  std::array<std::uint8_t, 8> around(std::size_t row, std::size_t column) const {
    const std::uint8_t* const p = &pixels_[place(row, column)];
    const std::uint8_t *const above = p - stride_, *const below = p + stride_;
    return {above[0], above[1], p[1], below[1], below[0], below[-1], p[-1], above[-1]};
  }

  std::size_t height, width;

 private:
  std::size_t place(std::size_t row, std::size_t column) const { return (row + 1) * stride_ + column + 1; }

  std::size_t stride_;
  std::vector<std::uint8_t> pixels_;
};

// Takes pixels off the edges until lines of one pixel are left. Zhang, Suen: A Fast Parallel Algorithm for
// Thinning Digital Patterns (1984).
inline void thin(Mask& mask) {
  std::vector<std::array<std::size_t, 2>> ink, taken;
  for (std::size_t row = 0; row < mask.height; ++row)
    for (std::size_t column = 0; column < mask.width; ++column)
      if (mask.at(row, column)) ink.push_back({row, column});
  bool changed = true;
  while (changed) {
    changed = false;
    for (const bool second : {false, true}) {
      taken.clear();
      for (const auto& [row, column] : ink) {
        const auto p = mask.around(row, column);
        int neighbors = 0, edges = 0;
        for (std::size_t i = 0; i < 8; ++i) {
          neighbors += p[i];
          edges += !p[i] && p[(i + 1) % 8];
        }
        if (neighbors < 2 || neighbors > 6 || edges != 1) continue;
        const bool kept = second ? (p[0] && p[2] && p[6]) || (p[0] && p[4] && p[6])
                                 : (p[0] && p[2] && p[4]) || (p[2] && p[4] && p[6]);
        if (!kept) taken.push_back({row, column});
      }
      for (const auto& [row, column] : taken) mask.at(row, column) = 0;
      changed = changed || !taken.empty();
      std::erase_if(ink, [&](const auto& pixel) { return !mask.at(pixel[0], pixel[1]); });
    }
  }
}

// The lines of a thinned mask as strokes from end to end or crossing to crossing, smoothed.
inline Drawing trace(Mask mask) {
  constexpr std::array<std::array<int, 2>, 8> steps{
      {{-1, 0}, {0, 1}, {1, 0}, {0, -1}, {-1, 1}, {1, 1}, {1, -1}, {-1, -1}}};
  const Mask lines = mask;
  const auto neighbors = [&](std::size_t row, std::size_t column) {
    int count = 0;
    for (const std::uint8_t pixel : lines.around(row, column)) count += pixel;
    return count;
  };
  const auto is_crossing = [&](std::size_t row, std::size_t column) { return neighbors(row, column) > 2; };
  Drawing drawing;
  using Pixel = std::array<std::size_t, 2>;
  const auto add = [](Stroke& stroke, const Pixel& pixel) {
    stroke.push_back({static_cast<double>(pixel[1]) + 0.5, static_cast<double>(pixel[0]) + 0.5});
  };
  // Along a line to its end or to a crossing, which stays for the other lines that meet there.
  const auto walk = [&](const Pixel& start, Pixel here) {
    Stroke stroke;
    add(stroke, start);
    add(stroke, here);
    while (!is_crossing(here[0], here[1])) {
      mask.at(here[0], here[1]) = 0;
      Pixel next = here;
      for (const auto& [down, right] : steps) {
        const Pixel pixel{here[0] + static_cast<std::size_t>(down),
                          here[1] + static_cast<std::size_t>(right)};
        if (pixel[0] >= mask.height || pixel[1] >= mask.width || !mask.at(pixel[0], pixel[1])) continue;
        if (pixel == start && stroke.size() < 4) continue;
        const bool crossing = is_crossing(pixel[0], pixel[1]);
        if (next == here || !crossing) next = pixel;
        if (!crossing) break;
      }
      if (next == here) break;
      here = next;
      add(stroke, here);
    }
    drawing.push_back(std::move(stroke));
  };
  // From each end, then from each crossing, then around what is closed.
  enum class From { ends, crossings, anything };
  for (const From from : {From::ends, From::crossings, From::anything})
    for (std::size_t row = 0; row < mask.height; ++row)
      for (std::size_t column = 0; column < mask.width; ++column) {
        const bool crossing = is_crossing(row, column);
        if (!mask.at(row, column) || (from == From::ends && neighbors(row, column) > 1) ||
            (from == From::crossings && !crossing) || (from == From::anything && crossing))
          continue;
        const Pixel start{row, column};
        if (from == From::ends) mask.at(row, column) = 0;
        if (neighbors(row, column) == 0) add(drawing.emplace_back(), start);
        for (const auto& [down, right] : steps) {
          const Pixel next{row + static_cast<std::size_t>(down), column + static_cast<std::size_t>(right)};
          if (next[0] < mask.height && next[1] < mask.width && mask.at(next[0], next[1])) walk(start, next);
        }
        if (from == From::anything) mask.at(row, column) = 0;
      }
  for (Stroke& stroke : drawing) {
    const Stroke rough = stroke;
    for (std::size_t i = 1; i + 1 < rough.size(); ++i) {
      const std::size_t reach = std::min({i, rough.size() - 1 - i, std::size_t{3}});
      Point sum{0, 0};
      for (std::size_t j = i - reach; j <= i + reach; ++j) sum = {sum.x + rough[j].x, sum.y + rough[j].y};
      const double count = static_cast<double>(2 * reach + 1);
      stroke[i] = {sum.x / count, sum.y / count};
    }
  }
  return drawing;
}

}  // namespace detail

}  // namespace digitnet
