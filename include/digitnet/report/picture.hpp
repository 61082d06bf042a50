// A picture of colored pixels to draw on: rectangles, captions, other pictures.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/report/glyphs.hpp"

namespace digitnet {

/// A color of sRGB, each part from 0 to 255.
struct Color {
  std::uint8_t red = 0, green = 0, blue = 0;
  bool operator==(const Color&) const = default;
};

/// The colors of reports. Text in them has a contrast of at least 4.5 to 1 on white.
namespace colors {
inline constexpr Color white{255, 255, 255}, black{0, 0, 0}, text{31, 35, 40}, right{26, 127, 55},
    wrong{207, 34, 46}, blue{9, 105, 218};
}

/// Pixels in rows from the top, three bytes each. What is drawn beyond the edges is cut off.
class Picture {
 public:
  Picture(std::size_t width, std::size_t height, Color background = colors::white)
      : width_(width), height_(height), bytes_(3 * width * height) {
    if (width == 0 || height == 0 || width > most_side || height > most_side)
      fail("A picture has 1 to " + std::to_string(most_side) + " pixels a side, but " +
           std::to_string(width) + " x " + std::to_string(height) + " were asked for");
    fill(0, 0, width, height, background);
  }

  std::size_t width() const { return width_; }
  std::size_t height() const { return height_; }
  std::span<const std::uint8_t> bytes() const { return bytes_; }
  std::span<std::uint8_t> bytes() { return bytes_; }

  Color at(std::size_t x, std::size_t y) const {
    const std::uint8_t* const pixel = &bytes_[3 * (y * width_ + x)];
    return {pixel[0], pixel[1], pixel[2]};
  }
  void set(std::size_t x, std::size_t y, Color color) {
    if (x >= width_ || y >= height_) return;
    std::uint8_t* const pixel = &bytes_[3 * (y * width_ + x)];
    pixel[0] = color.red;
    pixel[1] = color.green;
    pixel[2] = color.blue;
  }
  void fill(std::size_t x, std::size_t y, std::size_t width, std::size_t height, Color color) {
    for (std::size_t row = y; row < std::min(y + height, height_); ++row)
      for (std::size_t column = x; column < std::min(x + width, width_); ++column) set(column, row, color);
  }
  /// Another picture, every pixel of which becomes scale x scale.
  void draw(const Picture& other, std::size_t x, std::size_t y, std::size_t scale = 1) {
    for (std::size_t row = 0; row < other.height_; ++row)
      for (std::size_t column = 0; column < other.width_; ++column)
        fill(x + column * scale, y + row * scale, scale, scale, other.at(column, row));
  }
  /// A line of text whose pixels are scale x scale, with its upper left corner at (x, y).
  void write(std::string_view text, std::size_t x, std::size_t y, std::size_t scale, Color color) {
    for (const char character : text) {
      for (std::size_t row = 0; row < Glyphs::height; ++row)
        for (std::size_t column = 0; column < Glyphs::width; ++column)
          if (Glyphs::pixel(character, column, row))
            fill(x + column * scale, y + row * scale, scale, scale, color);
      x += (Glyphs::width + 1) * scale;
    }
  }
  static std::size_t text_width(std::string_view text, std::size_t scale) {
    return text.empty() ? 0 : (text.size() * (Glyphs::width + 1) - 1) * scale;
  }

 private:
  static constexpr std::size_t most_side = 32768;

  std::size_t width_, height_;
  std::vector<std::uint8_t> bytes_;
};

/// A picture of the bytes of an image, (height, width, channels): gray for one channel, else the first three
/// are red, green and blue (a missing one is 0).
inline Picture picture_of(const std::uint8_t* bytes, std::size_t height, std::size_t width,
                          std::size_t channels) {
  Picture picture(width, height);
  for (std::size_t i = 0; i < width * height; ++i) {
    const std::uint8_t* const pixel = bytes + i * channels;
    const auto part = [&](std::size_t channel) {
      return channels == 1 ? pixel[0] : channel < channels ? pixel[channel] : std::uint8_t{0};
    };
    picture.set(i % width, i / width, {part(0), part(1), part(2)});
  }
  return picture;
}

/// A picture of numbers, `step` apart in memory: white for 0, red towards `most`, blue towards -`most`.
inline Picture picture_of_weights(const float* values, std::size_t height, std::size_t width,
                                  std::size_t step, float most) {
  Picture picture(width, height);
  for (std::size_t i = 0; i < width * height; ++i) {
    const float value = most > 0 ? std::clamp(values[i * step] / most, -1.0f, 1.0f) : 0.0f;
    const auto towards = [&](std::uint8_t part) {
      return static_cast<std::uint8_t>(std::lround(255 - std::abs(value) * (255.0f - part)));
    };
    const Color end = value > 0 ? Color{178, 24, 43} : Color{33, 102, 172};
    picture.set(i % width, i / width, {towards(end.red), towards(end.green), towards(end.blue)});
  }
  return picture;
}

/// A picture of numbers, `step` apart in memory: black for 0 and less, white for `most`.
inline Picture picture_of_activations(const float* values, std::size_t height, std::size_t width,
                                      std::size_t step, float most) {
  Picture picture(width, height);
  for (std::size_t i = 0; i < width * height; ++i) {
    const float value = most > 0 ? std::clamp(values[i * step] / most, 0.0f, 1.0f) : 0.0f;
    const auto gray = static_cast<std::uint8_t>(std::lround(255 * value));
    picture.set(i % width, i / width, {gray, gray, gray});
  }
  return picture;
}

}  // namespace digitnet
