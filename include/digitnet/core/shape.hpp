// The shape of one sample, as a type. The number of samples is a run-time value and never part of a shape.
#pragma once
#include <array>
#include <cstddef>
#include <string>

#include "digitnet/core/language.hpp"
#include "digitnet/core/processor.hpp"

namespace digitnet {

inline namespace DIGITNET_PROCESSOR {

/// The extents of one sample: `Shape<28, 28, 1>` is an image (height, width, channels), `Shape<784>` a
/// vector.
template <std::size_t... Extents>
struct Shape {
  static constexpr std::size_t rank = sizeof...(Extents);
  static constexpr std::size_t size = (std::size_t{1} * ... * Extents);
  static constexpr std::array<std::size_t, rank> extents{Extents...};

  /// The extent along an axis, and 1 beyond the last axis: a wrong rank is reported once, by a layer's
  /// static_assert, and must not cause more errors on the way.
  static constexpr std::size_t extent(std::size_t axis) { return axis < rank ? extents[axis] : 1; }

  static constexpr std::size_t height = extent(0);
  static constexpr std::size_t width = extent(1);
  static constexpr std::size_t channels = extent(2);
  static constexpr std::size_t last = rank == 0 ? 1 : extent(rank - 1);

  /// "(28, 28, 1)"
  static std::string text() {
    std::string result = "(";
    for (std::size_t axis = 0; axis < rank; ++axis)
      result += (axis ? ", " : "") + std::to_string(extents[axis]);
    return result + (rank == 1 ? ",)" : ")");
  }
};

}  // namespace DIGITNET_PROCESSOR

/// Height and width of a window, a stride or a padding; one number stands for both: `Conv2D<32, 3>` is
/// `Conv2D<32, Extent{3, 3}>`.
struct Extent {
  std::size_t height;
  std::size_t width;

  constexpr Extent(std::size_t both) : height(both), width(both) {}
  constexpr Extent(std::size_t rows, std::size_t columns) : height(rows), width(columns) {}
  constexpr bool operator==(const Extent&) const = default;
};

/// How a window meets the border, as in Keras: `valid` keeps it inside, `same` pads with zeros so that
/// the output has ceil(input / stride) positions.
enum class Padding { valid, same };
inline constexpr Padding valid = Padding::valid;
inline constexpr Padding same = Padding::same;
constexpr const char* setting_word(Padding padding) { return padding == same ? "same" : "valid"; }

/// Where a sliding window goes: output extents and zero rows/columns before the first input row/column.
/// Source: the formulas of TensorFlow's `SAME` and `VALID` padding, which Keras uses.
struct Sliding {
  /// Positions along this axis; 0 if the window does not fit
  std::size_t output;
  /// Zeros before the input
  std::size_t before;
  /// Extent of the input that windows touch, padding included
  std::size_t padded;

  constexpr Sliding(std::size_t input, std::size_t window, std::size_t stride, Padding padding)
      : output(0), before(0), padded(input) {
    if (padding == Padding::valid) {
      output = input < window ? 0 : (input - window) / stride + 1;
    } else {
      output = (input + stride - 1) / stride;
      const std::size_t needed = (output - 1) * stride + window;
      const std::size_t total = needed > input ? needed - input : 0;
      before = total / 2;
      padded = input + total;
    }
  }
};

}  // namespace digitnet
