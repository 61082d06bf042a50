// Estimates how bright the paper of a photo is below the ink: light falls unevenly, and shadows have edges.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "digitnet/data/ink_image.hpp"

namespace digitnet {

namespace detail {

// The middle of some values.
inline float median(std::vector<float> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The brightness of most pixels around each: strokes are narrower than the neighborhood, and a shadow's
// straight edge stays where it is.
class Paper {
 public:
  explicit Paper(const InkImage& image)
      : block_(std::max<std::size_t>(1, std::max(image.height, image.width) / 96)),
        height_((image.height + block_ - 1) / block_),
        width_((image.width + block_ - 1) / block_) {
    const InkImage small = resized(image, {0, 0, image.height, image.width}, height_, width_);
    const std::size_t shorter = std::min(height_, width_);
    reach_ = std::max<std::size_t>(1, std::min(std::max(height_, width_) / 6, shorter / 2));
    find_medians(extended(small));
    lowest_ = highest_ = medians_;
    for (std::size_t row = 0; row < height_; ++row)
      for (std::size_t column = 0; column < width_; ++column)
        for (std::size_t r = row > 0 ? row - 1 : 0; r < std::min(row + 2, height_); ++r)
          for (std::size_t c = column > 0 ? column - 1 : 0; c < std::min(column + 2, width_); ++c) {
            const float value = medians_[r * width_ + c];
            float &low = lowest_[row * width_ + column], &high = highest_[row * width_ + column];
            low = std::min(low, value);
            high = std::max(high, value);
          }
  }

  // What the paper may be at a pixel: at a shadow's edge both sides.
  std::pair<float, float> range_at(std::size_t row, std::size_t column) const {
    const std::size_t place = row / block_ * width_ + column / block_;
    return {lowest_[place], highest_[place]};
  }

 private:
  // With a border that goes on as the image ends, so that light falls off there as it does inside.
  InkImage extended(const InkImage& image) const {
    InkImage result{height_ + 2 * reach_, width_ + 2 * reach_, {}};
    result.ink.resize(result.height * result.width);
    const auto mirrored = [this](std::size_t place, std::size_t size) {
      const auto last = static_cast<std::ptrdiff_t>(size) - 1;
      const auto at = static_cast<std::ptrdiff_t>(place) - static_cast<std::ptrdiff_t>(reach_);
      const std::ptrdiff_t inside = std::clamp<std::ptrdiff_t>(at < 0      ? -at
                                                               : at > last ? 2 * last - at
                                                                           : at,
                                                               0, last);
      return std::pair{static_cast<std::size_t>(inside),
                       static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(at, 0, last))};
    };
    for (std::size_t row = 0; row < result.height; ++row)
      for (std::size_t column = 0; column < result.width; ++column) {
        const auto [r, edge_r] = mirrored(row, height_);
        const auto [c, edge_c] = mirrored(column, width_);
        const float value =
            r == edge_r && c == edge_c ? image.at(r, c) : 2 * image.at(edge_r, edge_c) - image.at(r, c);
        result.ink[row * result.width + column] = std::clamp(value, 0.0f, 1.0f);
      }
    return result;
  }
  // Huang's running histogram. Huang, Yang, Tang: A Fast Two-Dimensional Median Filtering Algorithm (1979).
  void find_medians(const InkImage& image) {
    medians_.resize(height_ * width_);
    constexpr std::size_t levels = 256;
    std::vector<std::uint8_t> bytes(image.ink.size());
    std::transform(image.ink.begin(), image.ink.end(), bytes.begin(),
                   [](float value) { return static_cast<std::uint8_t>(std::lround(255 * value)); });
    const std::size_t side = 2 * reach_ + 1;
    for (std::size_t row = 0; row < height_; ++row) {
      std::array<int, levels> counts{};
      int below = 0;
      std::size_t middle = 0;
      const auto change = [&](std::size_t column, int by) {
        for (std::size_t r = row; r < row + side; ++r) {
          const std::uint8_t value = bytes[r * image.width + column];
          counts[value] += by;
          if (value < middle) below += by;
        }
      };
      for (std::size_t column = 0; column + 1 < side; ++column) change(column, 1);
      const int half = static_cast<int>(side * side / 2);
      for (std::size_t column = 0; column < width_; ++column) {
        change(column + side - 1, 1);
        while (below > half) below -= counts[--middle];
        while (below + counts[middle] <= half) below += counts[middle++];
        medians_[row * width_ + column] = static_cast<float>(middle) / 255;
        change(column, -1);
      }
    }
  }

  std::size_t block_, height_, width_, reach_ = 1;
  std::vector<float> medians_, lowest_, highest_;
};

// Ink of a photo: paper under uneven light, with noise. Brightness becomes ink.
inline void find_ink_of_photo(InkImage& image) {
  const Paper paper(image);
  std::vector<float> differences(image.ink.size()), noises;
  for (std::size_t row = 0; row < image.height; ++row)
    for (std::size_t column = 0; column < image.width; ++column) {
      const auto [low, high] = paper.range_at(row, column);
      const float value = image.at(row, column);
      // A part of the light that the paper reflects, or of the light that it does not.
      differences[row * image.width + column] = value < low    ? (value - low) / std::max(low, 0.02f)
                                                : value > high ? (value - high) / std::max(1 - high, 0.02f)
                                                               : 0.0f;
      if ((row + 3 * column) % 7 == 0) noises.push_back(std::abs(value - (low + high) / 2));
    }
  // Of normal noise the median distance is 0.67 deviations.
  const float noise = std::max(1.0f / 255, median(std::move(noises)) / 0.67f);
  // The largest differences, of squares of pixels, because single ones are noise.
  // Whether ink is darker or lighter than paper, the brightness itself tells: on white paper the smallest
  // difference upwards would be a large part.
  std::array<float, 2> most_light{}, most_part{};
  for (std::size_t row = 0; row + 1 < image.height; ++row)
    for (std::size_t column = 0; column + 1 < image.width; ++column) {
      const auto [low, high] = paper.range_at(row, column);
      const float* const d = &differences[row * image.width + column];
      const float mean = (d[0] + d[1] + d[image.width] + d[image.width + 1]) / 4;
      const std::size_t lighter = mean > 0;
      most_part[lighter] = std::max(most_part[lighter], std::abs(mean));
      most_light[lighter] = std::max(most_light[lighter], lighter ? mean * (1 - high) : -mean * low);
    }
  const bool light_ink = most_light[1] > most_light[0];
  const float direction = light_ink ? 1.0f : -1.0f, most = most_part[light_ink];
  for (std::size_t row = 0; row < image.height; ++row)
    for (std::size_t column = 0; column < image.width; ++column) {
      float& value = image.at(row, column);
      const auto [low, high] = paper.range_at(row, column);
      const float difference = direction * differences[row * image.width + column];
      const float distance = direction < 0 ? low - value : value - high;
      value = distance >= 5 * noise && difference >= 0.2f * most ? std::min(1.0f, difference / most) : 0.0f;
    }
}

}  // namespace detail

}  // namespace digitnet
