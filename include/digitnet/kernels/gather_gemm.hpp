// The one multiply kernel: rows of a anywhere in memory, times a matrix b. Dense layers and convolutions,
// forward and backward, are all this product with different row pointers, so one register tile serves them.
#pragma once
#include <algorithm>
#include <cstddef>
#include <utility>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/simd.hpp"

// Not with sanitizers, whose checks of every access would make the unrolled code too large to compile.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DIGITNET_UNROLL
#elif defined(__clang__)
#define DIGITNET_UNROLL _Pragma("unroll")
#else
#define DIGITNET_UNROLL _Pragma("GCC unroll 16")
#endif

namespace digitnet::kernels {

/// How the summed index of a product walks through a row of a: `segments` runs of `length` elements.
struct Walk {
  std::size_t segments = 1;
  std::size_t length = 0;
  std::size_t segment_stride = 0;  ///< elements from the start of one segment to that of the next
  std::size_t step = 1;            ///< elements from one index to the next inside a segment
};

/// A Walk that the compiler knows, so that it can unroll it.
template <Walk w>
struct FixedWalk {
  static constexpr std::size_t segments = w.segments, length = w.length, segment_stride = w.segment_stride,
                               step = w.step;
  static constexpr bool is_short = length <= 8;
};

/// A walk in the form that serves it best: fixed if it is short, else one that all products share.
template <Walk w>
constexpr auto walk_of() {
  if constexpr (FixedWalk<w>::is_short)
    return FixedWalk<w>{};
  else
    return w;
}

/// What is done to a sum before it is stored: nothing, or an activation.
struct Identity {
  template <class V>
  static V value(V x) {
    return x;
  }
};

/// Whether a product replaces what is in c or is added to it.
enum class Result { assign, add };

namespace detail {

template <class AnyWalk>
constexpr bool unrolls = requires {
  requires AnyWalk::is_short;
};

// sums = rows of a times columns of b: Rows x Vectors accumulators stay in registers while the whole depth
// passes by.
template <class Arch, std::size_t Rows, std::size_t Vectors, class T, class AnyWalk>
[[gnu::always_inline]] inline void multiply(const T* const (&a)[Rows], const AnyWalk& walk, const T* b,
                                            std::size_t b_stride,
                                            simd::Vector<T, Arch> (&sums)[Rows][Vectors]) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t width = simd::width<T, Arch>;
  DIGITNET_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    DIGITNET_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) sums[r][v] = Vector(T{0});
  }
  const T* row[Rows];
  DIGITNET_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) row[r] = a[r];
  const auto add = [&](std::size_t at) __attribute__((always_inline)) {
    Vector columns[Vectors];
    DIGITNET_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) columns[v] = simd::read<Arch>(b + v * width);
    DIGITNET_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      const Vector factor(row[r][at]);
      DIGITNET_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) sums[r][v] = simd::fma(factor, columns[v], sums[r][v]);
    }
    b += b_stride;
  };
  if constexpr (unrolls<AnyWalk>) {
    // Unrolled by segments only: of more straight code the compiler makes one column after the other, and
    // runs out of registers.
#pragma GCC unroll 1
    for (std::size_t segment = 0; segment < AnyWalk::segments; ++segment)
      [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
        (add(segment * AnyWalk::segment_stride + I * AnyWalk::step), ...);
      }
    (std::make_index_sequence<AnyWalk::length>{});
  } else {
    for (std::size_t segment = 0; segment < walk.segments; ++segment) {
      const std::size_t begin = segment * walk.segment_stride;
      const std::size_t end = begin + walk.length * walk.step;
      for (std::size_t i = begin; i != end; i += walk.step) add(i);
    }
  }
}

// A product's tile. Rows beyond `valid_rows` repeat the last row and are not stored: one instantiation serves
// every remainder.
template <class Arch, Result result, class Activation, std::size_t Rows, std::size_t Vectors, class T,
          class AnyWalk>
