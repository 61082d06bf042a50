// Initial values of parameters: Keras' initializers, with Keras' defaults.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/random.hpp"

namespace digitnet {

/// What an initializer may know of the parameter it fills.
struct ParameterExtents {
  std::span<const std::size_t> extents;

  std::size_t size() const;
  /// Inputs of one output, counted as in Keras: a kernel is (..., inputs, outputs), the rest is a receptive
  /// field.
  double fan_in() const { return fan(2); }
  /// Outputs that one input reaches.
  double fan_out() const { return fan(1); }

 private:
  double fan(std::size_t from_end) const {
    if (extents.empty()) return 1;
    if (extents.size() == 1) return static_cast<double>(extents[0]);
    double receptive_field = 1;
    for (std::size_t axis = 0; axis + 2 < extents.size(); ++axis)
      receptive_field *= static_cast<double>(extents[axis]);
    return receptive_field * static_cast<double>(extents[extents.size() - from_end]);
  }
};

/// How a parameter gets its first values: a rule and two numbers. Any object below converts to it.
struct Initializer {
  using Rule = void (*)(const Initializer&, const ParameterExtents&, Random&, std::span<double>);

  Rule rule;
  double first = 0;
  double second = 0;

  /// Fills `values` (of extents.size()) from the random numbers of a key.
  void fill(const ParameterExtents& extents, RandomKey key, std::span<double> values) const {
    Random random(key);
    rule(*this, extents, random, values);
  }
};

namespace detail {

enum class Fan { in, out, average };
enum class Distribution { uniform, normal };

inline void fill_constant(const Initializer& self, const ParameterExtents&, Random&,
                          std::span<double> values) {
  std::fill(values.begin(), values.end(), self.first);
}
DIGITNET_INLINE void fill_uniform(const Initializer& self, const ParameterExtents&, Random& random,
                                  std::span<double> values);
inline void fill_normal(const Initializer& self, const ParameterExtents&, Random& random,
                        std::span<double> values) {
  for (double& value : values) value = self.first + self.second * random.normal();
}
inline double truncated_normal(Random& random) {
  while (true)
    if (const double value = random.normal(); std::abs(value) <= 2) return value;
}
inline void fill_truncated_normal(const Initializer& self, const ParameterExtents&, Random& random,
                                  std::span<double> values) {
  for (double& value : values) value = self.first + self.second * truncated_normal(random);
}

// Keras' VarianceScaling: variance scale / fan. The normal one is cut at two standard deviations and widened
// by .87962566, the standard deviation of what remains, so that the variance is right.
template <Fan fan, Distribution distribution>
void fill_scaled(const Initializer& self, const ParameterExtents& extents, Random& random,
                 std::span<double> values) {
  const double fans = fan == Fan::in    ? extents.fan_in()
                      : fan == Fan::out ? extents.fan_out()
                                        : (extents.fan_in() + extents.fan_out()) / 2;
  const double variance = self.first / std::max(1.0, fans);
  if (distribution == Distribution::uniform) {
    const double limit = std::sqrt(3 * variance);
    for (double& value : values) value = random.uniform(-limit, limit);
  } else {
    const double deviation = std::sqrt(variance) / .87962566103423978;
    for (double& value : values) value = deviation * truncated_normal(random);
  }
}

// Saxe, McClelland, Ganguli: Exact solutions to the nonlinear dynamics of learning in deep linear neural
// networks (2014). Gram-Schmidt, twice for accuracy, on the shorter side's vectors.
DIGITNET_INLINE void fill_orthogonal(const Initializer& self, const ParameterExtents& extents, Random& random,
                                     std::span<double> values);

}  // namespace detail

struct Constant : Initializer {
  constexpr explicit Constant(double value) : Initializer{detail::fill_constant, value} {}
};
struct Zeros : Initializer {
  constexpr Zeros() : Initializer{detail::fill_constant, 0} {}
};
struct Ones : Initializer {
  constexpr Ones() : Initializer{detail::fill_constant, 1} {}
};
struct RandomUniform : Initializer {
  constexpr explicit RandomUniform(double low = -0.05, double high = 0.05)
      : Initializer{detail::fill_uniform, low, high} {}
};
struct RandomNormal : Initializer {
  constexpr explicit RandomNormal(double mean = 0, double deviation = 0.05)
      : Initializer{detail::fill_normal, mean, deviation} {}
};
/// Normal, with what is more than two standard deviations from the mean drawn again.
struct TruncatedNormal : Initializer {
  constexpr explicit TruncatedNormal(double mean = 0, double deviation = 0.05)
      : Initializer{detail::fill_truncated_normal, mean, deviation} {}
};
/// Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks (2010).
struct GlorotUniform : Initializer {
  constexpr GlorotUniform()
      : Initializer{detail::fill_scaled<detail::Fan::average, detail::Distribution::uniform>, 1} {}
};
struct GlorotNormal : Initializer {
  constexpr GlorotNormal()
      : Initializer{detail::fill_scaled<detail::Fan::average, detail::Distribution::normal>, 1} {}
};
/// He, Zhang, Ren, Sun: Delving Deep into Rectifiers (2015).
struct HeUniform : Initializer {
  constexpr HeUniform()
      : Initializer{detail::fill_scaled<detail::Fan::in, detail::Distribution::uniform>, 2} {}
};
struct HeNormal : Initializer {
  constexpr HeNormal() : Initializer{detail::fill_scaled<detail::Fan::in, detail::Distribution::normal>, 2} {}
};
/// LeCun, Bottou, Orr, Mueller: Efficient BackProp (1998).
struct LecunUniform : Initializer {
  constexpr LecunUniform()
      : Initializer{detail::fill_scaled<detail::Fan::in, detail::Distribution::uniform>, 1} {}
};
struct LecunNormal : Initializer {
  constexpr LecunNormal()
      : Initializer{detail::fill_scaled<detail::Fan::in, detail::Distribution::normal>, 1} {}
};
/// Orthogonal rows or columns (whichever are fewer) of length `gain`.
struct Orthogonal : Initializer {
  constexpr explicit Orthogonal(double gain = 1) : Initializer{detail::fill_orthogonal, gain} {}
};

}  // namespace digitnet

