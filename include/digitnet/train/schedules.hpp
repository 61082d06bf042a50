// Learning rates: a constant, or a schedule that gives a rate for each step.
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "digitnet/core/class_name.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/language.hpp"
#include "digitnet/core/number_text.hpp"

namespace digitnet {

namespace detail {

/// Throws an Error unless `value` is finite and above 0 (or 0 itself, where that makes sense).
inline void check_positive(const char* owner, const char* name, double value, bool or_zero = false) {
  if (std::isfinite(value) && (value > 0 || (or_zero && value == 0))) return;
  fail(std::string(owner) + "'s " + name + " must be " +
       (or_zero ? "a number of at least 0" : "a number above 0") + ", but is " + to_text(value));
}
inline void check_steps(const char* owner, const char* name, std::uint64_t steps) {
  if (steps == 0) fail(std::string(owner) + "'s " + name + " must be at least 1 step, but is 0");
}

}  // namespace detail

/// Steps are counted from 0. A schedule is anything that maps a step to a rate. One that has settings has
/// `check()` too, which throws an Error if they make no sense.
template <class S>
concept Schedule = requires(const S& schedule, std::uint64_t step) {
  { schedule(step) } -> std::convertible_to<float>;
};

/// The learning rate of an optimizer: a constant or a schedule. Throws an Error if the constant is not above
/// 0 and finite, or if the schedule's settings make no sense.
class LearningRate {
 public:
  LearningRate(float constant) : constant_(constant) {
    detail::check_positive("An optimizer", "learning rate", constant);
  }
  LearningRate(double constant) : LearningRate(static_cast<float>(constant)) {}
  template <Schedule S>
  LearningRate(S schedule) {
    if constexpr (requires { schedule.check(); }) schedule.check();
    name_ = class_name(typeid(S));
    schedule_ = std::move(schedule);
  }

  /// Throws an Error if a schedule gives what is no rate.
  float operator()(std::uint64_t step) const {
    if (!schedule_) return constant_;
    const float rate = schedule_(step);
    if (!(rate >= 0 && rate <= std::numeric_limits<float>::max())) refuse(step, rate);
    return rate;
  }
  bool is_constant() const { return !schedule_; }
  /// Replaces a constant while a training runs; 0 stands still.
  void set_constant(float rate) {
    detail::check_positive("A training", "learning rate", rate, true);
    constant_ = rate;
  }
  /// "0.001", or for a schedule its class and its first rate: "CosineDecay from 0.001".
  std::string text() const { return schedule_ ? name_ + " from " + to_text((*this)(0)) : to_text(constant_); }

 private:
  [[noreturn]] void refuse(std::uint64_t step, float rate) const {
    fail("The learning rate's schedule " + name_ + " gives " + to_text(rate) + " at step " +
         std::to_string(step) + ", but a rate must be a number of at least 0");
  }

  float constant_ = 0;
  std::string name_;
  std::function<float(std::uint64_t)> schedule_;
};

/// initial * factor^floor(step / step_size), as PyTorch's StepLR.
struct StepDecay {
  float initial_learning_rate;
  std::uint64_t step_size;
  float factor = 0.1f;

  void check() const {
    detail::check_positive("StepDecay", "initial_learning_rate", initial_learning_rate);
    detail::check_steps("StepDecay", "step_size", step_size);
    detail::check_positive("StepDecay", "factor", factor);
  }
  float operator()(std::uint64_t step) const {
    return initial_learning_rate * std::pow(factor, static_cast<float>(step / step_size));
  }
};

/// values[i] up to and including step boundaries[i]; the last value after the last boundary. Keras'
/// PiecewiseConstantDecay.
struct PiecewiseConstantDecay {
  std::vector<std::uint64_t> boundaries;
  std::vector<float> values;

