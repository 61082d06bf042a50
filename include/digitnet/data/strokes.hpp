// Strokes of a pen: smooth curves through points, drawn with a round tip.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

#include "digitnet/data/ink_image.hpp"

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

// Where points of a drawing lie: x to the right, y down.
struct InkExtent {
  Point low{1e9, 1e9}, high{-1e9, -1e9};

  explicit InkExtent(const Drawing& drawing) {
    for (const Stroke& stroke : drawing)
      for (const Point& point : stroke) {
        low = {std::min(low.x, point.x), std::min(low.y, point.y)};
        high = {std::max(high.x, point.x), std::max(high.y, point.y)};
      }
  }
  double width() const { return high.x - low.x; }
  double height() const { return high.y - low.y; }
  Point middle() const { return {(low.x + high.x) / 2, (low.y + high.y) / 2}; }
};

// Draws round-ended lines of a width onto a sheet, in its pixels; the ink's edge is `softness` pixels wide.
inline void draw_strokes(const Drawing& drawing, double pen, double softness, InkImage& sheet) {
  const auto bound = [](double value, std::size_t size) {
    return static_cast<std::size_t>(std::clamp(value, 0.0, static_cast<double>(size)));
  };
  const auto square = [](double value) { return value * value; };
  const double reach = pen / 2 + softness;
  for (const Stroke& stroke : drawing)
    for (std::size_t i = 0; i < stroke.size() && (i == 0 || i + 1 < stroke.size()); ++i) {
      const Point a = stroke[i], b = stroke[std::min(i + 1, stroke.size() - 1)];
      const std::size_t first_x = bound(std::min(a.x, b.x) - reach, sheet.width),
                        end_x = bound(std::max(a.x, b.x) + reach + 1, sheet.width);
      const std::size_t first_y = bound(std::min(a.y, b.y) - reach, sheet.height),
                        end_y = bound(std::max(a.y, b.y) + reach + 1, sheet.height);
      const Point along{b.x - a.x, b.y - a.y};
      const double length = std::max(along.x * along.x + along.y * along.y, 1e-12);
      for (std::size_t y = first_y; y < end_y; ++y)
        for (std::size_t x = first_x; x < end_x; ++x) {
          const Point to{static_cast<double>(x) + 0.5 - a.x, static_cast<double>(y) + 0.5 - a.y};
          const double t = std::clamp((to.x * along.x + to.y * along.y) / length, 0.0, 1.0);
          const double distance = std::sqrt(square(to.x - t * along.x) + square(to.y - t * along.y));
          const auto value = static_cast<float>(std::clamp((pen / 2 - distance) / softness + 0.5, 0.0, 1.0));
          float& pixel = sheet.at(y, x);
          pixel = std::max(pixel, value);
        }
    }
}

}  // namespace detail

}  // namespace digitnet
