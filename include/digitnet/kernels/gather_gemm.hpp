// The matrix product behind dense layers and convolutions, forward and backward. The rows of a may lie
// anywhere in memory, so that one register tile serves all of them.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/sanitizers.hpp"
#include "digitnet/core/simd.hpp"
#include "digitnet/kernels/identity.hpp"

// Not with sanitizers, whose checks of every access would make the unrolled code too large to compile.
#ifdef DIGITNET_SANITIZED
#define DIGITNET_UNROLL
#elif defined(__clang__)
#define DIGITNET_UNROLL _Pragma("unroll")
#else
#define DIGITNET_UNROLL _Pragma("GCC unroll 32")
#endif

namespace digitnet::kernels {

/// How the summed index of a product walks through a row of a: `segments` runs of `length` elements.
struct Walk {
  std::size_t segments = 1;
  std::size_t length = 0;
  /// Elements from the start of one segment to that of the next
  std::size_t segment_stride = 0;
  /// Elements from one index to the next inside a segment
  std::size_t step = 1;
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

/// A walk that calls only at some places, `at[0] < at[1] < ...`; b is where row 0 of the matrix is.
struct PickedWalk {
  const std::uint16_t* at;
  std::size_t count;
};

/// Rows at equal distances: one type for all products, which share their code, and have names that can be
/// read.
template <class T>
struct Rows {
  T* first;
  std::size_t stride;
  T* operator()(std::size_t row) const { return first + row * stride; }
};

/// An extent that the compiler knows, given where any number may be: less code is made for it.
template <std::size_t N>
using Fixed = std::integral_constant<std::size_t, N>;

/// Whether a product replaces what is in c or is added to it.
enum class Result { assign, add };

namespace detail {

template <class AnyExtent>
constexpr bool is_fixed = requires {
  AnyExtent::value;
};

template <class AnyWalk>
constexpr bool unrolls = requires {
  requires AnyWalk::is_short;
};

// Where the rows of a tile begin: anywhere, or one after the other.
template <std::size_t Rows, class T>
struct RowPointers {
  T* rows[Rows];
  T* row(std::size_t r) const { return rows[r]; }
};
template <std::size_t step, class T>
struct RowLine {
  T* begin;
  T* row(std::size_t r) const { return begin + r * step; }
};

// sums = rows of a times columns of b: Rows x Vectors accumulators stay in registers while the whole depth
// passes by.
template <class Arch, std::size_t Rows, std::size_t Vectors, class T, class A, class AnyWalk>
[[gnu::always_inline]] inline void multiply(const A a, const AnyWalk& walk, const T* b, std::size_t b_stride,
                                            simd::Vector<T, Arch> (&sums)[Rows][Vectors]) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t width = simd::width<T, Arch>;
  DIGITNET_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    DIGITNET_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) sums[r][v] = Vector(T{0});
  }
  const auto add = [&](std::size_t at) __attribute__((always_inline)) {
    Vector columns[Vectors];
    DIGITNET_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) columns[v] = simd::read<Arch>(b + v * width);
    DIGITNET_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      const Vector factor(a.row(r)[at]);
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
  } else if constexpr (std::is_same_v<AnyWalk, PickedWalk>) {
    const T* const first = b;
    for (std::size_t i = 0; i < walk.count; ++i) {
      b = first + walk.at[i] * b_stride;
      add(walk.at[i]);
    }
  } else {
    for (std::size_t segment = 0; segment < walk.segments; ++segment) {
      const std::size_t begin = segment * walk.segment_stride;
      const std::size_t end = begin + walk.length * walk.step;
      for (std::size_t i = begin; i != end; i += walk.step) add(i);
    }
  }
}

// A product's tile, of which the rows from `first_row` to before `end_row` are stored: one instantiation
// serves every remainder.
template <class Arch, Result result, class Activation, std::size_t Rows, std::size_t Vectors, class T,
          class A, class AnyWalk, class C>
