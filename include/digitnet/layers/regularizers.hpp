// Penalties on weights, added to the loss that is minimised and reported, as in Keras.
#pragma once
#include "digitnet/core/language.hpp"

namespace digitnet {

/// The penalty l1 * sum |w| + l2 * sum w^2 of a parameter.
struct Regularizer {
  float l1 = 0;
  float l2 = 0;

  constexpr bool active() const { return l1 != 0 || l2 != 0; }
};

/// Keras' regularizers.L1.
struct L1 : Regularizer {
  constexpr explicit L1(float factor = 0.01f) : Regularizer{factor, 0} {}
};
/// Keras' regularizers.L2: factor * sum w^2, whose gradient is 2 * factor * w.
struct L2 : Regularizer {
  constexpr explicit L2(float factor = 0.01f) : Regularizer{0, factor} {}
};
/// Keras' regularizers.L1L2.
struct L1L2 : Regularizer {
  constexpr L1L2(float first, float second) : Regularizer{first, second} {}
};

}  // namespace digitnet
