// The settings of an optimizer as data: they are checked before a training and compared with a checkpoint's.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/train/schedules.hpp"

namespace digitnet {

/// What is done with gradients and parameters before the optimizer's formula. 0 switches a treatment off.
struct GradientTreatment {
  /// At each step parameters shrink by learning rate times this (decoupled decay).
  float weight_decay;
  /// The largest Euclidean norm of one parameter's gradient.
  float clipnorm;
  /// The largest Euclidean norm of all gradients together.
  float global_clipnorm;
  /// The largest absolute value of one element of a gradient.
  float clipvalue;
};

/// A setting of an optimizer: its name, its value, and which values make sense.
struct OptimizerSetting {
  enum Range { not_negative, positive, below_one, up_to_one, yes_or_no };
  const char* name;
  double value;
  Range range;
};

namespace detail {

/// Settings together with those of the treatment.
DIGITNET_INLINE std::vector<OptimizerSetting> with_treatment(const GradientTreatment& treatment,
                                                             std::vector<OptimizerSetting> settings);

/// Those of an optimizer; of a user's own without settings(), the treatment's alone.
template <class Optimizer>
std::vector<OptimizerSetting> settings_of(const Optimizer& optimizer) {
  if constexpr (requires { optimizer.settings(); })
    return optimizer.settings();
  else
    return with_treatment(optimizer.treatment(), {});
}

/// How many numbers an optimizer, as it is set, keeps beside each parameter.
template <class Optimizer>
std::size_t slots_of(const Optimizer& optimizer) {
  std::size_t slots = 0;
  optimizer.with_formula(1, 0.0f, [&](const auto& formula) { slots = formula.slots; });
  return slots;
}

/// Throws an Error that names the first setting that makes no sense.
DIGITNET_INLINE void check_settings(std::string_view optimizer,
                                    const std::vector<OptimizerSetting>& settings);

}  // namespace detail

}  // namespace digitnet

#if DIGITNET_BODIES
namespace digitnet {

namespace detail {

DIGITNET_INLINE std::vector<OptimizerSetting> with_treatment(const GradientTreatment& treatment,
                                                             std::vector<OptimizerSetting> settings) {
  using enum OptimizerSetting::Range;
  settings.insert(settings.end(), {{"weight_decay", treatment.weight_decay, not_negative},
                                   {"clipnorm", treatment.clipnorm, not_negative},
                                   {"global_clipnorm", treatment.global_clipnorm, not_negative},
                                   {"clipvalue", treatment.clipvalue, not_negative}});
  return settings;
}

DIGITNET_INLINE void check_settings(std::string_view optimizer,
                                    const std::vector<OptimizerSetting>& settings) {
  for (const auto& [name, value, range] : settings) {
    const bool up_to = range == OptimizerSetting::up_to_one;
    if (range == OptimizerSetting::not_negative || range == OptimizerSetting::positive)
      check_positive(std::string(optimizer).c_str(), name, value, range == OptimizerSetting::not_negative);
    else if (!(value >= 0 && (value < 1 || (up_to && value == 1))) && range != OptimizerSetting::yes_or_no)
      fail(std::string(optimizer) + "'s " + name + " must be at least 0 and " +
           (up_to ? "at most 1" : "below 1") + ", but is " + to_text(value));
  }
}

}  // namespace detail

}  // namespace digitnet
#endif
