// The gradient of a convolution's input. With stride s, a row of the input meets only every s-th row of the
// kernel, and a column every s-th column. So the input's positions fall into s x s classes, and each class is
// a convolution with stride 1, of the output's gradient by its own part of the kernel.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "digitnet/core/arena.hpp"
#include "digitnet/kernels/conv2d_extents.hpp"
#include "digitnet/kernels/line_gemm.hpp"
#include "digitnet/kernels/padded_images.hpp"

namespace digitnet::kernels {

namespace detail {

// Along one axis, the positions whose index leaves a remainder when it is divided by the stride: how many
// there are, the taps that meet them (first_tap, first_tap + stride, ...), and where the first one's window
// begins in the output's gradient; before it where that is below zero.
struct PositionClass {
  std::size_t count, first_tap, taps;
  std::ptrdiff_t begin;

  constexpr PositionClass(std::size_t remainder, std::size_t positions, std::size_t window,
                          std::size_t stride, std::size_t before)
      : count(positions > remainder ? (positions - remainder + stride - 1) / stride : 0),
        first_tap((remainder + before) % stride),
        taps(window > first_tap ? (window - first_tap + stride - 1) / stride : 0),
        begin(static_cast<std::ptrdiff_t>((remainder + before) / stride + 1) -
              static_cast<std::ptrdiff_t>(taps)) {}
  constexpr bool is_empty() const { return count == 0 || taps == 0; }
};
constexpr PositionClass row_class(const Conv2DExtents& e, std::size_t remainder) {
  return {remainder, e.height, e.kernel.height, e.stride.height, e.before.height};
}
constexpr PositionClass column_class(const Conv2DExtents& e, std::size_t remainder) {
  return {remainder, e.width, e.kernel.width, e.stride.width, e.before.width};
}

// The zeros that an axis needs before it, and its extent with those after it.
struct PaddedAxis {
  std::size_t before = 0, outer;
  template <class ClassOf>
  constexpr PaddedAxis(std::size_t stride, std::size_t inner, const ClassOf& class_of) : outer(inner) {
    std::ptrdiff_t first = 0, last = static_cast<std::ptrdiff_t>(inner);
    for (std::size_t remainder = 0; remainder < stride; ++remainder) {
      const PositionClass c = class_of(remainder);
      if (c.is_empty()) continue;
      first = std::min(first, c.begin);
      last = std::max(last, c.begin + static_cast<std::ptrdiff_t>(c.count + c.taps) - 1);
    }
    before = static_cast<std::size_t>(-first);
    outer = static_cast<std::size_t>(last - first);
  }
};
constexpr Border gradient_border(const Conv2DExtents& e) {
  const PaddedAxis rows(e.stride.height, e.out_height, [&](std::size_t r) { return row_class(e, r); });
  const PaddedAxis columns(e.stride.width, e.out_width, [&](std::size_t r) { return column_class(e, r); });
  return {{e.out_height, e.out_width}, e.filters, {rows.before, columns.before}, {rows.outer, columns.outer}};
}

// Calls visit(first row, first column, rows, columns, elements of the turned kernel before this class's) for
// every class.
template <class Visit>
constexpr void for_each_class(const Conv2DExtents& e, const Visit& visit) {
  std::size_t before = 0;
  for (std::size_t row = 0; row < e.stride.height; ++row)
    for (std::size_t column = 0; column < e.stride.width; ++column) {
      const PositionClass rows = row_class(e, row), columns = column_class(e, column);
      visit(row, column, rows, columns, before);
      before += rows.taps * columns.taps * e.channels * e.filters;
    }
}

// The kernel's classes one after the other, each turned by 180 degrees, with channels and filters exchanged:
// they map dy to dx.
template <Conv2DExtents E, class T>
void turn_kernel(const T* kernel, T* turned) {
  constexpr std::size_t size = E.channels * E.filters;
  for_each_class(E, [&](std::size_t, std::size_t, const PositionClass& rows, const PositionClass& columns,
                        std::size_t before) {
    for (std::size_t row = 0; row < rows.taps; ++row)
      for (std::size_t column = 0; column < columns.taps; ++column) {
        const std::size_t tap = (rows.first_tap + (rows.taps - 1 - row) * E.stride.height) * E.kernel.width +
                                columns.first_tap + (columns.taps - 1 - column) * E.stride.width;
        transpose(E.channels, E.filters, kernel + tap * size,
                  turned + before + (row * columns.taps + column) * size);
      }
  });
}

// dx of the positions of one class, which lie `length` to a line.
template <Conv2DExtents E, std::size_t length, class Arch, class T>
[[gnu::noinline]] void input_gradient_of_class(const PositionClass& rows, const PositionClass& columns,
                                               const T* padded, const T* turned, T* dx) {
  constexpr Border border = gradient_border(E);
  constexpr std::size_t line = border.outer.width * E.filters;
  const Walk walk{.segments = rows.taps, .length = columns.taps * E.filters, .segment_stride = line};
  const auto first_row =
                 static_cast<std::size_t>(rows.begin + static_cast<std::ptrdiff_t>(border.before.height)),
             first_column =
                 static_cast<std::size_t>(columns.begin + static_cast<std::ptrdiff_t>(border.before.width));
  const T* const from = padded + first_row * line + first_column * E.filters;
  line_gemm<Lines{length, E.filters, E.stride.width * E.channels}, E.channels, Arch>(
      rows.count, walk, Rows<const T>{from, line}, turned, static_cast<const T*>(nullptr),
      Rows<T>{dx, E.stride.height * E.width * E.channels});
}

}  // namespace detail

/// Elements of scratch that conv2d_input_gradient may overwrite.
template <Conv2DExtents E>
constexpr std::size_t conv2d_input_gradient_scratch() {
  return detail::gradient_border(E).size();
}

/// Assigns dx of n samples; `turned` is the kernel after detail::turn_kernel.
template <Conv2DExtents E, class Arch, class T>
void conv2d_input_gradient(std::size_t samples, const T* dy, const T* turned, T* dx, T* scratch) {
  constexpr Border border = detail::gradient_border(E);
  constexpr std::size_t widest = detail::column_class(E, 0).count;
  const PaddedImages<border, T> gradients(dy, scratch);
  for (std::size_t i = 0; i < samples; ++i) {
    const T* const padded = gradients(i);
    T* const out = dx + i * E.input_size();
    detail::for_each_class(E, [&](std::size_t row, std::size_t column, const detail::PositionClass& rows,
                                  const detail::PositionClass& columns, std::size_t before) {
      T* const first = out + (row * E.width + column) * E.channels;
      if (rows.count == 0 || columns.count == 0) return;
      if (rows.is_empty() || columns.is_empty()) {
        // No window meets these positions.
        for (std::size_t r = 0; r < rows.count; ++r)
          for (std::size_t c = 0; c < columns.count; ++c)
            std::fill_n(first + (r * E.stride.height * E.width + c * E.stride.width) * E.channels, E.channels,
                        T{0});
      } else if (columns.count == widest) {
        detail::input_gradient_of_class<E, widest, Arch>(rows, columns, padded, turned + before, first);
      } else if constexpr (widest > 1) {
        detail::input_gradient_of_class<E, widest - 1, Arch>(rows, columns, padded, turned + before, first);
      }
    });
  }
}

}  // namespace digitnet::kernels
