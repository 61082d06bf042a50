// The usual ways to write each digit, as strokes of a pen in a box 1 wide and 1 high.
#pragma once
#include <cstddef>
#include <cstdint>
#include <numbers>

#include "digitnet/core/random.hpp"
#include "digitnet/data/strokes.hpp"

namespace digitnet {

namespace detail {

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
      // The upper loop often stands to the right.
      const double lean = about(0.06, 0.1);
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

}  // namespace detail

}  // namespace digitnet