[[gnu::always_inline]] inline void tile(const A& a, const AnyWalk& walk, const T* b, std::size_t b_stride,
                                        const T* bias, const C& c, std::size_t first_row, std::size_t end_row,
                                        std::size_t valid_columns) {
  constexpr std::size_t width = simd::width<T, Arch>;
  simd::Vector<T, Arch> sums[Rows][Vectors];
  multiply<Arch>(a, walk, b, b_stride, sums);
  static_assert(result == Result::assign || std::is_same_v<Activation, Identity>);
  const bool whole = valid_columns == Vectors * width;
  DIGITNET_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) {
    simd::Vector<T, Arch> addend(T{0});
    if (bias)
      addend = whole || v + 1 < Vectors ? simd::read<Arch>(bias + v * width)
                                        : simd::read_part<Arch>(bias + v * width, valid_columns - v * width);
    DIGITNET_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      if (bias) sums[r][v] += addend;
      sums[r][v] = Activation::value(sums[r][v]);
    }
  }
  // The usual case first, without a branch in it.
  if (whole && first_row == 0 && end_row == Rows) {
    DIGITNET_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      DIGITNET_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) {
        T* const to = c.row(r) + v * width;
        if constexpr (result == Result::add) sums[r][v] += simd::read<Arch>(to);
        simd::write<Arch>(to, sums[r][v]);
      }
    }
    return;
  }
  DIGITNET_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    if (r < first_row || r >= end_row) continue;
    DIGITNET_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) {
      T* const to = c.row(r) + v * width;
      const std::size_t lanes = std::min(width, valid_columns - v * width);
      if constexpr (result == Result::add) sums[r][v] += simd::read_part<Arch>(to, lanes);
      simd::write_part<Arch>(to, sums[r][v], lanes);
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
      const RowPointers<1, const T> from{{a[first]}};
      const RowPointers<1, T> to{{c[first]}};
      tile<Arch, result, Activation, 1, Vectors>(from, walk, b, b_stride, bias, to, 0, 1, valid_columns);
      continue;
    }
    RowPointers<Rows, const T> from;
    RowPointers<Rows, T> to;
    for (std::size_t r = 0; r < Rows; ++r) {
      const std::size_t row = first + std::min(r, valid_rows - 1);
      from.rows[r] = a[row];
      to.rows[r] = c[row];
    }
    tile<Arch, result, Activation, Rows, Vectors>(from, walk, b, b_stride, bias, to, 0, valid_rows,
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

// Calls panel.operator()<Vectors>(column) for panels of `most` vectors, and for what remains. Only the widths
// that may occur are compiled.
template <std::size_t most, std::size_t width, class AnyExtent, class Panel>
[[gnu::always_inline]] inline void for_each_panel(AnyExtent columns, const Panel& panel) {
  const std::size_t whole = columns / (most * width) * most * width;
  const auto rest = [](std::size_t all) { return (all % (most * width) + width - 1) / width; };
  if constexpr (is_fixed<AnyExtent>) {
    if constexpr (columns >= most * width)
      for (std::size_t column = 0; column < whole; column += most * width)
        panel.template operator()<most>(column);
    if constexpr (rest(columns) > 0) panel.template operator()<rest(columns)>(whole);
  } else {
    for (std::size_t column = 0; column < whole; column += most * width)
      panel.template operator()<most>(column);
    [&]<std::size_t... V>(std::index_sequence<V...>) {
      ((rest(columns) == V + 1 ? panel.template operator()<V + 1>(whole) : void()), ...);
    }
    (std::make_index_sequence<most>{});
  }
}

}  // namespace detail

/// For row i < rows and column j < columns:
///   c(i)[j] (=, +=) bias[j] + sum over the walk's indices k of a(i)[walk(k)] * b[k * b_stride + j],
/// and at last the activation. `columns` is a number or Fixed.
/// Requires: `a(i)` and `c(i)` give pointers to rows; b has readable_bytes_behind; bias is null or has
/// `columns` elements; c overlaps neither a nor b. Ensures: nothing beyond column `columns` of c is written.
/// The order of additions depends on nothing but the walk.
template <class Arch = DefaultArch, Result result = Result::assign, class Activation = Identity, class T,
          class AnyWalk, class AnyExtent, class RowOfA, class RowOfC>
void gather_gemm(std::size_t rows, AnyExtent columns, const AnyWalk& walk, const RowOfA& a, const T* b,
                 std::size_t b_stride, const T* bias, const RowOfC& c) {
  constexpr std::size_t width = simd::width<T, Arch>;
  const auto panel = [&]<std::size_t Vectors>(std::size_t column) {
    detail::column_panel<Arch, result, Activation, detail::tile_rows<Arch, Vectors>, Vectors>(
        rows, walk, a, b + column, b_stride, bias ? bias + column : nullptr, c, column,
        std::min<std::size_t>(Vectors * width, columns - column));
  };
  detail::for_each_panel<detail::tile_vectors<Arch>, width>(columns, panel);
}

/// y = activation(x b + bias) for one row x whose places `walk` calls at: the same additions in the same
/// order as gather_gemm's, but in panels as wide as the registers allow, so that b is read once, line after
/// line, which is how memory likes to be read. b has readable_bytes_behind.
template <class Arch = DefaultArch, class Activation = Identity, class T, class AnyWalk, class AnyExtent>
void row_times_matrix(const AnyWalk& walk, AnyExtent columns, const T* x, const T* b, const T* bias, T* y) {
  constexpr std::size_t width = simd::width<T, Arch>;
  const auto panel = [&]<std::size_t Vectors>(std::size_t column) {
    const detail::RowPointers<1, const T> from{{x}};
    const detail::RowPointers<1, T> to{{y + column}};
    detail::tile<Arch, Result::assign, Activation, 1, Vectors>(
        from, walk, b + column, columns, bias ? bias + column : nullptr, to, 0, 1,
        std::min<std::size_t>(Vectors * width, columns - column));
  };
  detail::for_each_panel<8, width>(columns, panel);
}

/// Where numbers of x, of which there are at most `most_picked`, are not zero: writes the places and returns
/// how many there are; 0 where it is not worth it, because few numbers are zero.
inline constexpr std::size_t most_picked = 4096;
template <class Arch = DefaultArch, class T>
std::size_t pick_nonzero(std::size_t count, const T* x, std::uint16_t* at) {
  using Vector = simd::Vector<T, Arch>;
  const T zeros = simd::transform_sum<Arch>(
      count, [](Vector v) { return simd::select(v == Vector(T{0}), Vector(T{1}), Vector(T{0})); }, x);
  if (zeros * 4 < static_cast<T>(count)) return 0;
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  std::size_t picked = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, x + i, sizeof(bits));
    at[picked] = static_cast<std::uint16_t>(i);
    // Without a branch, which nobody could foretell; the first bit is the sign.
    picked += static_cast<Bits>(bits << 1) != 0;
  }
  return picked;
}

/// Writes the transpose of a rows x columns matrix.
template <class T>
void transpose(std::size_t rows, std::size_t columns, const T* from, T* to) {
  // A block of both sides stays in the first-level cache.
  constexpr std::size_t block = 16;
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
