// Maximum and mean over windows of an image.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "digitnet/core/processor.hpp"
#include "digitnet/core/shape.hpp"
#include "digitnet/core/simd.hpp"

namespace digitnet::kernels {

inline namespace DIGITNET_PROCESSOR {

/// Everything that decides a pooling's loops, known to the compiler.
struct PoolingExtents {
  std::size_t height, width, channels;
  Extent window, stride;
  std::size_t out_height, out_width;
  Extent before;

  constexpr PoolingExtents(std::size_t image_height, std::size_t image_width, std::size_t image_channels,
                           Extent pool_size, Extent strides, Padding padding)
      : height(image_height),
        width(image_width),
        channels(image_channels),
        window(pool_size),
        stride(strides),
        out_height(0),
        out_width(0),
        before(0) {
    const Sliding rows(height, window.height, stride.height, padding);
    const Sliding columns(width, window.width, stride.width, padding);
    out_height = rows.output;
    out_width = columns.output;
    before = {rows.before, columns.before};
  }

  constexpr std::size_t input_size() const { return height * width * channels; }
  constexpr std::size_t output_size() const { return out_height * out_width * channels; }
};

}  // namespace DIGITNET_PROCESSOR

/// Calls visit(number inside the window, offset of the input position) for the positions of an output
/// position's window that lie inside the image.
template <PoolingExtents E, class Visit>
void for_each_in_window(std::size_t row, std::size_t column, Visit visit) {
  for (std::size_t i = 0; i < E.window.height; ++i) {
    const std::size_t y = row * E.stride.height + i;
    if (y < E.before.height || y >= E.before.height + E.height) continue;
    for (std::size_t j = 0; j < E.window.width; ++j) {
      const std::size_t x = column * E.stride.width + j;
      if (x < E.before.width || x >= E.before.width + E.width) continue;
      visit(i * E.window.width + j, ((y - E.before.height) * E.width + x - E.before.width) * E.channels);
    }
  }
}

/// y = the largest value of each window; `argmax`, unless it is null, gets the number of the first one inside
/// the window.
template <PoolingExtents E, class Arch = DefaultArch, class T>
void max_pooling_forward(std::size_t samples, const T* x, T* y, std::uint8_t* argmax) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t width = simd::width<T, Arch>;
  for (std::size_t i = 0; i < samples; ++i, x += E.input_size())
    for (std::size_t row = 0; row < E.out_height; ++row)
      for (std::size_t column = 0; column < E.out_width; ++column, y += E.channels) {
        for (std::size_t channel = 0; channel < E.channels; channel += width) {
          const std::size_t lanes = std::min(width, E.channels - channel);
          const auto values = [&](std::size_t offset) {
            const T* const from = x + offset + channel;
            return lanes == width ? simd::read<Arch>(from) : simd::read_part<Arch>(from, lanes);
          };
          Vector best(T{0}), best_number(T{0});
          bool first = true;
          for_each_in_window<E>(row, column, [&](std::size_t number, std::size_t offset) {
            const Vector value = values(offset);
            const Vector this_number(static_cast<T>(number));
            const auto larger = value > best;
            best = first ? value : simd::select(larger, value, best);
            best_number = first ? this_number : simd::select(larger, this_number, best_number);
            first = false;
          });
          if (lanes == width)
            simd::write<Arch>(y + channel, best);
          else
            simd::write_part<Arch>(y + channel, best, lanes);
          if (!argmax) continue;
          alignas(64) T numbers[width];
          simd::write<Arch>(numbers, best_number);
          for (std::size_t lane = 0; lane < lanes; ++lane)
            argmax[channel + lane] = static_cast<std::uint8_t>(numbers[lane]);
        }
        if (argmax) argmax += E.channels;
      }
}

/// dx = dy at each window's argmax, zero elsewhere.
template <PoolingExtents E, class T>
void max_pooling_backward(std::size_t samples, const T* dy, const std::uint8_t* argmax, T* dx) {
  std::fill_n(dx, samples * E.input_size(), T{0});
  for (std::size_t i = 0; i < samples; ++i, dx += E.input_size())
    for (std::size_t row = 0; row < E.out_height; ++row)
      for (std::size_t column = 0; column < E.out_width; ++column, dy += E.channels, argmax += E.channels)
        for_each_in_window<E>(row, column, [&](std::size_t number, std::size_t offset) {
          T* const to = dx + offset;
          for (std::size_t channel = 0; channel < E.channels; ++channel)
            to[channel] += argmax[channel] == number ? dy[channel] : T{0};
        });
}

/// y = the mean of each window over the positions inside the image, as Keras has it.
template <PoolingExtents E, class T>
void average_pooling_forward(std::size_t samples, const T* x, T* y) {
  for (std::size_t i = 0; i < samples; ++i, x += E.input_size())
    for (std::size_t row = 0; row < E.out_height; ++row)
      for (std::size_t column = 0; column < E.out_width; ++column, y += E.channels) {
        std::fill_n(y, E.channels, T{0});
        std::size_t positions = 0;
        for_each_in_window<E>(row, column, [&](std::size_t, std::size_t offset) {
          ++positions;
          for (std::size_t channel = 0; channel < E.channels; ++channel) y[channel] += x[offset + channel];
        });
        const T share = T{1} / static_cast<T>(positions);
        for (std::size_t channel = 0; channel < E.channels; ++channel) y[channel] *= share;
      }
}

/// dx = each output's gradient, shared out equally over its window.
template <PoolingExtents E, class T>
void average_pooling_backward(std::size_t samples, const T* dy, T* dx) {
  std::fill_n(dx, samples * E.input_size(), T{0});
  for (std::size_t i = 0; i < samples; ++i, dx += E.input_size())
    for (std::size_t row = 0; row < E.out_height; ++row)
      for (std::size_t column = 0; column < E.out_width; ++column, dy += E.channels) {
        std::size_t positions = 0;
        for_each_in_window<E>(row, column, [&](std::size_t, std::size_t) { ++positions; });
        const T share = T{1} / static_cast<T>(positions);
        for_each_in_window<E>(row, column, [&](std::size_t, std::size_t offset) {
          for (std::size_t channel = 0; channel < E.channels; ++channel)
            dx[offset + channel] += share * dy[channel];
        });
      }
}

}  // namespace digitnet::kernels
