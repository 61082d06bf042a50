// LayerNormalization: brings each row of the last axis to mean 0 and variance 1, then scales and shifts it.
#pragma once
#include <array>
#include <cmath>
#include <cstddef>

#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// Keras' LayerNormalization over the last axis, for inputs of any rank: training and inference are the same.
/// Parameters, each (size of the last axis): with Scale "gamma", with Center "beta". Ba, Kiros, Hinton: Layer
/// Normalization (2016).
template <bool Center = true, bool Scale = true>
struct BasicLayerNormalization {
  static constexpr std::string_view class_name = "LayerNormalization";
  static constexpr OutputKind output_kind = OutputKind::numbers;

  float epsilon = 1e-3f;
  static constexpr auto settings = std::tuple{setting<"center">(Center), setting<"scale">(Scale),
                                              setting<"epsilon">(&BasicLayerNormalization::epsilon)};
  Initializer beta_initializer = Zeros{};
  Initializer gamma_initializer = Ones{};
  Regularizer beta_regularizer{};
  Regularizer gamma_regularizer{};

  template <class In>
  struct On : LayerDefaults {
    using Layer = BasicLayerNormalization;
    using Output = In;
    static constexpr std::size_t size = In::last, rows = In::size / size;
    using Gamma = Parameter<"gamma", Shape<size>, &Layer::gamma_initializer, &Layer::gamma_regularizer>;
    using Beta = Parameter<"beta", Shape<size>, &Layer::beta_initializer, &Layer::beta_regularizer>;
    using Parameters =
        std::conditional_t<Scale,
                           std::conditional_t<Center, ParameterList<Gamma, Beta>, ParameterList<Gamma>>,
                           std::conditional_t<Center, ParameterList<Beta>, ParameterList<>>>;
    static constexpr LayerTraits traits{.backward_reads_y = false, .keeps_dy = true};

    template <class Io>
    static void forward(const Io& io) {
      using T = typename Io::Real;
      for (std::size_t row = 0; row < io.samples() * rows; ++row) {
        const T* const x = io.x.data + row * size;
        T* const y = io.y.data + row * size;
        const Moments<T> m(x, io.layer.epsilon);
        for (std::size_t i = 0; i < size; ++i)
          y[i] = gamma<T>(io.parameters, i) * m.normalized(x[i]) + beta<T>(io.parameters, i);
      }
    }
    template <class Io>
    static void backward(const Io& io) {
      using T = typename Io::Real;
      for (std::size_t row = 0; row < io.samples() * rows; ++row) {
        const T* const x = io.x.data + row * size;
        const T* const dy = io.dy.data + row * size;
        const Moments<T> m(x, io.layer.epsilon);
        for (std::size_t i = 0; i < size; ++i) {
          if constexpr (Center) get<"beta">(io.gradients).data[i] += dy[i];
          if constexpr (Scale) get<"gamma">(io.gradients).data[i] += dy[i] * m.normalized(x[i]);
        }
        if constexpr (Io::wants_dx) {
          const T mean = sum<T>([&](std::size_t i) { return dy[i] * gamma<T>(io.parameters, i); }) / T{size};
          const T slope =
              sum<T>([&](std::size_t i) { return dy[i] * gamma<T>(io.parameters, i) * m.normalized(x[i]); }) /
              T{size};
          T* const dx = io.dx.data + row * size;
          for (std::size_t i = 0; i < size; ++i)
            dx[i] = m.inverse * (dy[i] * gamma<T>(io.parameters, i) - mean - m.normalized(x[i]) * slope);
        }
      }
    }

   private:
    // The sum of term(i) over a row, in parts that are summed side by side: they are a vector to the
    // compiler, and long rows lose less.
    template <class T, class Term>
    static T sum(const Term& term) {
      constexpr std::size_t parts = 16, whole = size / parts * parts;
      std::array<T, parts> sums{};
      for (std::size_t i = 0; i < whole; i += parts)
        for (std::size_t part = 0; part < parts; ++part) sums[part] += term(i + part);
      for (std::size_t i = whole; i < size; ++i) sums[i - whole] += term(i);
      T result{0};
      for (const T part : sums) result += part;
      return result;
    }
    // Mean and 1 / deviation of a row. The mean is kept as what it exceeds the first number by, so that
    // precision does not depend on how far from zero the numbers are.
    template <class T>
    struct Moments {
      T first, mean, inverse;
      Moments(const T* x, float epsilon) : first(x[0]) {
        mean = sum<T>([&](std::size_t i) { return x[i] - first; }) / T{size};
        const T squares = sum<T>([&](std::size_t i) {
          const T difference = x[i] - first - mean;
          return difference * difference;
        });
        inverse = 1 / std::sqrt(squares / T{size} + static_cast<T>(epsilon));
      }
      T normalized(T value) const { return (value - first - mean) * inverse; }
    };
    template <class T, class Views>
    static T gamma(const Views& parameters, std::size_t i) {
      if constexpr (Scale) return get<"gamma">(parameters).data[i];
      return 1;
    }
    template <class T, class Views>
    static T beta(const Views& parameters, std::size_t i) {
      if constexpr (Center) return get<"beta">(parameters).data[i];
      return 0;
    }
  };
};

/// `LayerNormalization`, `LayerNormalization{.epsilon = 1e-6f}`; without beta or gamma,
/// BasicLayerNormalization.
using LayerNormalization = BasicLayerNormalization<>;

}  // namespace digitnet
