// Tells the ink of a drawing or a photo from its paper.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/data/ink_image.hpp"

namespace digitnet {

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

}  // namespace digitnet
