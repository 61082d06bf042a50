// Ways to write a digit that MNIST's writers seldom used and others do: ones with a flag and a foot, barred
// sevens, open fours, looped twos.
#pragma once
#include <cstddef>
#include <cstdint>

#include "digitnet/core/random.hpp"
#include "digitnet/data/digit_strokes.hpp"
#include "digitnet/data/strokes.hpp"

namespace digitnet {

namespace detail {

/// As digit_strokes: points of smooth strokes in a box 1 wide and 1 high.
inline Drawing rare_digit_strokes(std::size_t digit, Random& random) {
  const auto about = [&](double middle, double spread) {
    return random.uniform(middle - spread, middle + spread);
  };
  const std::uint64_t way = random.below(12);
  switch (digit) {
    case 0: {
      if (way < 8) {
        // Narrow or wide, closed or left open at the top, or with its end inside.
        const double start = about(-90, 50), turn = about(-365, 35), radius = about(0.36, 0.16);
        return {joined(arc({0.5, 0.5}, radius, 0.48, start, start + turn / 2),
                       arc({about(0.5, 0.04), about(0.5, 0.04)}, radius * about(0.95, 0.06),
                           about(0.46, 0.03), start + turn / 2, start + turn))};
      }
      // Nearly a rectangle.
      const double side = about(0.32, 0.1);
      return {{{0.5, 0.0},
               {0.5 - side, about(0.06, 0.05)},
               {0.5 - side, 0.5},
               {0.5 - side, about(0.94, 0.05)},
               {0.5, 1.0},
               {0.5 + side, about(0.94, 0.05)},
               {0.5 + side, 0.5},
               {0.5 + side, about(0.06, 0.05)},
               {about(0.5, 0.06), 0.0}}};
    }
    case 1: {
      const double stem = about(0.55, 0.06), foot = about(0.5, 0.05);
      const Stroke down{{stem, 0.0}, {about((stem + foot) / 2, 0.02), 0.5}, {foot, 1.0}};
      // A flag from a short tick to half of the height, and straight, bent or hanging.
      const double reach = about(0.28, 0.2), drop = about(0.3, 0.2);
      const Stroke flag{
          {stem - reach, drop}, {stem - reach * about(0.45, 0.1), drop * about(0.5, 0.2)}, {stem, 0.0}};
      const double left = about(0.25, 0.15), right = about(0.25, 0.15), tilt = about(0, 0.04);
      const Stroke base{{foot - left, 1.0 + tilt}, {foot + right, 1.0 - tilt}};
      if (way < 4) return {flag, down};
      if (way < 10) return {flag, down, base};
      if (way < 11) return {down, base};
      // A tick that starts at the left and comes down in one curve.
      return {
          {{stem - reach, drop}, {stem - 0.05, 0.04}, {stem, 0.12}, {(stem + foot) / 2, 0.6}, {foot, 1.0}}};
    }
    case 2: {
      const double floor = about(0.95, 0.05), head = about(0.28, 0.1);
      const Stroke bow = arc({0.48, 0.27}, head, about(0.26, 0.03), about(-160, 35), about(20, 15));
      if (way < 5)
        // Looped at the lower left, the loop flat or tall.
        return {joined(bow, {{about(0.56, 0.08), 0.58},
                             {about(0.26, 0.06), floor - 0.04},
                             {about(0.1, 0.06), floor - about(0.06, 0.04)},
                             {about(0.16, 0.06), floor - about(0.22, 0.08)},
                             {about(0.36, 0.06), floor - about(0.12, 0.06)},
                             {0.6, floor},
                             {about(0.92, 0.08), floor - about(0.02, 0.12)}})};
      if (way < 8) {
        // Like a Z: a straight back, and corners.
        const double corner = about(0.78, 0.08);
        return {{{about(0.18, 0.08), about(0.1, 0.08)},
                 {0.5, 0.0},
                 {corner, about(0.1, 0.06)},
                 {about(0.68, 0.08), 0.4}},
                {{about(0.68, 0.08), 0.4}, {0.14, floor}},
                {{0.14, floor}, {about(0.9, 0.1), about(floor, 0.05)}}};
      }
      // A swan's neck that ends in a wave.
      return {
          joined(bow, {{0.62, 0.55}, {about(0.3, 0.08), 0.82}, {0.12, floor}}),
          {{0.12, floor}, {0.3, floor - about(0.1, 0.06)}, {0.6, floor}, {0.9, floor - about(0.06, 0.08)}}};
    }
    case 3: {
      const double neck = about(0.46, 0.06), inner = about(0.44, 0.12);
      const Stroke lower =
          joined({{inner, neck}}, arc({0.46, 0.72}, about(0.34, 0.08), 0.28, -55, about(150, 30)));
      if (way < 6) {
        // Flat at the top.
        const double right = about(0.76, 0.08), top = about(0.03, 0.03);
        return {{{about(0.14, 0.08), top}, {0.45, top}, {right, top}}, {{right, top}, {inner, neck}}, lower};
      }
      if (way < 9)
        // A loop between the bows.
        return {joined(joined(arc({0.46, 0.25}, about(0.3, 0.06), 0.24, about(-150, 25), 60),
                              {{inner, neck}, {inner - about(0.1, 0.04), neck + 0.02}, {inner, neck + 0.05}}),
                       arc({0.46, 0.72}, about(0.34, 0.06), 0.27, -45, about(145, 25)))};
      return {arc({0.46, 0.25}, about(0.3, 0.08), 0.24, about(-140, 35), 80), lower};
    }
    case 4: {
      const double bar = about(0.58, 0.12), stem = about(0.68, 0.1), end = about(0.92, 0.1),
                   lean = about(0.02, 0.05);
      if (way < 5) {
        // Open: a slanted or upright left arm, a bar, and a stem that starts high or only above the bar.
        const double top = about(0.18, 0.18), left = about(0.12, 0.06);
        return {{{about(0.24, 0.14), about(0.02, 0.02)}, {left, bar}},
                {{left, bar}, {0.5, about(bar, 0.03)}, {end, about(bar, 0.05)}},
                {{stem, top}, {stem - lean, 0.5}, {stem - 2 * lean, 1.0}}};
      }
      if (way < 8)
        // Open: the arm runs round into the bar like a u.
        return {
            {{about(0.16, 0.08), 0.0},
             {about(0.12, 0.05), bar * 0.6},
             {about(0.2, 0.05), bar - 0.02},
             {0.45, bar},
             {stem, about(bar - 0.08, 0.06)}},
            {{stem + about(0.02, 0.03), about(0.06, 0.06)}, {stem, 0.5}, {stem - about(0.04, 0.06), 1.0}}};
      if (way < 10)
        // The bar ends at the stem.
        return {{{about(0.22, 0.1), 0.0}, {0.12, bar}},
                {{0.12, bar}, {stem, about(bar, 0.03)}},
                {{stem, about(0.05, 0.05)}, {stem - lean, 1.0}}};
      // Closed, in corners; the stem may begin above.
      return {{{stem, about(0.02, 0.02)}, {about(0.08, 0.06), bar}},
              {{about(0.08, 0.06), bar}, {end, about(bar, 0.04)}},
              {{stem, 0.0}, {stem - lean, 1.0}}};
    }
    case 5: {
      const double top = about(0.03, 0.03), left = about(0.26, 0.1), neck = about(0.44, 0.06);
      if (way < 4)
        // One stroke like an S.
        return {{{about(0.82, 0.1), about(0.04, 0.04)},
                 {0.5, 0.03},
                 {left, about(0.2, 0.05)},
                 {about(0.36, 0.06), neck},
                 {about(0.72, 0.08), about(0.62, 0.05)},
                 {about(0.7, 0.08), about(0.88, 0.04)},
                 {0.42, 1.0},
                 {about(0.14, 0.08), about(0.9, 0.06)}}};
      const Stroke bowl =
          joined({{left, neck}}, arc({0.42, 0.7}, about(0.36, 0.08), about(0.29, 0.02), -80, about(145, 30)));
      const Stroke down{{left, top}, {left - about(0.01, 0.02), neck}};
      // The bar lies on the neck or stands apart.
      const double apart = way < 8 ? 0.0 : about(0.05, 0.06), lift = about(0, 0.08);
      return {{{left + apart, top + lift / 2}, {about(0.85, 0.12), top - lift / 2}}, down, bowl};
    }
    case 6: {
      const double radius = about(0.27, 0.1), height = about(0.24, 0.08), loop = 0.98 - height;
      const double start = about(0.55, 0.3), left = 0.18;
      if (way < 6)
        // A straight back.
        return {joined({{start, 0.0}, {(start + left) / 2, about(0.3, 0.05)}, {left, loop}},
                       arc({left + radius, loop}, radius, height, 170, about(-185, 40)))};
      return {joined({{about(0.75, 0.1), about(0.06, 0.05)},
                      {0.5, 0.0},
                      {about(0.26, 0.05), about(0.26, 0.05)},
                      {left, loop}},
                     arc({left + radius, loop}, radius, height, 170, about(-185, 40)))};
    }
    case 7: {
      const double foot = about(0.42, 0.16), corner = about(0.82, 0.08), left = about(0.14, 0.08);
      const Stroke bar{{left, about(0.06, 0.06)}, {0.45, about(0.04, 0.04)}, {corner, 0.03}};
      const Stroke down{{corner, 0.03}, {about((corner + foot) / 2, 0.07), 0.5}, {foot, 1.0}};
      const double height = about(0.5, 0.08), middle = (corner + foot) / 2;
      const Stroke cross{{middle - about(0.22, 0.08), height + about(0, 0.05)},
                         {middle + about(0.22, 0.08), height + about(0, 0.05)}};
      const Stroke hook{{about(left, 0.02), about(0.25, 0.08)}, {left, 0.05}};
      if (way < 6) return {bar, down, cross};
      if (way < 9) return {hook, bar, down, cross};
      return {hook, bar, down};
    }
    case 8: {
      const double neck = about(0.46, 0.08), upper = about(0.24, 0.1), lower = about(0.28, 0.12);
      if (way < 6)
        return {
            arc({0.5, neck / 2}, upper, neck / 2, about(90, 40), about(450, 30)),
            arc({about(0.5, 0.05), (1 + neck) / 2}, lower, (1 - neck) / 2, about(-90, 40), about(270, 30))};
      // An S that is closed by a straight line.
      return {{{about(0.76, 0.08), about(0.08, 0.06)},
               {0.48, 0.0},
               {about(0.22, 0.06), about(0.2, 0.04)},
               {0.5, neck},
               {about(0.8, 0.06), 0.76},
               {0.5, 1.0},
               {about(0.2, 0.06), about(0.8, 0.05)},
               {0.52, neck},
               {about(0.8, 0.08), about(0.12, 0.08)}}};
    }
    default: {
      const double loop = about(0.27, 0.06), radius = about(0.28, 0.08), right = about(0.74, 0.04);
      const Stroke head =
          arc({right - radius, loop}, radius, about(0.26, 0.03), about(-30, 30), about(-350, 25));
      if (way < 5)
        return {head, {{right, about(0.08, 0.08)}, {right - about(0.02, 0.03), 0.5}, {about(0.7, 0.1), 1.0}}};
      if (way < 9)
        // A tail that turns to the left.
        return {joined(
            head,
            {{right, 0.5}, {about(0.68, 0.06), 0.85}, {0.45, 1.0}, {about(0.18, 0.08), about(0.88, 0.08)}})};
      return {joined(head, {{right, 0.4}, {about(0.6, 0.08), 0.7}, {about(0.4, 0.16), 1.0}})};
    }
  }
}

}  // namespace detail

}  // namespace digitnet
