// Turns a drawing or a photo into what a network trained on MNIST expects: 28 x 28 values, the digit in a box
// of 20 x 20, its center of mass in the middle. LeCun, Cortes, Burges describe how MNIST's images were made:
// yann.lecun.com/exdb/mnist.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "digitnet/data/find_ink.hpp"
#include "digitnet/data/ink_image.hpp"
#include "digitnet/data/pen_width.hpp"
#include "digitnet/data/split_digits.hpp"

namespace digitnet {

/// The ink in a box, as it is, where MNIST has its digits: 28 x 28 values from 0 to 1. An empty box gives an
/// empty image.
inline std::array<float, 28 * 28> place_digit(const InkImage& image, const InkBox& place) {
  constexpr std::size_t side = 28, fitted = 20;
  image.check();
  std::array<float, side * side> result{};
  const InkBox box = place.within(image.height, image.width);
  if (box.empty()) return result;
  const double scale = static_cast<double>(fitted) / static_cast<double>(std::max(box.height(), box.width()));
  const auto scaled = [&](std::size_t length) {
    return std::clamp<std::size_t>(static_cast<std::size_t>(std::lround(scale * static_cast<double>(length))),
                                   1, fitted);
  };
  const InkImage digit = resized(image, box, scaled(box.height()), scaled(box.width()));

  double mass = 0, mean_row = 0, mean_column = 0;
  for (std::size_t row = 0; row < digit.height; ++row)
    for (std::size_t column = 0; column < digit.width; ++column) {
      const double ink = double{digit.at(row, column)};
      mass += ink;
      mean_row += ink * static_cast<double>(row);
      mean_column += ink * static_cast<double>(column);
    }
  if (mass <= 0) return result;
  // The place of the upper left corner. The center of mass lies in row and column 14, counted from 0 (in all
  // of MNIST's images it is less than half a pixel from there); the whole digit stays in the image.
  const auto corner = [&](double mean, std::size_t length) {
    const double wanted = std::round(side / 2.0 - mean / mass);
    return static_cast<std::size_t>(std::clamp(wanted, 0.0, static_cast<double>(side - length)));
  };
  const std::size_t top = corner(mean_row, digit.height), left = corner(mean_column, digit.width);
  for (std::size_t row = 0; row < digit.height; ++row)
    for (std::size_t column = 0; column < digit.width; ++column)
      result[(top + row) * side + left + column] = std::clamp(digit.at(row, column), 0.0f, 1.0f);
  return result;
}
/// The ink in a box as MNIST has its digits: 28 x 28 values from 0 to 1, drawn with a pen that is not much
/// thinner than theirs. An empty box gives an empty image.
inline std::array<float, 28 * 28> normalize_digit(const InkImage& image, const InkBox& place) {
  image.check();
  const InkBox box = place.within(image.height, image.width);
  if (box.empty()) return {};
  // Thinner than 19 of 20 of MNIST's.
  constexpr double thinnest = 1.9 / 20;
  const InkImage wider = detail::with_wider_pen(image, box, thinnest);
  return wider.ink.empty() ? place_digit(image, box) : place_digit(wider, box_of_ink(wider));
}
/// All ink as one digit.
inline std::array<float, 28 * 28> normalize_digit(const InkImage& image) {
  return normalize_digit(image, box_of_ink(image));
}

}  // namespace digitnet