[[gnu::always_inline]] inline void tile(const T* const (&a)[Rows], const AnyWalk& walk, const T* b,
                                        std::size_t b_stride, const T* bias, T* const (&c)[Rows],
                                        std::size_t valid_rows, std::size_t valid_columns) {
  constexpr std::size_t width = simd::width<T, Arch>;
  simd::Vector<T, Arch> sums[Rows][Vectors];
  multiply<Arch>(a, walk, b, b_stride, sums);
  const bool whole = valid_columns == Vectors * width;
  DIGITNET_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    for (std::size_t v = 0; v < Vectors && r < valid_rows; ++v) {
      T* const to = c[r] + v * width;
      if (whole || v + 1 < Vectors) {
        if (bias) sums[r][v] += simd::read<Arch>(bias + v * width);
        if constexpr (result == Result::add) sums[r][v] += simd::read<Arch>(to);
        simd::write<Arch>(to, Activation::value(sums[r][v]));
      } else {
        const std::size_t rest = valid_columns - v * width;
        if (bias) sums[r][v] += simd::read_part<Arch>(bias + v * width, rest);
        if constexpr (result == Result::add) sums[r][v] += simd::read_part<Arch>(to, rest);
        simd::write_part<Arch>(to, Activation::value(sums[r][v]), rest);
      }
    }
  }
}

// As many rows as keep the accumulators, the columns and one factor in the registers.
template <class Arch>
constexpr std::size_t tile_vectors = simd::registers<Arch> >= 32 ? 4 : 2;
template <class Arch, std::size_t Vectors>
constexpr std::size_t tile_rows = Vectors >= 4 || (Vectors >= 2 && simd::registers<Arch> < 32) ? 6 : 8;

// The tiles of some rows, given by pointers, so that all products of a kind share this code. The loop
// matters: compilers unroll loops early enough to keep accumulators in registers only where they are inside
// another one.
template <class Arch, Result result, class Activation, std::size_t Rows, std::size_t Vectors, class T,
          class AnyWalk>
[[gnu::noinline]] void tiles(std::size_t rows, const AnyWalk& walk, const T* const* a, const T* b,
                             std::size_t b_stride, const T* bias, T* const* c, std::size_t valid_columns) {
  for (std::size_t first = 0; first < rows; first += Rows) {
    const std::size_t valid_rows = std::min(Rows, rows - first);
    if (valid_rows == 1) {
      const T* const from[1] = {a[first]};
      T* const to[1] = {c[first]};
      tile<Arch, result, Activation, 1, Vectors>(from, walk, b, b_stride, bias, to, 1, valid_columns);
      continue;
    }
    const T* from[Rows];
    T* to[Rows];
    for (std::size_t r = 0; r < Rows; ++r) {
      const std::size_t row = first + std::min(r, valid_rows - 1);
      from[r] = a[row];
      to[r] = c[row];
    }
    tile<Arch, result, Activation, Rows, Vectors>(from, walk, b, b_stride, bias, to, valid_rows,
                                                  valid_columns);
  }
}

template <class Arch, Result result, class Activation, std::size_t Rows, std::size_t Vectors, class T,
          class AnyWalk, class RowOfA, class RowOfC>
void column_panel(std::size_t rows, const AnyWalk& walk, const RowOfA& a, const T* b, std::size_t b_stride,
                  const T* bias, const RowOfC& c, std::size_t column, std::size_t valid_columns) {
  constexpr std::size_t together = 8 * Rows;
  const T* from[together];
  T* to[together];
  for (std::size_t first = 0; first < rows; first += together) {
    const std::size_t count = std::min(together, rows - first);
    for (std::size_t i = 0; i < count; ++i) {
      from[i] = a(first + i);
      to[i] = c(first + i) + column;
    }
    tiles<Arch, result, Activation, Rows, Vectors>(count, walk, from, b, b_stride, bias, to, valid_columns);
  }
}

}  // namespace detail

