// What else is computed on bytes: to and from floats, sums of branches, poolings, borders. A byte q stands
// for the number scale * (q - zero). Whole numbers all the way, save for one product: the same everywhere.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "digitnet/core/shape.hpp"
#include "digitnet/kernels/int8_lanes.hpp"

namespace digitnet::kernels {

inline namespace DIGITNET_PROCESSOR {

/// What bytes stand for.
struct ByteScale {
  float scale = 1;
  std::uint8_t zero = 0;

  bool operator==(const ByteScale&) const = default;
  /// Numbers beyond the ends become the ends.
  ByteRange range() const { return {-static_cast<float>(zero), 255 - static_cast<float>(zero), zero}; }
};

/// y[i] = x[i] / scale as a byte.
inline void quantize_bytes(std::size_t count, const float* x, const ByteScale& scale, std::uint8_t* y) {
  const ByteRange range = scale.range();
  std::size_t i = 0;
  for (; i + Int8Lanes::lanes <= count; i += Int8Lanes::lanes)
    Int8Lanes::quantize(x + i, scale.scale, range, y + i);
  for (; i < count; ++i) y[i] = Int8Plain::byte_of(x[i] / scale.scale, range);
}
inline void dequantize_bytes(std::size_t count, const std::uint8_t* x, const ByteScale& scale, float* y) {
  const std::int32_t zero = scale.zero;
  for (std::size_t i = 0; i < count; ++i) y[i] = static_cast<float>(x[i] - zero) * scale.scale;
}

/// Bytes of some scales brought to another one, in whole numbers: factor / 2^shift is the first scale divided
/// by the other, to 20 bits.
struct Rescale {
  std::int32_t factors[2] = {0, 0}, zeros[2] = {0, 0};
  std::int32_t shift = 0, low = 0, zero = 0;

  /// From one scale, or the sum of two; with `relu`, nothing below zero.
  Rescale(const ByteScale& a, const ByteScale* b, const ByteScale& to, bool relu = false)
      : zeros{a.zero, b ? b->zero : 0}, low(relu ? to.zero : 0), zero(to.zero) {
    const double largest =
        static_cast<double>(b ? std::max(a.scale, b->scale) : a.scale) / static_cast<double>(to.scale);
    // The larger factor is from 2^19 to 2^20, and a sum below 2^30; what is shifted further is 0.
    shift = std::clamp(20 - (std::ilogb(largest) + 1), 1, 30);
    factors[0] = factor(a.scale, to.scale);
    if (b) factors[1] = factor(b->scale, to.scale);
  }

  std::uint8_t operator()(std::int32_t sum) const {
    return static_cast<std::uint8_t>(
        std::clamp(((sum + (std::int32_t{1} << (shift - 1))) >> shift) + zero, low, std::int32_t{255}));
  }

 private:
  std::int32_t factor(float from, float to) const {
    // Larger ones than 2^20 end at 255 in any case.
    const double exact = std::ldexp(static_cast<double>(from) / static_cast<double>(to), shift);
    return static_cast<std::int32_t>(std::lround(std::min(exact, 0x1p21)));
  }
};
inline void rescale_bytes(std::size_t count, const std::uint8_t* a, const Rescale& how, std::uint8_t* y) {
  const Rescale map = how;
  for (std::size_t i = 0; i < count; ++i) y[i] = map((a[i] - map.zeros[0]) * map.factors[0]);
}
inline void add_bytes(std::size_t count, const std::uint8_t* a, const std::uint8_t* b, const Rescale& how,
                      std::uint8_t* y) {
  const Rescale map = how;
  for (std::size_t i = 0; i < count; ++i)
    y[i] = map((a[i] - map.zeros[0]) * map.factors[0] + (b[i] - map.zeros[1]) * map.factors[1]);
}

/// The extents of windows over an image.
struct ByteWindows {
  std::size_t height = 1, width = 1, channels = 1;
  Extent window = 1, stride = 1, before = 0;
  std::size_t out_height = 1, out_width = 1;

  /// The rows and columns of the image that a window touches.
  struct Part {
    std::size_t top, bottom, left, right;
  };
  Part part(std::size_t row, std::size_t column) const {
    const std::size_t y = row * stride.height, x = column * stride.width;
    return {y - std::min(y, before.height), std::min(height, y + window.height - before.height),
            x - std::min(x, before.width), std::min(width, x + window.width - before.width)};
  }
};

/// The largest byte of each window and channel.
inline void max_pool_bytes(const ByteWindows& of, const std::uint8_t* x, std::uint8_t* y) {
  for (std::size_t row = 0; row < of.out_height; ++row)
    for (std::size_t column = 0; column < of.out_width; ++column, y += of.channels) {
      const ByteWindows::Part part = of.part(row, column);
      std::fill_n(y, of.channels, std::uint8_t{0});
      for (std::size_t i = part.top; i < part.bottom; ++i)
        for (std::size_t j = part.left; j < part.right; ++j) {
          const std::uint8_t* const from = x + (i * of.width + j) * of.channels;
          for (std::size_t c = 0; c < of.channels; ++c) y[c] = std::max(y[c], from[c]);
        }
    }
}

/// The mean of each window and channel, brought to another scale. `sums` has room for the channels.
inline void average_pool_bytes(const ByteWindows& of, const ByteScale& from, const ByteScale& to,
                               const std::uint8_t* x, std::int32_t* sums, std::uint8_t* y) {
  const float ratio = from.scale / to.scale;
  const ByteRange range = to.range();
  for (std::size_t row = 0; row < of.out_height; ++row)
    for (std::size_t column = 0; column < of.out_width; ++column, y += of.channels) {
      const ByteWindows::Part part = of.part(row, column);
      const auto count = static_cast<std::int32_t>((part.bottom - part.top) * (part.right - part.left));
      std::fill_n(sums, of.channels, -count * from.zero);
      for (std::size_t i = part.top; i < part.bottom; ++i)
        for (std::size_t j = part.left; j < part.right; ++j) {
          const std::uint8_t* const place = x + (i * of.width + j) * of.channels;
          for (std::size_t c = 0; c < of.channels; ++c) sums[c] += place[c];
        }
      const float factor = ratio / static_cast<float>(count);
      for (std::size_t c = 0; c < of.channels; ++c)
        y[c] = Int8Plain::byte_of(static_cast<float>(sums[c]) * factor, range);
    }
}

/// An image inside a border of the byte that stands for zero.
inline void pad_bytes(std::size_t height, std::size_t line, std::size_t channels, Extent before,
                      Extent padded, std::uint8_t zero, const std::uint8_t* x, std::uint8_t* y) {
  std::fill_n(y, padded.height * padded.width * channels, zero);
  for (std::size_t row = 0; row < height; ++row)
    std::copy_n(x + row * line, line, y + ((before.height + row) * padded.width + before.width) * channels);
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::kernels