#if DIGITNET_BODIES
#include <vector>

namespace digitnet {

DIGITNET_INLINE std::size_t ParameterExtents::size() const {
  std::size_t product = 1;
  for (const std::size_t extent : extents) product *= extent;
  return product;
}

namespace detail {

DIGITNET_INLINE void fill_uniform(const Initializer& self, const ParameterExtents&, Random& random,
                                  std::span<double> values) {
  for (double& value : values) value = random.uniform(self.first, self.second);
}

DIGITNET_INLINE void fill_orthogonal(const Initializer& self, const ParameterExtents& extents, Random& random,
                                     std::span<double> values) {
  const std::size_t columns = extents.extents.empty() ? 1 : extents.extents.back();
  const std::size_t rows = values.size() / columns;
  const std::size_t vectors = std::min(rows, columns);
  const std::size_t length = std::max(rows, columns);
  std::vector<double> basis(vectors * length);
  for (double& value : basis) value = random.normal();
  for (std::size_t v = 0; v < vectors; ++v) {
    double* const vector = basis.data() + v * length;
    for (int pass = 0; pass < 2; ++pass)
      for (std::size_t u = 0; u < v; ++u) {
        const double* const other = basis.data() + u * length;
        double overlap = 0;
        for (std::size_t i = 0; i < length; ++i) overlap += vector[i] * other[i];
        for (std::size_t i = 0; i < length; ++i) vector[i] -= overlap * other[i];
      }
    double norm = 0;
    for (std::size_t i = 0; i < length; ++i) norm += vector[i] * vector[i];
    for (std::size_t i = 0; i < length; ++i) vector[i] /= std::sqrt(norm);
  }
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t column = 0; column < columns; ++column)
      values[row * columns + column] =
          self.first * (rows < columns ? basis[row * length + column] : basis[column * length + row]);
}

}  // namespace detail

}  // namespace digitnet
#endif
