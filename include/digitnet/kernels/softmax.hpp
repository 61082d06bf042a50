// Softmax over rows, and the logarithm of its denominator.
#pragma once
#include <algorithm>
#include <cstddef>

#include "digitnet/core/simd.hpp"

namespace digitnet::kernels {

/// The largest of `count` >= 1 numbers.
template <class T>
T largest(std::size_t count, const T* x) {
  T result = x[0];
  for (std::size_t i = 1; i < count; ++i) result = std::max(result, x[i]);
  return result;
}

/// y = e^(x - max x) and their sum; y may be x.
template <class Arch = DefaultArch, class T>
T shifted_exponentials(std::size_t count, const T* x, T* y) {
  using Vector = simd::Vector<T, Arch>;
  const Vector shift(largest(count, x));
  simd::transform<Arch>(
      count, y, [&](Vector value) { return simd::exp(value - shift); }, x);
  T sum{0};
  for (std::size_t i = 0; i < count; ++i) sum += y[i];
  return sum;
}

/// y = e^x / sum e^x for one row; y may be x.
template <class Arch = DefaultArch, class T>
void softmax(std::size_t count, const T* x, T* y) {
  const T scale = T{1} / shifted_exponentials<Arch>(count, x, y);
  for (std::size_t i = 0; i < count; ++i) y[i] *= scale;
}

}  // namespace digitnet::kernels
