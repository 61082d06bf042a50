// Handwritten-like digits drawn from strokes, for tests and for machines without MNIST.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include "digitnet/core/random.hpp"
#include "digitnet/core/thread_team.hpp"
#include "digitnet/data/dataset.hpp"

namespace digitnet {

namespace detail {

struct Point {
  double x, y;
};
using Stroke = std::vector<Point>;
using Drawing = std::vector<Stroke>;

inline Stroke arc(Point centre, double radius_x, double radius_y, double from_degrees, double to_degrees) {
  constexpr int pieces = 8;
  Stroke stroke;
  for (int i = 0; i <= pieces; ++i) {
    const double angle = (from_degrees + (to_degrees - from_degrees) * i / pieces) * std::numbers::pi / 180;
    stroke.push_back({centre.x + radius_x * std::cos(angle), centre.y + radius_y * std::sin(angle)});
  }
  return stroke;
}

inline Stroke joined(Stroke first, const Stroke& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// One of the ways to write a digit: points of smooth strokes in a box 1 wide and 1 high (x to the right, y
/// down), with proportions drawn at random.
inline Drawing digit_strokes(std::size_t digit, Random& random) {
  const auto about = [&](double middle, double spread) {
    return random.uniform(middle - spread, middle + spread);
  };
  const std::uint64_t way = random.below(12);
  switch (digit) {
    case 0: {
      const double start = about(-100, 35), turn = about(-360, 25);
      return {arc({0.5, 0.5}, about(0.33, 0.13), 0.48, start, start + turn)};
    }
    case 1: {
      if (way < 7) return {{{about(0.5, 0.04), 0.0}, {about(0.5, 0.02), 0.5}, {0.5, 1.0}}};
      const Stroke down{{0.52, 0.0}, {0.52, 0.5}, {0.52, 1.0}};
      const Stroke flag{{about(0.3, 0.08), about(0.24, 0.08)}, {0.42, 0.13}, {0.52, 0.0}};
      if (way < 10) return {flag, down};
      return {flag, down, {{about(0.28, 0.06), 1.0}, {about(0.76, 0.06), 1.0}}};
    }
    case 2: {
      const double waist = about(0.6, 0.1);
      Stroke bow = joined(arc({0.48, 0.27}, about(0.28, 0.1), 0.26, about(-165, 40), 25),
                          {{waist, 0.55}, {about(0.36, 0.08), 0.8}});
      const double floor = about(0.95, 0.06);
      if (way < 6)
        return {joined(bow, {{0.14, floor}}),
                {{0.14, floor}, {0.5, about(floor, 0.04)}, {about(0.88, 0.1), about(floor, 0.09)}}};
      // With a loop at the lower left.
      return {joined(bow, {{0.2, 0.93},
                           {0.1, 0.86},
                           {0.2, about(0.76, 0.03)},
                           {0.42, 0.87},
                           {0.64, 0.97},
                           {0.9, about(0.9, 0.07)}})};
    }
    case 3: {
      const double neck = about(0.47, 0.04), inner = about(0.42, 0.09);
      Stroke upper =
          joined(arc({0.46, 0.25}, about(0.3, 0.05), neck - 0.24, about(-155, 22), 55), {{inner, neck}});
      Stroke lower = joined({{inner, neck}}, arc({0.46, 0.73}, about(0.34, 0.05), 0.26, -50, about(148, 22)));
      if (way < 3)
        return {
            {{0.15, 0.02}, {0.45, 0.0}, {0.74, 0.02}}, {{0.74, 0.02}, {0.56, 0.25}, {inner, 0.42}}, lower};
      return {upper, lower};
    }
    case 4: {
      const double bar = about(0.58, 0.08), stem = about(0.66, 0.07);
      const Stroke down{{stem, about(0.12, 0.12)}, {stem - 0.01, 0.5}, {stem - about(0.03, 0.05), 1.0}};
      if (way < 8)
        return {{{about(0.2, 0.09), 0.0},
                 {about(0.14, 0.05), bar * 0.55},
                 {0.16, bar - 0.03},
                 {0.4, bar},
                 {about(0.9, 0.08), about(bar, 0.05)}},
                down};
      return {{{stem, 0.0}, {0.38, 0.28}, {0.06, bar}},
              {{0.06, bar}, {0.5, bar}, {0.95, bar}},
              {{stem, 0.0}, {stem, 0.5}, {stem, 1.0}}};
    }
    case 5: {
      const double top = about(0.03, 0.03), left = about(0.27, 0.06);
      Stroke bowl = joined({{left - 0.02, about(0.45, 0.03)}},
                           arc({0.42, 0.69}, about(0.35, 0.06), 0.29, -75, about(140, 22)));
      const Stroke bar{{left, top}, {0.55, top}, {about(0.85, 0.1), top + about(0, 0.06)}};
      return {bar, {{left, top}, {left - 0.01, 0.24}, {left - 0.02, 0.45}}, bowl};
    }
    case 6: {
      const double radius = about(0.23, 0.08), height = about(0.23, 0.06), loop = 0.98 - height;
      Stroke back{{about(0.6, 0.2), 0.0}, {about(0.36, 0.08), 0.25}, {about(0.22, 0.03), 0.55}, {0.2, loop}};
      return {joined(back, arc({0.2 + radius, loop}, radius, height, 170, about(-175, 35)))};
    }
    case 7: {
      const double foot = about(0.42, 0.12), corner = about(0.83, 0.05);
      const Stroke bar{{about(0.12, 0.06), about(0.06, 0.06)}, {0.45, about(0.03, 0.03)}, {corner, 0.04}};
      const Stroke down{{corner, 0.04}, {about(0.64, 0.05), 0.4}, {foot + 0.06, 0.75}, {foot, 1.0}};
      if (way < 8) return {bar, down};
      if (way < 10) return {bar, down, {{0.36, 0.52}, {0.82, about(0.5, 0.04)}}};
      return {{{0.14, 0.25}, {0.13, 0.1}, {0.16, 0.05}}, bar, down};
    }
    case 8: {
      const double neck = about(0.47, 0.08), upper = about(0.22, 0.1), lower = about(0.24, 0.11);
      const double lean = about(0.06, 0.1);  // the upper loop often stands to the right
      if (way < 7) {
        // One stroke that crosses itself, now and then left open at the top.
        Stroke stroke = joined(arc({0.5 + lean, neck / 2}, upper, neck / 2, about(-45, 30), -200),
                               {{0.5 + lean / 2, neck}});
        stroke = joined(stroke, arc({0.5 - lean, (1 + neck) / 2}, lower, (1 - neck) / 2, -30, 210));
        return {joined(stroke, {{0.5 + lean / 2, neck},
                                {0.5 + lean + upper * 0.9, neck * 0.6},
                                {about(0.62, 0.1) + lean, about(0.08, 0.07)}})};
      }
      return {arc({0.5 + lean, neck / 2}, upper, neck / 2, 90, 450),
              arc({0.5 - lean, (1 + neck) / 2}, lower, (1 - neck) / 2, -90, 270)};
    }
    default: {
      const double loop = about(0.27, 0.03), radius = about(0.27, 0.05), right = 0.72;
      Stroke head = arc({right - radius, loop}, radius, 0.26, about(-35, 25), -350);
      const double foot = about(0.62, 0.14);
      if (way < 8) return {joined(head, {{right, 0.45}, {(right + foot) / 2 + 0.02, 0.75}, {foot, 1.0}})};
      return {joined(
          head,
          {{right, 0.55}, {about(0.64, 0.05), 0.88}, {0.42, 1.0}, {about(0.2, 0.06), about(0.9, 0.05)}})};
    }
  }
}

/// The curve through the points (Catmull and Rom: A class of local interpolating splines, 1974), as short
/// lines.
inline Stroke smoothed(const Stroke& points) {
  if (points.size() < 3) return points;
  constexpr int pieces = 4;
  Stroke curve;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    const Point& b = points[i];
    const Point& c = points[i + 1];
    const Point& a = i > 0 ? points[i - 1] : b;
    const Point& d = i + 2 < points.size() ? points[i + 2] : c;
    for (int piece = 0; piece < pieces; ++piece) {
      const double t = static_cast<double>(piece) / pieces;
      const auto along = [t](double p, double q, double r, double s) {
        return 0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t * t +
                      (3 * q - p - 3 * r + s) * t * t * t);
      };
      curve.push_back({along(a.x, b.x, c.x, d.x), along(a.y, b.y, c.y, d.y)});
    }
  }
  curve.push_back(points.back());
  return curve;
}

/// Random slant, proportions, turn and bends, the same for the whole digit.
inline void distort(Drawing& drawing, Random& random) {
  const double slant = 0.12 + 0.22 * random.normal();
  const double turn = 0.09 * random.normal();
  const double narrow = std::exp(0.16 * random.normal());
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

/// Draws round-ended lines of a width into 28 x 28 bytes as MNIST was prepared: the ink fits a box of 20 x
/// 20, and its centre of mass lies in the middle.
inline void render(const Drawing& drawing, double pen, std::uint8_t* pixels) {
  constexpr int side = 28;
  constexpr double box = 20;
  Point low{1e9, 1e9}, high{-1e9, -1e9};
  for (const Stroke& stroke : drawing)
    for (const Point& point : stroke) {
      low = {std::min(low.x, point.x), std::min(low.y, point.y)};
      high = {std::max(high.x, point.x), std::max(high.y, point.y)};
    }
  const double scale = (box - pen) / std::max({high.x - low.x, high.y - low.y, 1e-6});
  const Point middle{(low.x + high.x) / 2, (low.y + high.y) / 2};
  std::array<float, side * side> ink{};
  const auto draw = [&](Point shift) {
    ink.fill(0);
    for (const Stroke& stroke : drawing)
      for (std::size_t i = 0; i + 1 < stroke.size() || i == 0; ++i) {
        const auto place = [&](const Point& p) {
          return Point{(p.x - middle.x) * scale + shift.x, (p.y - middle.y) * scale + shift.y};
        };
        const Point a = place(stroke[i]), b = place(stroke[std::min(i + 1, stroke.size() - 1)]);
        const double reach = pen / 2 + 1;
        const auto bound = [](double value) {
          return static_cast<int>(std::clamp(value, 0.0, double{side - 1}));
        };
        const int first_x = bound(std::min(a.x, b.x) - reach), last_x = bound(std::max(a.x, b.x) + reach);
        const int first_y = bound(std::min(a.y, b.y) - reach), last_y = bound(std::max(a.y, b.y) + reach);
        const auto square = [](double value) { return value * value; };
        const Point along{b.x - a.x, b.y - a.y};
        const double length = std::max(along.x * along.x + along.y * along.y, 1e-12);
        for (int y = first_y; y <= last_y; ++y)
          for (int x = first_x; x <= last_x; ++x) {
            const Point to{x + 0.5 - a.x, y + 0.5 - a.y};
            const double t = std::clamp((to.x * along.x + to.y * along.y) / length, 0.0, 1.0);
            const double distance = std::sqrt(square(to.x - t * along.x) + square(to.y - t * along.y));
            // A soft edge, as of a scanned and shrunk line.
            const auto value = static_cast<float>(std::clamp((pen / 2 - distance) / 1.2 + 0.5, 0.0, 1.0));
            float& pixel = ink[static_cast<std::size_t>(y * side + x)];
            pixel = std::max(pixel, value);
          }
      }
  };
  const Point centre{side / 2.0, side / 2.0};
  draw(centre);
  double mass = 1e-9, mass_x = 0, mass_y = 0;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const double value = ink[static_cast<std::size_t>(y * side + x)];
      mass += value;
      mass_x += value * (x + 0.5);
      mass_y += value * (y + 0.5);
    }
  draw({2 * centre.x - mass_x / mass, 2 * centre.y - mass_y / mass});
  for (std::size_t i = 0; i < ink.size(); ++i)
    pixels[i] = static_cast<std::uint8_t>(std::lround(ink[i] * 255));
}

}  // namespace detail

/// `count` images of digits, 28 x 28 x 1, with labels 0..9 in random order: drawn from strokes with random
/// proportions, slant, pen width and distortion. Image i depends on the seed and i alone. They resemble
/// MNIST's digits without having seen any: see docs/benchmarks.md for what a network trained on them reads of
/// the real ones.
inline Dataset synthetic_digits(std::size_t count, Seed seed = {}) {
  Dataset data{Images::from_shape({count, 28, 28, 1}), Labels::from_shape({count})};
  const auto draw = [&](std::size_t i) {
    Random random(RandomKey(seed).child(i));
    const auto digit = static_cast<std::size_t>(random.below(10));
    detail::Drawing drawing = detail::digit_strokes(digit, random);
    detail::distort(drawing, random);
    for (detail::Stroke& stroke : drawing) stroke = detail::smoothed(stroke);
    const double pen = std::clamp(2.3 + 0.7 * random.normal(), 1.2, 4.2);
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