  void check() const {
    if (values.size() != boundaries.size() + 1)
      fail("PiecewiseConstantDecay needs a value more than boundaries, but has " +
           std::to_string(values.size()) + " values and " + std::to_string(boundaries.size()) +
           " boundaries");
    for (std::size_t i = 1; i < boundaries.size(); ++i)
      if (boundaries[i] <= boundaries[i - 1])
        fail("PiecewiseConstantDecay's boundaries must rise, but " + std::to_string(boundaries[i]) +
             " follows " + std::to_string(boundaries[i - 1]));
    for (const float value : values) detail::check_positive("PiecewiseConstantDecay", "value", value, true);
  }
  float operator()(std::uint64_t step) const {
    std::size_t i = 0;
    while (i < boundaries.size() && step > boundaries[i]) ++i;
    return values.at(i);
  }
};

/// initial * rate^(step / steps), in whole numbers with `staircase`. Keras' ExponentialDecay.
struct ExponentialDecay {
  float initial_learning_rate;
  std::uint64_t decay_steps;
  float decay_rate;
  bool staircase = false;

  void check() const {
    detail::check_positive("ExponentialDecay", "initial_learning_rate", initial_learning_rate);
    detail::check_steps("ExponentialDecay", "decay_steps", decay_steps);
    detail::check_positive("ExponentialDecay", "decay_rate", decay_rate);
  }
  float operator()(std::uint64_t step) const {
    const double part = static_cast<double>(step) / static_cast<double>(decay_steps);
    return static_cast<float>(initial_learning_rate *
                              std::pow(double{decay_rate}, staircase ? std::floor(part) : part));
  }
};

/// Rises linearly from the initial rate to `warmup_target` in `warmup_steps` (if there are any), then falls
/// along half a cosine to alpha times its height in `decay_steps`. Keras' CosineDecay; Loshchilov, Hutter:
/// SGDR (2017).
struct CosineDecay {
  float initial_learning_rate;
  std::uint64_t decay_steps;
  float alpha = 0;
  float warmup_target = 0;
  std::uint64_t warmup_steps = 0;

  void check() const {
    const bool rises = warmup_steps > 0;
    detail::check_positive("CosineDecay", "initial_learning_rate", initial_learning_rate, rises);
    detail::check_steps("CosineDecay", "decay_steps", decay_steps);
    detail::check_positive("CosineDecay", "alpha", alpha, true);
    detail::check_positive("CosineDecay", "warmup_target", warmup_target, !rises);
  }
  float operator()(std::uint64_t step) const {
    double top = initial_learning_rate;
    if (warmup_steps > 0) {
      top = warmup_target;
      if (step < warmup_steps)
        return static_cast<float>(initial_learning_rate + (double{warmup_target} - initial_learning_rate) *
                                                              static_cast<double>(step) /
                                                              static_cast<double>(warmup_steps));
      step -= warmup_steps;
    }
    const double part = static_cast<double>(std::min(step, decay_steps)) / static_cast<double>(decay_steps);
    const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * part));
    return static_cast<float>(top * ((1 - double{alpha}) * cosine + double{alpha}));
  }
};

/// From peak / initial_division up to the peak, then down to peak / initial_division / final_division, along
/// half cosines or (linear) straight lines. PyTorch's OneCycleLR; Smith, Topin: Super-Convergence (2018).
struct OneCycle {
  float peak;
  std::uint64_t total_steps;
  float rising_part = 0.3f;
  float initial_division = 25;
  float final_division = 1e4f;
  bool linear = false;

  void check() const {
    detail::check_positive("OneCycle", "peak", peak);
    detail::check_steps("OneCycle", "total_steps", total_steps);
    if (!(rising_part >= 0 && rising_part <= 1))
      fail("OneCycle's rising_part must be from 0 to 1, but is " + to_text(rising_part));
    detail::check_positive("OneCycle", "initial_division", initial_division);
    detail::check_positive("OneCycle", "final_division", final_division);
  }
  float operator()(std::uint64_t step) const {
    const double initial = double{peak} / initial_division;
    const double last = initial / final_division;
    const double top = rising_part * static_cast<double>(total_steps) - 1;
    const double now = static_cast<double>(std::min(step, total_steps - 1));
    if (now <= top) return between(initial, peak, top > 0 ? now / top : 1);
    return between(peak, last, (now - top) / (static_cast<double>(total_steps) - 1 - top));
  }

 private:
  float between(double from, double to, double part) const {
    const double weight = linear ? part : 0.5 * (1 - std::cos(std::numbers::pi * part));
    return static_cast<float>(from + (to - from) * weight);
  }
};

}  // namespace digitnet
