// The brightness of each pixel of a picture; transparent pixels count too.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "digitnet/core/language.hpp"

namespace digitnet {

namespace detail {

// Brightness from 0 to 1 of (height, width, channels) bytes: of gray, or the mean of red, green and blue;
// with 2 or 4 channels the last one says how opaque a pixel is. What is transparent gets the color that shows
// the rest: a drawing lies on white if its ink is dark and on black if it is light, and a sheet with holes on
// more of its own.
inline std::vector<float> brightness(const std::uint8_t* bytes, std::size_t pixels, std::size_t channels) {
  const bool has_opacity = channels == 2 || channels == 4;
  const std::size_t colors = channels - (has_opacity ? 1 : 0);
  std::vector<float> result(pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    float sum = 0;
    for (std::size_t c = 0; c < colors; ++c) sum += static_cast<float>(bytes[i * channels + c]);
    result[i] = sum / (255.0f * static_cast<float>(colors));
  }
  if (!has_opacity) return result;

  const auto opacity = [&](std::size_t i) { return static_cast<float>(bytes[i * channels + colors]) / 255; };
  double opaque = 0, light = 0;
  for (std::size_t i = 0; i < pixels; ++i) {
    opaque += double{opacity(i)};
    light += double{opacity(i) * result[i]};
  }
  const double mean = opaque > 0 ? light / opaque : 1;
  const bool is_sheet = 2 * opaque > static_cast<double>(pixels);
  const auto behind = static_cast<float>(is_sheet ? mean : mean < 0.5 ? 1 : 0);
  for (std::size_t i = 0; i < pixels; ++i) result[i] = opacity(i) * result[i] + (1 - opacity(i)) * behind;
  return result;
}

}  // namespace detail

}  // namespace digitnet
