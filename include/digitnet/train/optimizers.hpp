// Optimizers. Each is one formula for a parameter and its gradient, with some numbers (slots) kept beside
// each parameter. Summing gradients, clipping, decay and threads are not its business. Names, defaults and
// formulas are Keras'.
#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/simd.hpp"
#include "digitnet/train/optimizer_settings.hpp"
#include "digitnet/train/schedules.hpp"

namespace digitnet {

/// @page optimizer_contract What an optimizer is
///
/// An aggregate of settings with `class_name`, `learning_rate`, `treatment()` (a GradientTreatment) and
/// `with_formula(step, rate, visit)`, which calls `visit(formula)` once; step counts from 1. A formula
/// has `slots` (how many numbers it keeps beside each parameter), `initial` (the first value of every
/// slot) and
///
///     template <class V> V operator()(V parameter, V gradient, std::array<V, slots>& state) const;
///
/// which returns the new parameter; V is a vector of floats. A gradient of zero must leave a zero
/// parameter with fresh slots at zero: that is what padding is. `settings()` lists what Trainer checks, and
/// a checkpoint compares; `numbers()`, a span of doubles, what it holds beside the slots. Either may miss.

/// w -= rate * g; with momentum, v = momentum v - rate g and w += v, or (nesterov) w += momentum v - rate g.
struct SGD {
  static constexpr std::string_view class_name = "SGD";
  LearningRate learning_rate = 0.01f;
  float momentum = 0;
  bool nesterov = false;
  float weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;

  GradientTreatment treatment() const { return {weight_decay, clipnorm, global_clipnorm, clipvalue}; }
  std::vector<OptimizerSetting> settings() const {
    using enum OptimizerSetting::Range;
    return detail::with_treatment(
        treatment(), {{"momentum", momentum, up_to_one}, {"nesterov", nesterov ? 1.0 : 0.0, yes_or_no}});
  }

  struct Plain {
    static constexpr std::size_t slots = 0;
    static constexpr float initial = 0;
    float rate;
    template <class V>
    V operator()(V w, V g, std::array<V, 0>&) const {
      return simd::fma(V(-rate), g, w);
    }
  };
  template <bool Nesterov>
  struct Momentum {
    static constexpr std::size_t slots = 1;
    static constexpr float initial = 0;
    float rate, momentum;
    template <class V>
    V operator()(V w, V g, std::array<V, 1>& state) const {
      V& velocity = state[0];
      velocity = simd::fma(V(momentum), velocity, V(-rate) * g);
      return Nesterov ? simd::fma(V(-rate), g, simd::fma(V(momentum), velocity, w)) : w + velocity;
    }
  };
  template <class Visit>
  void with_formula(std::uint64_t, float rate, Visit&& visit) const {
    if (momentum == 0)
      visit(Plain{rate});
    else if (nesterov)
      visit(Momentum<true>{rate, momentum});
    else
      visit(Momentum<false>{rate, momentum});
  }
};

/// Divides by a running root mean square of the gradient (less its running mean, if centered).
/// Tieleman, Hinton: Lecture 6.5 - rmsprop (2012).
struct RMSprop {
  static constexpr std::string_view class_name = "RMSprop";
  LearningRate learning_rate = 0.001f;
  float rho = 0.9f;
  float momentum = 0;
  float epsilon = 1e-7f;
  bool centered = false;
  float weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;

  GradientTreatment treatment() const { return {weight_decay, clipnorm, global_clipnorm, clipvalue}; }
  std::vector<OptimizerSetting> settings() const {
    using enum OptimizerSetting::Range;
    return detail::with_treatment(treatment(), {{"rho", rho, below_one},
                                                {"momentum", momentum, up_to_one},
                                                {"epsilon", epsilon, positive},
                                                {"centered", centered ? 1.0 : 0.0, yes_or_no}});
  }

  template <bool Centered, bool HasMomentum>
  struct Formula {
    static constexpr std::size_t slots = 1 + Centered + HasMomentum;
    static constexpr float initial = 0;
    float rate, rho, momentum, epsilon;
    template <class V>
    V operator()(V w, V g, std::array<V, slots>& state) const {
      V& square = state[0];
      square = simd::fma(V(rho), square, V(1 - rho) * g * g);
      V variance = square;
      if constexpr (Centered) {
        V& mean = state[1];
        mean = simd::fma(V(rho), mean, V(1 - rho) * g);
        // Rounding may have made it negative; NaN stays NaN.
        variance = simd::max(V(0.0f), simd::fma(V(0.0f) - mean, mean, square));
      }
      const V change = V(rate) * g / simd::sqrt(variance + V(epsilon));
      if constexpr (!HasMomentum) {
        return w - change;
      } else {
        V& velocity = state[slots - 1];
        velocity = simd::fma(V(momentum), velocity, change);
        return w - velocity;
      }
    }
  };
  template <class Visit>
  void with_formula(std::uint64_t, float rate, Visit&& visit) const {
    const auto with = [&]<bool Centered>() {
      if (momentum == 0)
        visit(Formula<Centered, false>{rate, rho, momentum, epsilon});
      else
        visit(Formula<Centered, true>{rate, rho, momentum, epsilon});
    };
    if (centered)
      with.template operator()<true>();
    else
      with.template operator()<false>();
  }
};

/// Divides by the root of the sum of all squared gradients so far. Duchi, Hazan, Singer (2011).
struct Adagrad {
  static constexpr std::string_view class_name = "Adagrad";
  LearningRate learning_rate = 0.001f;
  float initial_accumulator_value = 0.1f;
  float epsilon = 1e-7f;
  float weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;

