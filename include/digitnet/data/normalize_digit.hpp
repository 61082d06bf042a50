// From a drawing or a photo to what a network trained on MNIST expects: 28 x 28, the digit in a box of 20 x
// 20, its center of mass in the middle. LeCun, Cortes, Burges describe how MNIST's images were made:
// yann.lecun.com/exdb/mnist.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/core/tensor.hpp"

namespace digitnet {

/// How much ink lies on each pixel of a sheet: 0 none, 1 most; rows from the top.
struct InkImage {
  std::size_t height = 0, width = 0;
  std::vector<float> ink{};

  float at(std::size_t row, std::size_t column) const { return ink[row * width + column]; }
  float& at(std::size_t row, std::size_t column) { return ink[row * width + column]; }
};

namespace detail {

// The middle of some values.
inline float median(std::vector<float> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// What the sheet's brightness would be without ink: a polynomial of second degree in row and column, which
// follows uneven light but no stroke.
class SheetSurface {
 public:
  static constexpr std::size_t terms = 6;

  // Fitted to the border, then again and again to all that differs from the fit no more than noise does.
  explicit SheetSurface(const InkImage& image)
      : height_(static_cast<double>(image.height)), width_(static_cast<double>(image.width)) {
    const std::size_t step = std::max<std::size_t>(1, std::max(image.height, image.width) / 160);
    std::vector<std::array<std::size_t, 2>> places;
    for (std::size_t row = 0; row < image.height; row += step)
      for (std::size_t column = 0; column < image.width; column += step) places.push_back({row, column});
    const auto near_border = [&](std::size_t row, std::size_t column) {
      return 10 * std::min(row, image.height - 1 - row) < image.height ||
             10 * std::min(column, image.width - 1 - column) < image.width;
    };
    std::vector<float> distances;
    for (int round = 0; round < 6; ++round) {
      std::array<std::array<double, terms + 1>, terms> equations{};
      for (const auto& [row, column] : places) {
        const double value = double{image.at(row, column)};
        if (round == 0 ? !near_border(row, column) : std::abs(value - at(row, column)) > 3.5 * double{noise_})
          continue;
        const auto basis = powers(row, column);
        for (std::size_t i = 0; i < terms; ++i) {
          for (std::size_t j = 0; j < terms; ++j) equations[i][j] += basis[i] * basis[j];
          equations[i][terms] += basis[i] * value;
        }
      }
      solve(equations);
      distances.clear();
      for (const auto& [row, column] : places)
        if (round > 0 || near_border(row, column))
          distances.push_back(static_cast<float>(std::abs(double{image.at(row, column)} - at(row, column))));
      // Of normal noise the median distance is 0.67 deviations.
      noise_ = std::max(1.0f / 255, median(distances) / 0.67f);
    }
  }

  double at(std::size_t row, std::size_t column) const {
    const auto basis = powers(row, column);
    return std::inner_product(basis.begin(), basis.end(), factors_.begin(), 0.0);
  }
  // The deviation of what is no ink.
  float noise() const { return noise_; }

 private:
  std::array<double, terms> powers(std::size_t row, std::size_t column) const {
    const double y = 2 * static_cast<double>(row) / height_ - 1,
                 x = 2 * static_cast<double>(column) / width_ - 1;
    return {1, x, y, x * x, x * y, y * y};
  }
  // Gauss' elimination; the normal equations are positive definite, and a little of each factor is held back,
  // so that a single row of pixels does no harm.
  void solve(std::array<std::array<double, terms + 1>, terms> equations) {
    for (std::size_t i = 0; i < terms; ++i) equations[i][i] += 1e-6 * (1 + equations[0][0]);
    for (std::size_t i = 0; i < terms; ++i)
      for (std::size_t row = i + 1; row < terms; ++row) {
        const double part = equations[row][i] / equations[i][i];
        for (std::size_t j = i; j <= terms; ++j) equations[row][j] -= part * equations[i][j];
      }
    for (std::size_t i = terms; i-- > 0;) {
      double value = equations[i][terms];
      for (std::size_t j = i + 1; j < terms; ++j) value -= equations[i][j] * factors_[j];
      factors_[i] = value / equations[i][i];
    }
  }

  double height_, width_;
  std::array<double, terms> factors_{};
  float noise_ = 0;
};

// Ink of a photo: paper under uneven light, with noise.
[[gnu::cold]] inline void find_ink_of_photo(InkImage& image) {
  const SheetSurface sheet(image);
  // The largest differences, of squares of pixels, because single ones are noise.
  double darker = 0, lighter = 0;
  std::vector<float> differences(image.ink.size());
  for (std::size_t row = 0; row < image.height; ++row)
    for (std::size_t column = 0; column < image.width; ++column) {
      const double level = std::clamp(sheet.at(row, column), 0.02, 0.98),
                   value = double{image.at(row, column)};
      // A part of the light that the paper reflects, or of the light that it does not.
      differences[row * image.width + column] =
          static_cast<float>(value < level ? (value - level) / level : (value - level) / (1 - level));
    }
  const auto square = [&](std::size_t row, std::size_t column) {
    double sum = 0;
    for (std::size_t i = 0; i < 4; ++i)
      sum += double{differences[(row + i / 2) * image.width + column + i % 2]};
    return sum / 4;
  };
  for (std::size_t row = 0; row + 1 < image.height; ++row)
    for (std::size_t column = 0; column + 1 < image.width; ++column) {
      const double mean = square(row, column);
      darker = std::max(darker, -mean);
      lighter = std::max(lighter, mean);
    }
  const float direction = darker >= lighter ? -1.0f : 1.0f;
  const float most = static_cast<float>(std::max(darker, lighter));
  for (std::size_t row = 0; row < image.height; ++row)
    for (std::size_t column = 0; column < image.width; ++column) {
      float& value = image.at(row, column);
      const bool noise = std::abs(double{value} - sheet.at(row, column)) < 6 * double{sheet.noise()};
      const float difference = direction * differences[row * image.width + column];
      value = !noise && difference >= 0.2f * most ? std::min(1.0f, difference / most) : 0.0f;
    }
}

}  // namespace detail

/// Finds the ink of an image of bytes, (height, width, channels): dark on light or light on dark. The border
/// tells the color of the sheet; where it has no single one, the image is a photo, and the light on its paper
/// may be uneven. Channels are averaged. A sheet of one color has no ink.
[[gnu::cold]] inline InkImage find_ink(const std::uint8_t* bytes, std::size_t height, std::size_t width,
                                       std::size_t channels) {
  if (height == 0 || width == 0 || channels == 0)
    fail("An image to read needs at least one pixel, but has " + std::to_string(height) + " x " +
         std::to_string(width) + " x " + std::to_string(channels) + " values");
  InkImage image{height, width, std::vector<float>(height * width)};
  for (std::size_t i = 0; i < image.ink.size(); ++i) {
    float sum = 0;
    for (std::size_t c = 0; c < channels; ++c) sum += static_cast<float>(bytes[i * channels + c]);
    image.ink[i] = sum / (255.0f * static_cast<float>(channels));
  }
  std::vector<float> border;
  for (std::size_t row = 0; row < height; ++row)
    for (std::size_t column = 0; column < width; ++column)
      if (row == 0 || column == 0 || row + 1 == height || column + 1 == width)
        border.push_back(image.at(row, column));
  const float sheet = detail::median(border);
  for (float& value : border) value = std::abs(value - sheet);
  constexpr float level = 1.0f / 255;
  if (detail::median(border) > level / 2) {
    detail::find_ink_of_photo(image);
    return image;
  }

  const auto [low, high] = std::minmax_element(image.ink.begin(), image.ink.end());
  const float direction = sheet - *low > *high - sheet ? -1.0f : 1.0f;
  const float most = direction < 0 ? sheet - *low : *high - sheet;
  for (float& value : image.ink) {
    const float difference = direction * (value - sheet);
    value = difference >= 1.5f * level ? difference / most : 0.0f;
  }
  return image;
}

/// A part of an image, with rows and columns from `top` and `left` up to but not including `bottom` and
/// `right`.
struct InkBox {
  std::size_t top = 0, left = 0, bottom = 0, right = 0;

