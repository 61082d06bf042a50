// The base of layers that map each number by itself: an activation states its function and derivative, no
// more.
#pragma once
#include "digitnet/core/simd.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet::detail {

/// A vector of one number, given in double.
template <class Vector>
Vector splat(double value) {
  return Vector(static_cast<typename Vector::value_type>(value));
}

/// Layers whose derivative follows from their result: they work in place and keep nothing else.
/// `layer.value(x)` and `layer.slope(y)` take and give a vector of numbers.
template <class In>
struct ElementwiseOfResult : LayerDefaults {
  using Output = In;
  static constexpr LayerTraits traits{.in_place = true, .elementwise = true, .backward_reads_x = false};

  template <class Io>
  static void forward(const Io& io) {
    simd::transform(
        io.x.size(), io.y.data, [&](auto x) { return io.layer.value(x); }, io.x.data);
  }
  template <class Io>
  static void backward(const Io& io) {
    using T = typename Io::Real;
    if constexpr (Io::wants_dx)
      simd::transform(
          io.x.size(), io.dx.data, [&](auto y, auto dy) { return io.layer.slope(y) * dy; }, io.y.data,
          static_cast<const T*>(io.dy.data));
  }
};

/// Whether an elementwise layer's slope is a function of its argument, not of its result.
template <class L>
inline constexpr bool slope_of_argument = L::template On<Shape<1>>::traits.backward_reads_x;

/// Layers whose derivative needs their argument: `layer.value(x)`, `layer.slope(x)`.
template <class In>
struct ElementwiseOfArgument : LayerDefaults {
  using Output = In;
  static constexpr LayerTraits traits{.elementwise = true, .backward_reads_y = false};

  template <class Io>
  static void forward(const Io& io) {
    simd::transform(
        io.x.size(), io.y.data, [&](auto x) { return io.layer.value(x); }, io.x.data);
  }
  template <class Io>
  static void backward(const Io& io) {
    using T = typename Io::Real;
    if constexpr (Io::wants_dx)
      simd::transform(
          io.x.size(), io.dx.data, [&](auto x, auto dy) { return io.layer.slope(x) * dy; }, io.x.data,
          static_cast<const T*>(io.dy.data));
  }
};

}  // namespace digitnet::detail
