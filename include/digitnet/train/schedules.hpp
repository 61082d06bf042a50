// Learning rates: a number, or a function of the step.
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <functional>
#include <numbers>
#include <vector>

#include "digitnet/core/language.hpp"

namespace digitnet {

/// Steps are counted from 0. A schedule is anything that maps a step to a rate.
template <class S>
concept Schedule = requires(const S& schedule, std::uint64_t step) {
  { schedule(step) } -> std::convertible_to<float>;
};

/// The learning rate of an optimizer: a constant or a schedule.
class LearningRate {
 public:
  LearningRate(float constant) : constant_(constant) {}
  LearningRate(double constant) : constant_(static_cast<float>(constant)) {}
  template <Schedule S>
  LearningRate(S schedule) : schedule_(std::move(schedule)) {}

  float operator()(std::uint64_t step) const { return schedule_ ? schedule_(step) : constant_; }
  bool is_constant() const { return !schedule_; }

 private:
  float constant_ = 0;
  std::function<float(std::uint64_t)> schedule_;
};

/// initial * factor^floor(step / step_size), as PyTorch's StepLR.
struct StepDecay {
  float initial_learning_rate;
  std::uint64_t step_size;
  float factor = 0.1f;

  float operator()(std::uint64_t step) const {
    return initial_learning_rate * std::pow(factor, static_cast<float>(step / step_size));
  }
};

/// values[i] up to and including step boundaries[i]; the last value after the last boundary. Keras'
/// PiecewiseConstantDecay.
struct PiecewiseConstantDecay {
  std::vector<std::uint64_t> boundaries;
  std::vector<float> values;

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