  GradientTreatment treatment() const { return {weight_decay, clipnorm, global_clipnorm, clipvalue}; }
  std::vector<OptimizerSetting> settings() const {
    using enum OptimizerSetting::Range;
    return detail::with_treatment(treatment(),
                                  {{"initial_accumulator_value", initial_accumulator_value, not_negative},
                                   {"epsilon", epsilon, positive}});
  }

  struct Formula {
    static constexpr std::size_t slots = 1;
    float rate, epsilon, initial;
    template <class V>
    V operator()(V w, V g, std::array<V, 1>& state) const {
      state[0] = simd::fma(g, g, state[0]);
      return w - V(rate) * g / simd::sqrt(state[0] + V(epsilon));
    }
  };
  template <class Visit>
  void with_formula(std::uint64_t, float rate, Visit&& visit) const {
    visit(Formula{rate, epsilon, initial_accumulator_value});
  }
};

namespace detail {

template <bool Amsgrad>
struct AdamFormula {
  static constexpr std::size_t slots = Amsgrad ? 3 : 2;
  static constexpr float initial = 0;
  // The rate includes the correction for slots that start at zero.
  float rate, beta_1, beta_2, epsilon;

  AdamFormula(std::uint64_t step, float learning_rate, float beta1, float beta2, float small)
      : rate(static_cast<float>(learning_rate *
                                std::sqrt(1 - std::pow(double{beta2}, static_cast<double>(step))) /
                                (1 - std::pow(double{beta1}, static_cast<double>(step))))),
        beta_1(beta1),
        beta_2(beta2),
        epsilon(small) {}

  template <class V>
  V operator()(V w, V g, std::array<V, slots>& state) const {
    V& mean = state[0];
    V& square = state[1];
    mean = simd::fma(V(1 - beta_1), g - mean, mean);
    square = simd::fma(V(1 - beta_2), simd::fma(g, g, V(0.0f) - square), square);
    V variance = square;
    if constexpr (Amsgrad) variance = state[2] = simd::max(state[2], square);
    return w - V(rate) * mean / (simd::sqrt(variance) + V(epsilon));
  }
};

}  // namespace detail

/// Kingma, Ba: Adam (2015); amsgrad: Reddi, Kale, Kumar: On the Convergence of Adam and Beyond (2018).
struct Adam {
  static constexpr std::string_view class_name = "Adam";
  LearningRate learning_rate = 0.001f;
  float beta_1 = 0.9f;
  float beta_2 = 0.999f;
  float epsilon = 1e-7f;
  bool amsgrad = false;
  float weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;

  GradientTreatment treatment() const { return {weight_decay, clipnorm, global_clipnorm, clipvalue}; }
  std::vector<OptimizerSetting> settings() const {
    using enum OptimizerSetting::Range;
    return detail::with_treatment(treatment(), {{"beta_1", beta_1, below_one},
                                                {"beta_2", beta_2, below_one},
                                                {"epsilon", epsilon, positive},
                                                {"amsgrad", amsgrad ? 1.0 : 0.0, yes_or_no}});
  }

  template <class Visit>
  void with_formula(std::uint64_t step, float rate, Visit&& visit) const {
    if (amsgrad)
      visit(detail::AdamFormula<true>(step, rate, beta_1, beta_2, epsilon));
    else
      visit(detail::AdamFormula<false>(step, rate, beta_1, beta_2, epsilon));
  }
};

/// Adam with decoupled weight decay. Loshchilov, Hutter: Decoupled Weight Decay Regularization (2019).
struct AdamW {
  static constexpr std::string_view class_name = "AdamW";
  LearningRate learning_rate = 0.001f;
  float weight_decay = 0.004f;
  float beta_1 = 0.9f;
  float beta_2 = 0.999f;
  float epsilon = 1e-7f;
  bool amsgrad = false;
  float clipnorm = 0, global_clipnorm = 0, clipvalue = 0;

  GradientTreatment treatment() const { return {weight_decay, clipnorm, global_clipnorm, clipvalue}; }
  std::vector<OptimizerSetting> settings() const {
    using enum OptimizerSetting::Range;
    return detail::with_treatment(treatment(), {{"beta_1", beta_1, below_one},
                                                {"beta_2", beta_2, below_one},
                                                {"epsilon", epsilon, positive},
                                                {"amsgrad", amsgrad ? 1.0 : 0.0, yes_or_no}});
  }

