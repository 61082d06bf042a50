// Images of digits as other pens, hands and scanners would have made them.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <digitnet/core/dataset.hpp>
#include <digitnet/core/random.hpp>
#include <digitnet/core/thread_team.hpp>
#include <digitnet/data/distances.hpp>
#include <digitnet/data/normalize_digit.hpp>
#include <digitnet/data/skeleton.hpp>
#include <vector>

namespace program {

namespace detail {

using digitnet::InkBox;
using digitnet::InkImage;

inline constexpr std::size_t side = 28, finer = 4;

// The strokes with another pen: their middle lines, drawn anew.
inline InkImage redrawn(const InkImage& large, double pen) {
  digitnet::detail::Mask mask(large.height, large.width);
  for (std::size_t row = 0; row < large.height; ++row)
    for (std::size_t column = 0; column < large.width; ++column)
      mask.at(row, column) = large.at(row, column) > 0.4f;
  thin(mask);
  InkImage sheet{large.height, large.width, std::vector<float>(large.ink.size())};
  draw_strokes(trace(mask), pen * finer, 2, sheet);
  return sheet;
}

// The strokes thicker by `growth` on each side, or thinner.
inline InkImage grown(const InkImage& large, double growth) {
  const auto is_ink = [&](std::size_t row, std::size_t column) { return large.at(row, column) > 0.4f; };
  const auto outside = digitnet::detail::squared_distances(large.height, large.width, is_ink);
  const auto inside = digitnet::detail::squared_distances(
      large.height, large.width, [&](std::size_t row, std::size_t column) { return !is_ink(row, column); });
  InkImage sheet{large.height, large.width, std::vector<float>(large.ink.size())};
  for (std::size_t i = 0; i < sheet.ink.size(); ++i) {
    const float from_edge = std::sqrt(outside[i]) - std::sqrt(inside[i]);
    sheet.ink[i] = std::clamp((static_cast<float>(growth) * finer - from_edge) / 3 + 0.5f, 0.0f, 1.0f);
  }
  return sheet;
}

inline InkImage whole(const InkImage& image, std::size_t height, std::size_t width) {
  return resized(image, {0, 0, image.height, image.width}, height, width);
}

inline std::array<float, side * side> varied_digit(const std::uint8_t* pixels, digitnet::Random& random) {
  InkImage image{side, side, std::vector<float>(side * side)};
  std::transform(pixels, pixels + side * side, image.ink.begin(),
                 [](std::uint8_t value) { return static_cast<float>(value) / 255; });
  InkImage large = whole(image, side * finer, side * finer);
  const double pen = random.uniform();
  if (pen < 0.4)
    large = redrawn(large, random.uniform(1.0, 5.0));
  else if (pen < 0.9)
    large = grown(large, random.uniform(-0.7, 1.4));

  InkBox box = box_of_ink(large);
  if (box.empty()) return place_digit(image, box_of_ink(image));
  // Other proportions; now and then the digit fills a square, as some collections have them.
  const double tall = static_cast<double>(box.height()), wide = static_cast<double>(box.width());
  const bool fills = wide > 0.45 * tall && random.uniform() < 0.2;
  const double width = fills ? tall : wide * std::exp(0.2 * random.normal());
  large = resized(large, box, box.height(), static_cast<std::size_t>(std::max(1.0, std::round(width))));
  // A coarse scan: of gray pixels, or of black and white ones.
  const double scan = random.uniform();
  if (scan < 0.3) {
    const double length = static_cast<double>(std::max(large.height, large.width)),
                 pixels_a_side = scan < 0.15 ? random.uniform(14, 20) : random.uniform(26, 40);
    const auto fewer = [&](std::size_t size) {
      return static_cast<std::size_t>(
          std::max(1.0, std::round(static_cast<double>(size) / length * pixels_a_side)));
    };
    InkImage coarse = whole(large, fewer(large.height), fewer(large.width));
    if (scan >= 0.15)
      for (float& value : coarse.ink) value = value > 0.45f ? 1.0f : 0.0f;
    large = whole(coarse, large.height, large.width);
  }
  box = box_of_ink(large);
  return place_digit(large, box);
}

}  // namespace detail

/// Each image `copies` times, each time as another pen, hand and scanner would have made it: thin or bold,
/// narrow or wide, coarse. Image i depends on the seed and i alone.
inline digitnet::Dataset varied_digits(const digitnet::Dataset& data, std::size_t copies,
                                       digitnet::Seed seed) {
  using namespace digitnet;
  constexpr std::size_t size = detail::side * detail::side;
  const std::size_t count = copies * data.size();
  Dataset result{Images::from_shape({count, detail::side, detail::side, 1}), Labels::from_shape({count})};
  ThreadTeam team;
  constexpr std::size_t share = 256;
  team.for_each((count + share - 1) / share, [&](std::size_t part, std::size_t) {
    for (std::size_t i = part * share; i < std::min(count, (part + 1) * share); ++i) {
      Random random(RandomKey(seed).child(i));
      const auto image = detail::varied_digit(data.images.data() + i % data.size() * size, random);
      std::transform(image.begin(), image.end(), result.images.data() + i * size,
                     [](float value) { return static_cast<std::uint8_t>(std::lround(255 * value)); });
      result.labels(i) = data.labels(i % data.size());
    }
  });
  return result;
}

}  // namespace program