  bool empty() const { return bottom <= top || right <= left; }
  std::size_t height() const { return bottom - top; }
  std::size_t width() const { return right - left; }
};

/// The smallest box around all ink; empty where there is none.
inline InkBox box_of_ink(const InkImage& image) {
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

/// The part `box` of an image with another number of rows and columns.
[[gnu::cold]] inline InkImage resized(const InkImage& image, const InkBox& box, std::size_t height,
                                      std::size_t width) {
  const detail::Resampling rows(box.height(), height), columns(box.width(), width);
  InkImage narrow{box.height(), width, std::vector<float>(box.height() * width)};
  for (std::size_t row = 0; row < box.height(); ++row)
    for (std::size_t column = 0; column < width; ++column)
      for (std::size_t i = 0; i < columns.weights[column].size(); ++i)
        narrow.at(row, column) +=
            columns.weights[column][i] * image.at(box.top + row, box.left + columns.first[column] + i);
  InkImage result{height, width, std::vector<float>(height * width)};
  for (std::size_t row = 0; row < height; ++row)
    for (std::size_t i = 0; i < rows.weights[row].size(); ++i)
      for (std::size_t column = 0; column < width; ++column)
        result.at(row, column) += rows.weights[row][i] * narrow.at(rows.first[row] + i, column);
  return result;
}

/// The ink in `box` as MNIST has its digits: 28 x 28 values from 0 to 1. An empty box gives an empty image.
[[gnu::cold]] inline std::array<float, 28 * 28> normalize_digit(const InkImage& image, const InkBox& box) {
  constexpr std::size_t side = 28, fitted = 20;
  std::array<float, side * side> result{};
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
  const auto place = [&](double mean, std::size_t length) {
    const double wanted = std::round(side / 2.0 - mean / mass);
    return static_cast<std::size_t>(std::clamp(wanted, 0.0, static_cast<double>(side - length)));
  };
  const std::size_t top = place(mean_row, digit.height), left = place(mean_column, digit.width);
  for (std::size_t row = 0; row < digit.height; ++row)
    for (std::size_t column = 0; column < digit.width; ++column)
      result[(top + row) * side + left + column] = std::clamp(digit.at(row, column), 0.0f, 1.0f);
  return result;
}
/// All ink as one digit.
[[gnu::cold]] inline std::array<float, 28 * 28> normalize_digit(const InkImage& image) {
  return normalize_digit(image, box_of_ink(image));
}

/// The digits of a number that was written in a row, from the left: boxes around connected ink. Strokes that
/// lie above one another belong to one digit (the bar of a 5 that does not touch); specks are left out.
[[gnu::cold]] inline std::vector<InkBox> split_digits(const InkImage& image) {
  struct Piece {
    InkBox box;
    double mass;
  };
  std::vector<Piece> pieces;
  std::vector<bool> seen(image.ink.size());
  std::vector<std::size_t> stack;
  for (std::size_t start = 0; start < image.ink.size(); ++start) {
    if (seen[start] || image.ink[start] <= 0) continue;
    Piece piece{{image.height, image.width, 0, 0}, 0};
    seen[start] = true;
    stack.assign(1, start);
    while (!stack.empty()) {
      const std::size_t row = stack.back() / image.width, column = stack.back() % image.width;
      stack.pop_back();
      piece.mass += double{image.at(row, column)};
      piece.box = {std::min(piece.box.top, row), std::min(piece.box.left, column),
                   std::max(piece.box.bottom, row + 1), std::max(piece.box.right, column + 1)};
      for (std::size_t r = row > 0 ? row - 1 : 0; r < std::min(row + 2, image.height); ++r)
        for (std::size_t c = column > 0 ? column - 1 : 0; c < std::min(column + 2, image.width); ++c)
          if (const std::size_t next = r * image.width + c; !seen[next] && image.ink[next] > 0) {
            seen[next] = true;
            stack.push_back(next);
          }
    }
    pieces.push_back(piece);
  }
  double most = 0;
  for (const Piece& piece : pieces) most = std::max(most, piece.mass);
  std::erase_if(pieces, [&](const Piece& piece) { return piece.mass < 0.03 * most; });
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.box.left < b.box.left; });
  std::vector<InkBox> digits;
  for (const Piece& piece : pieces) {
    if (!digits.empty()) {
      InkBox& last = digits.back();
      const std::size_t right = std::min(last.right, piece.box.right);
      const std::size_t shared = right > piece.box.left ? right - piece.box.left : 0;
      if (2 * shared > std::min(last.width(), piece.box.width())) {
        last = {std::min(last.top, piece.box.top), last.left, std::max(last.bottom, piece.box.bottom),
                std::max(last.right, piece.box.right)};
        continue;
      }
    }
    digits.push_back(piece.box);
  }
  return digits;
}

}  // namespace digitnet