  template <class Visit>
  void with_formula(std::uint64_t step, float rate, Visit&& visit) const {
    Adam{.beta_1 = beta_1, .beta_2 = beta_2, .epsilon = epsilon, .amsgrad = amsgrad}.with_formula(
        step, rate, std::forward<Visit>(visit));
  }
};

/// Adam with Nesterov momentum, whose beta_1 warms up as beta_1 (1 - 0.5 * 0.96^(t * momentum_decay)).
/// Dozat: Incorporating Nesterov Momentum into Adam (2016). momentum_decay is 1 in Keras 3, 0.004 in PyTorch.
struct Nadam {
  static constexpr std::string_view class_name = "Nadam";
  LearningRate learning_rate = 0.001f;
  float beta_1 = 0.9f;
  float beta_2 = 0.999f;
  float epsilon = 1e-7f;
  float momentum_decay = 1;
  float weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;

  GradientTreatment treatment() const { return {weight_decay, clipnorm, global_clipnorm, clipvalue}; }
  std::vector<OptimizerSetting> settings() const {
    using enum OptimizerSetting::Range;
    return detail::with_treatment(treatment(), {{"beta_1", beta_1, below_one},
                                                {"beta_2", beta_2, below_one},
                                                {"epsilon", epsilon, positive},
                                                {"momentum_decay", momentum_decay, not_negative}});
  }
  /// A step, and the product of the momenta up to it: known where another's training goes on.
  std::array<double, 2> known_product{0, 1};
  std::span<double> numbers() { return known_product; }
  double momentum_at(double t) const { return beta_1 * (1 - 0.5 * std::pow(0.96, t * momentum_decay)); }
  /// Computed at each step, so that the formula depends on nothing else; soon too small to matter.
  double momentum_product(double step) const {
    double product = known_product[1];
    for (double t = known_product[0] + 1; t <= step && product > 1e-12; ++t) product *= momentum_at(t);
    return product;
  }

  struct Formula {
    static constexpr std::size_t slots = 2;
    static constexpr float initial = 0;
    // Rates and corrections, folded into one factor each.
    float of_mean, of_gradient, of_square;
    float beta_1, beta_2, epsilon;
    template <class V>
    V operator()(V w, V g, std::array<V, 2>& state) const {
      V& mean = state[0];
      V& square = state[1];
      mean = simd::fma(V(1 - beta_1), g - mean, mean);
      square = simd::fma(V(1 - beta_2), simd::fma(g, g, V(0.0f) - square), square);
      return w - simd::fma(V(of_mean), mean, V(of_gradient) * g) /
                     (simd::sqrt(square * V(of_square)) + V(epsilon));
    }
  };
  template <class Visit>
  void with_formula(std::uint64_t step, float rate, Visit&& visit) const {
    const auto at = static_cast<double>(step);
    const double product = momentum_product(at), now = momentum_at(at), next = momentum_at(at + 1);
    visit(Formula{static_cast<float>(rate * next / (1 - product * next)),
                  static_cast<float>(rate * (1 - now) / (1 - product)),
                  static_cast<float>(1 / (1 - std::pow(double{beta_2}, at))), beta_1, beta_2, epsilon});
  }
};

/// Steps by the sign of a mixture of momentum and gradient. Chen and others: Symbolic Discovery of
/// Optimization Algorithms (2023).
struct Lion {
  static constexpr std::string_view class_name = "Lion";
  LearningRate learning_rate = 0.001f;
  float beta_1 = 0.9f;
  float beta_2 = 0.99f;
  float weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;

  GradientTreatment treatment() const { return {weight_decay, clipnorm, global_clipnorm, clipvalue}; }
  std::vector<OptimizerSetting> settings() const {
    using enum OptimizerSetting::Range;
    return detail::with_treatment(treatment(),
                                  {{"beta_1", beta_1, below_one}, {"beta_2", beta_2, below_one}});
  }

  struct Formula {
    static constexpr std::size_t slots = 1;
    static constexpr float initial = 0;
    float rate, beta_1, beta_2;
    template <class V>
    V operator()(V w, V g, std::array<V, 1>& state) const {
      V& momentum = state[0];
      const V mixture = simd::fma(V(beta_1), momentum, V(1 - beta_1) * g);
      const V sign = simd::select(mixture > V(0), V(1), simd::select(mixture < V(0), V(-1), V(0)));
      momentum = simd::fma(V(beta_2), momentum, V(1 - beta_2) * g);
      return w - V(rate) * sign;
    }
  };
  template <class Visit>
  void with_formula(std::uint64_t, float rate, Visit&& visit) const {
    visit(Formula{rate, beta_1, beta_2});
  }
};

}  // namespace digitnet