/// For row i < rows and column j < columns:
///   c(i)[j] (=, +=) bias[j] + sum over the walk's indices k of a(i)[walk(k)] * b[k * b_stride + j],
/// and at last the activation. Rows is the height of a register tile, 0 for the most that fits.
/// Requires: `a(i)` and `c(i)` give pointers to rows; b has readable_bytes_behind; bias is null or has
/// `columns` elements; c overlaps neither a nor b. Ensures: nothing beyond column `columns` of c is written.
/// The order of additions depends on nothing but the walk.
template <class Arch = DefaultArch, Result result = Result::assign, class Activation = Identity,
          std::size_t Rows = 0, class T, class AnyWalk, class RowOfA, class RowOfC>
void gather_gemm(std::size_t rows, std::size_t columns, const AnyWalk& walk, const RowOfA& a, const T* b,
                 std::size_t b_stride, const T* bias, const RowOfC& c) {
  constexpr std::size_t width = simd::width<T, Arch>;
  constexpr std::size_t Most = detail::tile_vectors<Arch>;
  for (std::size_t column = 0; column < columns; column += Most * width) {
    const std::size_t here = std::min(Most * width, columns - column);
    const T* const panel_bias = bias ? bias + column : nullptr;
    const auto panel = [&]<std::size_t Vectors>() {
      constexpr std::size_t Height = Rows > 0 ? Rows : detail::tile_rows<Arch, Vectors>;
      detail::column_panel<Arch, result, Activation, Height, Vectors>(rows, walk, a, b + column, b_stride,
                                                                      panel_bias, c, column, here);
    };
    switch ((here + width - 1) / width) {
      case 1:
        panel.template operator()<1>();
        break;
      case 2:
        panel.template operator()<2>();
        break;
      case 3:
        panel.template operator()<std::min<std::size_t>(3, Most)>();
        break;
      default:
        panel.template operator()<Most>();
        break;
    }
  }
}

/// y = activation(x b + bias) for one row x of `depth` numbers: the same additions in the same order as
/// gather_gemm's, but in panels as wide as the registers allow, which is how memory likes to be read. b has
/// readable_bytes_behind.
template <class Arch = DefaultArch, class Activation = Identity, class T>
void row_times_matrix(std::size_t depth, std::size_t columns, const T* x, const T* b, const T* bias, T* y) {
  constexpr std::size_t width = simd::width<T, Arch>;
  constexpr std::size_t most = 8;
  const auto panel = [&]<std::size_t Vectors>(std::size_t column) {
    const T* const from[1] = {x};
    T* const to[1] = {y + column};
    detail::tile<Arch, Result::assign, Activation, 1, Vectors>(from, Walk{.length = depth}, b + column,
                                                               columns, bias ? bias + column : nullptr, to, 1,
                                                               std::min(Vectors * width, columns - column));
  };
  std::size_t column = 0;
  for (; column + (most - 1) * width < columns; column += most * width)
    panel.template operator()<most>(column);
  for (; column + width < columns; column += 2 * width) panel.template operator()<2>(column);
  if (column < columns) panel.template operator()<1>(column);
}

/// Writes the transpose of a rows x columns matrix.
template <class T>
void transpose(std::size_t rows, std::size_t columns, const T* from, T* to) {
  constexpr std::size_t block = 16;  // a block of both sides stays in the first-level cache
  for (std::size_t column = 0; column < columns; column += block) {
    const std::size_t last_column = std::min(columns, column + block);
    for (std::size_t row = 0; row < rows; row += block) {
      const std::size_t last_row = std::min(rows, row + block);
      for (std::size_t j = column; j < last_column; ++j)
        for (std::size_t i = row; i < last_row; ++i) to[j * rows + i] = from[i * columns + j];
    }
  }
}

}  // namespace digitnet::kernels
