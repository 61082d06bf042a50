// Sums over the rows of a matrix, which are samples or positions of images.
#pragma once
#include <cstddef>

#include "digitnet/core/simd.hpp"

namespace digitnet::kernels {

/// sums[j] += from[i * columns + j] over i < rows: the gradient of a bias.
template <class Arch = DefaultArch, class T>
void add_column_sums(std::size_t rows, std::size_t columns, const T* from, T* sums) {
  constexpr std::size_t width = simd::width<T, Arch>;
  std::size_t j = 0;
  for (; j + width <= columns; j += width) {
    simd::Vector<T, Arch> sum(T{0});
    for (std::size_t i = 0; i < rows; ++i) sum += simd::read<Arch>(from + i * columns + j);
    simd::write<Arch>(sums + j, sum + simd::read<Arch>(sums + j));
  }
  if (j < columns) {
    const std::size_t rest = columns - j;
    simd::Vector<T, Arch> sum(T{0});
    for (std::size_t i = 0; i < rows; ++i) sum += simd::read_part<Arch>(from + i * columns + j, rest);
    simd::write_part<Arch>(sums + j, sum + simd::read_part<Arch>(sums + j, rest), rest);
  }
}

}  // namespace digitnet::kernels
