// Images and tables for a terminal: Unicode's half blocks show two pixels a character.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/train/metrics.hpp"

namespace digitnet {

/// An image of one channel, (height, width), as lines of text: in 24 grays where `color`, else black and
/// white, with what is at least half bright drawn as blocks.
DIGITNET_INLINE std::string terminal_image(const std::uint8_t* pixels, std::size_t height, std::size_t width,
                                           bool color = true);

/// The confusion matrix as text: a row for each true class, a column for each predicted one. Where `color`,
/// what is right lies on green and what is wrong on red, the deeper the larger its part of the row.
DIGITNET_INLINE std::string terminal_confusion_matrix(const ConfusionMatrix& counts,
                                                      const std::vector<std::string>& names = {},
                                                      bool color = true);

/// "99.21 ± 0.09 %": a part of `count` independent samples, with its standard error sqrt(p (1 - p) / n).
DIGITNET_INLINE std::string percent_with_error(double part, std::size_t count);

/// "99.70 ± 0.02 %": the mean of several measurements (parts, such as the accuracies of several seeds) and
/// its standard error, the standard deviation over the root of their number.
DIGITNET_INLINE std::string percent_with_error(const std::vector<double>& parts);

}  // namespace digitnet

#if DIGITNET_BODIES
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "digitnet/core/error.hpp"
#include "digitnet/report/classification_report.hpp"

namespace digitnet {

namespace detail {

// A color among the 24 grays of 256-color terminals.
inline std::string gray(int kind, std::uint8_t value) {
  return "\x1b[" + std::to_string(kind) + ";5;" + std::to_string(232 + value * 24 / 256) + "m";
}

}  // namespace detail

DIGITNET_INLINE std::string terminal_image(const std::uint8_t* pixels, std::size_t height, std::size_t width,
                                           bool color) {
  std::string text, colors;
  for (std::size_t y = 0; y < height; y += 2) {
    for (std::size_t x = 0; x < width; ++x) {
      const std::uint8_t upper = pixels[y * width + x];
      const std::uint8_t lower = y + 1 < height ? pixels[(y + 1) * width + x] : std::uint8_t{0};
      if (!color) {
        text += upper >= 128 ? (lower >= 128 ? "█" : "▀") : (lower >= 128 ? "▄" : " ");
        continue;
      }
      const std::string wanted = detail::gray(38, upper) + detail::gray(48, lower);
      if (wanted != colors) text += wanted;
      text += "▀";
      colors = wanted;
    }
    text += color ? "\x1b[0m\n" : "\n";
    colors.clear();
  }
  return text;
}

DIGITNET_INLINE std::string terminal_confusion_matrix(const ConfusionMatrix& counts,
                                                      const std::vector<std::string>& names, bool color) {
  const std::size_t classes = counts.shape()[0];
  if (!names.empty() && names.size() < classes)
    fail("There are " + std::to_string(names.size()) + " class names, but the confusion matrix has " +
         std::to_string(classes) + " classes");
  const auto name = [&](std::size_t i) { return names.empty() ? std::to_string(i) : names[i]; };
  std::size_t width = 1, name_width = 4;
  for (const std::size_t count : counts) width = std::max(width, std::to_string(count).size());
  for (std::size_t i = 0; i < classes; ++i) name_width = std::max(name_width, name(i).size());
  width = std::max(width, std::to_string(classes - 1).size());

  std::string text =
      detail::padded_left("", name_width) + "  predicted\n" + detail::padded_left("true", name_width) + " ";
  for (std::size_t j = 0; j < classes; ++j)
    text.append(" ").append(detail::padded_left(std::to_string(j), width)).append(" ");
  text += "\n";
  // Greens and reds among the 256 colors on which white text has a contrast of 4.5 to 1.
  constexpr int right[] = {22, 22, 22, 28, 28, 28}, wrong[] = {52, 88, 88, 124, 124, 160};
  for (std::size_t i = 0; i < classes; ++i) {
    std::size_t row = 0;
    for (std::size_t j = 0; j < classes; ++j) row += counts(i, j);
    text.append(detail::padded_left(name(i), name_width)).append(" ");
    for (std::size_t j = 0; j < classes; ++j) {
      const std::size_t count = counts(i, j);
      std::string cell = " ";
      cell += detail::padded_left(count == 0 ? "·" : std::to_string(count), count == 0 ? width + 1 : width);
      cell += " ";
      if (!color || count == 0) {
        text += cell;
        continue;
      }
      const double part = static_cast<double>(count) / static_cast<double>(row);
      // Mistakes are a small part of a row: their root tells them apart.
      const auto step = static_cast<std::size_t>(std::min(5.0, 6 * (i == j ? part : std::sqrt(part))));
      text += "\x1b[97;48;5;" + std::to_string(i == j ? right[step] : wrong[step]) + "m" + cell + "\x1b[0m";
    }
    text += "\n";
  }
  return text;
}

DIGITNET_INLINE std::string percent_with_error(double part, std::size_t count) {
  char text[64];
  const double error =
      count == 0 ? 0 : std::sqrt(std::max(0.0, part * (1 - part)) / static_cast<double>(count));
  std::snprintf(text, sizeof text, "%.2f ± %.2f %%", 100 * part, 100 * error);
  return text;
}

DIGITNET_INLINE std::string percent_with_error(const std::vector<double>& parts) {
  if (parts.empty()) fail("A mean needs at least one value");
  double mean = 0, squares = 0;
  const auto count = static_cast<double>(parts.size());
  for (const double part : parts) mean += part / count;
  for (const double part : parts) squares += (part - mean) * (part - mean);
  char text[64];
  if (parts.size() == 1)
    std::snprintf(text, sizeof text, "%.2f %%", 100 * mean);
  else
    std::snprintf(text, sizeof text, "%.2f ± %.2f %%", 100 * mean,
                  100 * std::sqrt(squares / (count - 1) / count));
  return text;
}

}  // namespace digitnet
#endif
