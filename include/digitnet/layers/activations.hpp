// Activations: layers that apply a function to each number, y = f(x).
#pragma once
#include <limits>
#include <numbers>

#include "digitnet/layers/elementwise.hpp"

namespace digitnet {

/// max(x, 0)
struct ReLU {
  static constexpr std::string_view class_name = "ReLU";
  static constexpr OutputKind output_kind = OutputKind::numbers;
  // See kernels::Identity.
  static constexpr bool is_exact = true;
  template <class In>
  struct On : detail::ElementwiseOfResult<In> {};

  template <class V>
  static V value(V x) {
    return simd::max(V(0), x);  // in this order a NaN stays a NaN
  }
  template <class V>
  static V slope(V y) {
    return simd::select(y > V(0), V(1), V(0));
  }
};

/// x where it is positive, else negative_slope * x.
struct LeakyReLU {
  static constexpr std::string_view class_name = "LeakyReLU";
  static constexpr OutputKind output_kind = OutputKind::numbers;
  float negative_slope = 0.3f;
  static constexpr auto settings = std::tuple{setting<"negative_slope">(&LeakyReLU::negative_slope)};

  template <class In>
  struct On : detail::ElementwiseOfArgument<In> {};

  template <class V>
  V value(V x) const {
    return simd::select(x > V(0), x, V(negative_slope) * x);
  }
  template <class V>
  V slope(V x) const {
    return simd::select(x > V(0), V(1), V(negative_slope));
  }
};

/// x where it is positive, else alpha (e^x - 1). Clevert, Unterthiner, Hochreiter (2015).
struct ELU {
  static constexpr std::string_view class_name = "ELU";
  static constexpr OutputKind output_kind = OutputKind::numbers;
  float alpha = 1.0f;
  static constexpr auto settings = std::tuple{setting<"alpha">(&ELU::alpha)};

  template <class In>
  struct On : detail::ElementwiseOfArgument<In> {};

  template <class V>
  V value(V x) const {
    return simd::select(x > V(0), x, V(alpha) * simd::expm1(simd::min(x, V(0))));
  }
  template <class V>
  V slope(V x) const {
    return simd::select(x > V(0), V(1), V(alpha) * simd::exp(simd::min(x, V(0))));
  }
};

/// 1 / (1 + e^-x)
struct Sigmoid {
  static constexpr std::string_view class_name = "Sigmoid";
  static constexpr OutputKind output_kind = OutputKind::probabilities;
  template <class In>
  struct On : detail::ElementwiseOfResult<In> {};

  template <class V>
  static V value(V x) {
    // e^-|x| cannot overflow.
    const V small = simd::exp(-simd::abs(x));
    return simd::select(x < V(0), small, V(1)) / (V(1) + small);
  }
  template <class V>
  static V slope(V y) {
    return y * (V(1) - y);
  }
};

/// The hyperbolic tangent.
struct Tanh {
  static constexpr std::string_view class_name = "Tanh";
  static constexpr OutputKind output_kind = OutputKind::numbers;
  template <class In>
  struct On : detail::ElementwiseOfResult<In> {};

  template <class V>
  static V value(V x) {
    return simd::tanh(x);
  }
  template <class V>
  static V slope(V y) {
    return V(1) - y * y;
  }
};

/// x sigmoid(x), also named swish. Hendrycks, Gimpel (2016).
struct SiLU {
  static constexpr std::string_view class_name = "SiLU";
  static constexpr OutputKind output_kind = OutputKind::numbers;
  template <class In>
  struct On : detail::ElementwiseOfArgument<In> {};

  template <class V>
  static V value(V x) {
    return x * Sigmoid::value(x);
  }
  template <class V>
  static V slope(V x) {
    const V sigmoid = Sigmoid::value(x);
    return sigmoid * (V(1) + x * (V(1) - sigmoid));
  }
};

/// x Phi(x), where Phi is the distribution function of the standard normal; with `approximate`, the formula
/// with tanh. Hendrycks, Gimpel: Gaussian Error Linear Units (2016).
struct GELU {
  static constexpr std::string_view class_name = "GELU";
  static constexpr OutputKind output_kind = OutputKind::numbers;
  bool approximate = false;
  static constexpr auto settings = std::tuple{setting<"approximate">(&GELU::approximate)};

  template <class In>
  struct On : detail::ElementwiseOfArgument<In> {};

  template <class V>
  V value(V x) const {
    return detail::splat<V>(0.5) * x *
           (V(1) + (approximate ? simd::tanh(inner(x)) : simd::erf(x * detail::splat<V>(inverse_sqrt_2))));
  }
  template <class V>
  V slope(V x) const {
    if (approximate) {
      const V tanh = simd::tanh(inner(x));
      const V inner_slope = detail::splat<V>(sqrt_2_by_pi) * (V(1) + detail::splat<V>(3 * cubic) * x * x);
      return detail::splat<V>(0.5) * (V(1) + tanh) +
             detail::splat<V>(0.5) * x * (V(1) - tanh * tanh) * inner_slope;
    }
    const V density = detail::splat<V>(0.5 * inverse_sqrt_2 * 2 * std::numbers::inv_sqrtpi) *
                      simd::exp(detail::splat<V>(-0.5) * x * x);
    return detail::splat<V>(0.5) * (V(1) + simd::erf(x * detail::splat<V>(inverse_sqrt_2))) + x * density;
  }

 private:
  static constexpr double inverse_sqrt_2 = 0.5 * std::numbers::sqrt2;
  static constexpr double sqrt_2_by_pi = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  static constexpr double cubic = 0.044715;
  template <class V>
  static V inner(V x) {
    return detail::splat<V>(sqrt_2_by_pi) * (x + detail::splat<V>(cubic) * x * x * x);
  }
};

/// log(1 + e^x)
struct Softplus {
  static constexpr std::string_view class_name = "Softplus";
  template <class In>
  struct On : detail::ElementwiseOfArgument<In> {};

  template <class V>
  static V value(V x) {
    return simd::max(x, V(0)) + simd::log1p(simd::exp(-simd::abs(x)));
  }
  template <class V>
  static V slope(V x) {
    return Sigmoid::value(x);
  }
};

/// x min(max(x + 3, 0), 6) / 6. Howard and others: Searching for MobileNetV3 (2019).
struct HardSwish {
  static constexpr std::string_view class_name = "HardSwish";
  static constexpr OutputKind output_kind = OutputKind::numbers;
  template <class In>
  struct On : detail::ElementwiseOfArgument<In> {};

  template <class V>
  static V value(V x) {
    return x * simd::min(simd::max(x + V(3), V(0)), V(6)) * detail::splat<V>(1.0 / 6);
  }
  template <class V>
  static V slope(V x) {
    const V inside = x * detail::splat<V>(1.0 / 3) + detail::splat<V>(0.5);
    return simd::select(x <= V(-3), V(0), simd::select(x >= V(3), V(1), inside));
  }
};

}  // namespace digitnet
