// The matrix product for rows of a that lie at equal distances, as the positions in a line of an image do.
#pragma once
#include <algorithm>
#include <cstddef>

#include "digitnet/kernels/gather_gemm.hpp"

namespace digitnet::kernels {

/// Rows of a product that come in lines of `length`: inside a line, the rows of a begin `a_step` elements
/// apart, those of c `c_step`.
struct Lines {
  std::size_t length, a_step, c_step;
};

namespace detail {

/// A register tile: rows times vectors of columns.
struct TileShape {
  std::size_t rows, vectors;
};

// How long a tile takes for a line of `length` rows times `columns`, in multiplications: as many as there
// are, or loads, of which there may be as many a cycle, or those that hide a multiplication's latency of
// four.
template <class Arch, class T>
constexpr std::size_t line_cost(TileShape shape, std::size_t length, std::size_t columns) {
  const std::size_t needed = (columns + simd::width<T, Arch> - 1) / simd::width<T, Arch>;
  const std::size_t tiles =
      (length + shape.rows - 1) / shape.rows * ((needed + shape.vectors - 1) / shape.vectors);
  return tiles * (std::max<std::size_t>({shape.rows * shape.vectors, shape.rows + shape.vectors, 8}) + 1);
}

// The tile that costs least.
template <class Arch, class T>
constexpr TileShape line_tile(std::size_t length, std::size_t columns) {
  constexpr std::size_t room = simd::registers<Arch> >= 32 ? 28 : 12;
  const std::size_t needed = (columns + simd::width<T, Arch> - 1) / simd::width<T, Arch>;
  TileShape best{};
  std::size_t best_cost = 0;
  for (std::size_t vectors = std::min(tile_vectors<Arch>, needed); vectors > 0; --vectors)
    for (std::size_t rows = std::min(length, (room - (vectors == 4 ? vectors : 0)) / vectors); rows > 0;
         --rows) {
      const std::size_t cost = line_cost<Arch, T>({rows, vectors}, length, columns);
      if (best_cost > 0 && cost >= best_cost) continue;
      best = {rows, vectors};
      best_cost = cost;
    }
  return best;
}

template <class Arch, Result result, class Activation, Lines lines, TileShape shape, class T, class AnyWalk,
          class LineOfA, class LineOfC>
[[gnu::noinline]] void line_panel(std::size_t count, const AnyWalk& walk, const LineOfA& a, const T* b,
                                  std::size_t b_stride, const T* bias, const LineOfC& c, std::size_t column,
                                  std::size_t valid_columns) {
  constexpr std::size_t rest = lines.length % shape.rows;
  for (std::size_t line = 0; line < count; ++line) {
    const auto tile_from = [&]<std::size_t FirstRow>(std::size_t first) __attribute__((always_inline)) {
      const RowLine<lines.a_step, const T> from{a(line) + first * lines.a_step};
      const RowLine<lines.c_step, T> to{c(line) + first * lines.c_step + column};
      tile<Arch, result, Activation, shape.rows, shape.vectors>(from, walk, b, b_stride, bias, to, FirstRow,
                                                                shape.rows, valid_columns);
    };
    for (std::size_t first = 0; first + shape.rows <= lines.length; first += shape.rows)
      tile_from.template operator()<0>(first);
    // The last tile looks back at rows that are there already.
    if constexpr (rest > 0) tile_from.template operator()<shape.rows - rest>(lines.length - shape.rows);
  }
}

}  // namespace detail

/// gather_gemm with a number of columns that the compiler knows and rows that come in `count` lines, so that
/// one register points to a whole tile's rows. a(line) and c(line) give a line's first row.
template <Lines lines, std::size_t columns, class Arch = DefaultArch, Result result = Result::assign,
          class Activation = Identity, class T, class AnyWalk, class LineOfA, class LineOfC>
void line_gemm(std::size_t count, const AnyWalk& walk, const LineOfA& a, const T* b, const T* bias,
               const LineOfC& c) {
  constexpr std::size_t width = simd::width<T, Arch>;
  constexpr detail::TileShape shape = detail::line_tile<Arch, T>(lines.length, columns);
  const auto panel = [&]<std::size_t Vectors>(std::size_t column) {
    detail::line_panel<Arch, result, Activation, lines, detail::TileShape{shape.rows, Vectors}>(
        count, walk, a, b + column, columns, bias ? bias + column : nullptr, c, column,
        std::min(Vectors * width, columns - column));
  };
  detail::for_each_panel<shape.vectors, width>(Fixed<columns>{}, panel);
}

}  // namespace digitnet::kernels
