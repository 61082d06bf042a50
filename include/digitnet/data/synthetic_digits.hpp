// Draws digits that look handwritten, for tests and for machines without MNIST.
#pragma once
#include <cstddef>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/dataset.hpp"
#include "digitnet/core/random.hpp"

namespace digitnet {

/// Whose hands draw synthetic digits.
enum class Writers {
  /// Those of MNIST: the usual ways to write, and a pen of usual width.
  usual,
  /// Many countries': half of the digits also in ways that MNIST seldom has (ones with a flag and a foot,
  /// barred sevens, open fours, looped twos), of any proportions, with thin and with bold pens.
  many,
};

/// `count` images of digits, 28 x 28 x 1, with labels 0..9 in random order: drawn from strokes with random
/// proportions, slant, pen width and distortion. Image i depends on the writers, the seed and i alone. They
/// resemble MNIST's digits without having seen any: see docs/benchmarks.md for what a network trained on
/// them reads of the real ones.
DIGITNET_INLINE Dataset synthetic_digits(std::size_t count, Seed seed = {}, Writers writers = Writers::usual);

}  // namespace digitnet

#if DIGITNET_BODIES
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "digitnet/core/thread_team.hpp"
#include "digitnet/data/digit_strokes.hpp"
#include "digitnet/data/rare_strokes.hpp"
#include "digitnet/data/strokes.hpp"

namespace digitnet {

namespace detail {

/// Random slant, proportions (by factors about e to the power +-`stretch`), turn and bends, the same for the
/// whole digit.
inline void distort(Drawing& drawing, double stretch, Random& random) {
  const double slant = 0.12 + 0.22 * random.normal();
  const double turn = 0.09 * random.normal();
  const double narrow = std::exp(stretch * random.normal());
  const double bend_x = 0.06 * random.normal(), bend_y = 0.06 * random.normal();
  const double phase_x = random.uniform(0, 6.28), phase_y = random.uniform(0, 6.28);
  const double wave_x = random.uniform(2, 5), wave_y = random.uniform(2, 5);
  for (Stroke& stroke : drawing)
    for (Point& point : stroke) {
      double x = (point.x - 0.5) * narrow + 0.025 * random.normal();
      double y = point.y - 0.5 + 0.025 * random.normal();
      const double bent_x = x + bend_x * std::sin(wave_x * y + phase_x);
      const double bent_y = y + bend_y * std::sin(wave_y * x + phase_y);
      x = bent_x - slant * bent_y;
      y = bent_y;
      point = {x * std::cos(turn) - y * std::sin(turn), x * std::sin(turn) + y * std::cos(turn)};
    }
}

/// Draws a digit into 28 x 28 bytes as MNIST was prepared: the ink fits a box of 20 x 20, and its centre of
/// mass lies in the middle.
inline void render(Drawing drawing, double pen, std::uint8_t* pixels) {
  constexpr std::size_t side = 28;
  constexpr double box = 20;
  const InkExtent extent(drawing);
  const Point from = extent.middle();
  const double scale = (box - pen) / std::max({extent.width(), extent.height(), 1e-6});
  for (Stroke& stroke : drawing)
    for (Point& point : stroke) point = {(point.x - from.x) * scale, (point.y - from.y) * scale};
  InkImage image{side, side, {}};
  const auto draw = [&](Point shift) {
    image.ink.assign(side * side, 0);
    Drawing moved = drawing;
    for (Stroke& stroke : moved)
      for (Point& point : stroke) point = {point.x + shift.x, point.y + shift.y};
    // A soft edge, as of a scanned and shrunk line.
    draw_strokes(moved, pen, 1.2, image);
  };
  const Point centre{side / 2.0, side / 2.0};
  draw(centre);
  double mass = 1e-9, mass_x = 0, mass_y = 0;
  for (std::size_t y = 0; y < side; ++y)
    for (std::size_t x = 0; x < side; ++x) {
      const double value = double{image.at(y, x)};
      mass += value;
      mass_x += value * (static_cast<double>(x) + 0.5);
      mass_y += value * (static_cast<double>(y) + 0.5);
    }
  draw({2 * centre.x - mass_x / mass, 2 * centre.y - mass_y / mass});
  for (std::size_t i = 0; i < image.ink.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>(std::lround(image.ink[i] * 255));
}

/// A digit of somebody, its points around (0, 0), not much more than 1 high.
inline Drawing written_digit(std::size_t digit, Writers writers, Random& random) {
  const bool many = writers == Writers::many;
  const bool rare = many && random.below(2) == 0;
  Drawing drawing = rare ? rare_digit_strokes(digit, random) : digit_strokes(digit, random);
  distort(drawing, many ? 0.25 : 0.16, random);
  for (Stroke& stroke : drawing) stroke = smoothed(stroke);
  return drawing;
}

}  // namespace detail

DIGITNET_INLINE Dataset synthetic_digits(std::size_t count, Seed seed, Writers writers) {
  Dataset data{Images::from_shape({count, 28, 28, 1}), Labels::from_shape({count})};
  const auto draw = [&](std::size_t i) {
    Random random(RandomKey(seed).child(i));
    const auto digit = static_cast<std::size_t>(random.below(10));
    const detail::Drawing drawing = detail::written_digit(digit, writers, random);
    const double pen = writers == Writers::usual ? std::clamp(2.3 + 0.7 * random.normal(), 1.2, 4.2)
                                                 : random.uniform(1.2, 5.0);
    detail::render(drawing, pen, data.images.data() + i * 28 * 28);
    data.labels(i) = static_cast<std::uint8_t>(digit);
  };
  constexpr std::size_t share = 64;
  ThreadTeam team;
  team.for_each((count + share - 1) / share, [&](std::size_t part, std::size_t) {
    for (std::size_t i = part * share; i < std::min(count, (part + 1) * share); ++i) draw(i);
  });
  return data;
}

}  // namespace digitnet
#endif
