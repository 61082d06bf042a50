// SIMD vectors of one lane, for machines without a vector unit: what kernels use of xsimd's batch.
#pragma once
#include <cmath>
#include <cstddef>

#include "digitnet/core/language.hpp"

namespace digitnet::simd {

/// The instruction set that has no vectors.
struct NoSimd {};

/// One number that behaves as a vector.
template <class T>
struct OneLane {
  using value_type = T;
  using arch_type = NoSimd;
  static constexpr std::size_t size = 1;

  T value{};

  OneLane() = default;
  explicit OneLane(T number) : value(number) {}

  static OneLane load_unaligned(const T* from) { return OneLane(*from); }
  void store_unaligned(T* to) const { *to = value; }

  friend OneLane operator+(OneLane a, OneLane b) { return OneLane(a.value + b.value); }
  friend OneLane operator-(OneLane a, OneLane b) { return OneLane(a.value - b.value); }
  friend OneLane operator*(OneLane a, OneLane b) { return OneLane(a.value * b.value); }
  friend OneLane operator/(OneLane a, OneLane b) { return OneLane(a.value / b.value); }
  friend OneLane operator-(OneLane a) { return OneLane(-a.value); }
  OneLane& operator+=(OneLane b) { return *this = *this + b; }
  OneLane& operator-=(OneLane b) { return *this = *this - b; }
  OneLane& operator*=(OneLane b) { return *this = *this * b; }
  OneLane& operator/=(OneLane b) { return *this = *this / b; }
  friend bool operator<(OneLane a, OneLane b) { return a.value < b.value; }
  friend bool operator>(OneLane a, OneLane b) { return a.value > b.value; }
  friend bool operator<=(OneLane a, OneLane b) { return a.value <= b.value; }
  friend bool operator>=(OneLane a, OneLane b) { return a.value >= b.value; }
  friend bool operator==(OneLane a, OneLane b) { return a.value == b.value; }
};

template <class T>
OneLane<T> select(bool condition, OneLane<T> a, OneLane<T> b) {
  return condition ? a : b;
}
// As vector units do: where a number is NaN, the second operand.
template <class T>
OneLane<T> max(OneLane<T> a, OneLane<T> b) {
  return a > b ? a : b;
}
template <class T>
OneLane<T> min(OneLane<T> a, OneLane<T> b) {
  return a < b ? a : b;
}
template <class T>
OneLane<T> fma(OneLane<T> a, OneLane<T> b, OneLane<T> c) {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return OneLane<T>(std::fma(a.value, b.value, c.value));
#else
  return a * b + c;
#endif
}
template <class T>
OneLane<T> abs(OneLane<T> x) {
  return OneLane<T>(std::abs(x.value));
}
template <class T>
OneLane<T> sqrt(OneLane<T> x) {
  return OneLane<T>(std::sqrt(x.value));
}
template <class T>
OneLane<T> exp(OneLane<T> x) {
  return OneLane<T>(std::exp(x.value));
}
template <class T>
OneLane<T> expm1(OneLane<T> x) {
  return OneLane<T>(std::expm1(x.value));
}
template <class T>
OneLane<T> log1p(OneLane<T> x) {
  return OneLane<T>(std::log1p(x.value));
}
template <class T>
OneLane<T> tanh(OneLane<T> x) {
  return OneLane<T>(std::tanh(x.value));
}
template <class T>
OneLane<T> erf(OneLane<T> x) {
  return OneLane<T>(std::erf(x.value));
}

}  // namespace digitnet::simd
