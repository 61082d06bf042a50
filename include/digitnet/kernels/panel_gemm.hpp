// The matrix product of dense layers. Its right-hand matrix lies in panels, as wide as a register tile: so a
// tile reads memory line after line, and not lines that are a whole row apart.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "digitnet/kernels/gather_gemm.hpp"

namespace digitnet::kernels {

/// A tile is three vectors wide and as high as leaves registers for the columns and one factor. Batches are
/// multiples of 8 more often than of 6, which matters more than one load less: on Zen 4, one thread, 64
/// samples times 784 x 512, 8 x 3 makes 113 GFLOP/s, 6 x 4 103; with AVX2 4 x 3 113, 6 x 2 110.
inline constexpr std::size_t panel_vectors = 3;
template <class Arch>
inline constexpr std::size_t panel_rows = simd::registers<Arch> >= 32 ? 8 : 4;
template <class T, class Arch>
inline constexpr std::size_t panel_width = panel_vectors* simd::width<T, Arch>;

/// A matrix (depth, columns), row after row, or in panels one behind the other: of each, row after row, the
/// `panel_width` columns that it has; of the last, those that remain. Has readable_bytes_behind.
template <class T>
struct PanelMatrix {
  const T* first;
  std::size_t depth, columns;
  bool in_panels;
};

/// Writes rows first_row, first_row + 1, ... of a matrix (depth, columns) into its panels.
template <class Arch = DefaultArch, class T>
void pack_panels(std::size_t first_row, std::size_t rows, std::size_t depth, std::size_t columns,
                 const T* from, T* panels) {
  constexpr std::size_t most = panel_width<T, Arch>;
  for (std::size_t column = 0; column < columns; column += most) {
    const std::size_t count = std::min(most, columns - column);
    T* to = panels + depth * column + first_row * count;
    if (count == columns) {
      std::memcpy(to, from, rows * columns * sizeof(T));
      return;
    }
    for (std::size_t row = 0; row < rows; ++row, to += count) {
      // Of a length that the compiler knows.
      if (count == most)
        std::memcpy(to, from + row * columns + column, most * sizeof(T));
      else
        std::memcpy(to, from + row * columns + column, count * sizeof(T));
    }
  }
}

namespace detail {

// Four rows of four numbers become columns.
template <class T>
void transpose_4x4(const T* from, std::size_t from_stride, T* to, std::size_t to_stride) {
  using Four = typename simd::detail::Plain<T, 4>::Type;
  Four rows[4];
  for (std::size_t i = 0; i < 4; ++i) std::memcpy(&rows[i], from + i * from_stride, sizeof(Four));
  const Four low = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5),
             high = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7),
             next_low = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5),
             next_high = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
  const Four columns[] = {__builtin_shufflevector(low, next_low, 0, 1, 4, 5),
                          __builtin_shufflevector(low, next_low, 2, 3, 6, 7),
                          __builtin_shufflevector(high, next_high, 0, 1, 4, 5),
                          __builtin_shufflevector(high, next_high, 2, 3, 6, 7)};
  for (std::size_t i = 0; i < 4; ++i) std::memcpy(to + i * to_stride, &columns[i], sizeof(Four));
}

}  // namespace detail

/// Writes the panels of the transpose of a matrix (columns, depth).
template <class Arch = DefaultArch, class T>
void pack_transposed_panels(std::size_t depth, std::size_t columns, const T* from, T* panels) {
  constexpr std::size_t most = panel_width<T, Arch>;
  for (std::size_t column = 0; column < columns; column += most) {
    const std::size_t count = std::min(most, columns - column);
    T* const to = panels + depth * column;
    // Few lines at a time: those of a matrix whose rows are 2 KiB apart share two sets of a cache.
    for (std::size_t j = 0; j < count; j += 4)
      for (std::size_t k = 0; k < depth; k += 4) {
        const T* const block = from + (column + j) * depth + k;
        if (j + 4 <= count && k + 4 <= depth) {
          detail::transpose_4x4(block, depth, to + k * count + j, count);
          continue;
        }
        for (std::size_t row = 0; row < std::min<std::size_t>(4, count - j); ++row)
          for (std::size_t i = 0; i < std::min<std::size_t>(4, depth - k); ++i)
            to[(k + i) * count + j + row] = block[row * depth + i];
      }
  }
}

namespace detail {

template <class Activation>
inline constexpr bool is_exact = requires {
  requires Activation::is_exact;
};

/// Columns that are left behind whole vectors; 0 where that is not known.
template <class AnyExtent, std::size_t width>
constexpr std::size_t columns_left() {
  if constexpr (is_fixed<AnyExtent>) return std::size_t{AnyExtent{}} % width;
  return 0;
}

}  // namespace detail

/// For row i < rows and column j < columns:
///   c(i)[j] (=, +=) bias[j] + sum over the walk's indices k of a(i)[walk(k)] * b(k, j),
/// and at last the activation. `columns` is a number or Fixed; else as gather_gemm, with the same order of
/// additions.
template <class Arch = DefaultArch, Result result = Result::assign, class Activation = Identity, class T,
          class AnyExtent>
void panel_gemm(std::size_t rows, AnyExtent columns, const Walk& walk, const Rows<const T>& a,
                const PanelMatrix<T>& b, const T* bias, const Rows<T>& c) {
  constexpr std::size_t width = simd::width<T, Arch>;
  const auto panel = [&]<std::size_t Vectors>(std::size_t column) {
    const std::size_t count = std::min<std::size_t>(Vectors * width, columns - column);
    const auto with = [&]<class Lanes>() {
      detail::column_panel<Lanes, result, Activation, panel_rows<Arch>, Vectors>(
          rows, walk, a, b.first + column * (b.in_panels ? b.depth : 1), b.in_panels ? count : b.columns,
          bias ? bias + column : nullptr, c, column, count);
    };
    if constexpr (Vectors == 1 && detail::is_exact<Activation>)
      with.template operator()<simd::ArchOf<T, Arch, detail::columns_left<AnyExtent, width>()>>();
    else
      with.template operator()<Arch>();
  };
  detail::for_each_panel<panel_vectors, width>(columns, panel);
}

}  // namespace digitnet::kernels
