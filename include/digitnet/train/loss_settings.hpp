// A loss as data: its class, what it judges and how it is set. Whatever does not compute with a loss works on
// this.
#pragma once
#include <optional>
#include <string>
#include <typeinfo>

#include "digitnet/core/class_name.hpp"
#include "digitnet/core/compiled.hpp"
#include "digitnet/model/outputs.hpp"

namespace digitnet {

/// What is known of a loss. Settings that it does not have are empty.
struct LossSettings {
  /// As its author wrote it, such as "CategoricalCrossentropy" or "mine::Loss".
  std::string class_name{};
  /// Whether accuracy means something beside it.
  bool classifies = false;
  /// Whether each output is an answer of its own, yes or no.
  bool judges_each_output = false;
  std::optional<bool> from_logits{};
  std::optional<float> label_smoothing{};
  std::optional<float> delta{};
};

namespace detail {

/// The one place that asks a loss for its members.
template <class Loss>
LossSettings settings_of_loss(const Loss& loss) {
  LossSettings settings{.class_name = class_name(typeid(Loss)), .classifies = Loss::classifies};
  if constexpr (requires { Loss::judges_each_output; })
    settings.judges_each_output = Loss::judges_each_output;
  if constexpr (requires { loss.from_logits; }) settings.from_logits = loss.from_logits;
  if constexpr (requires { loss.label_smoothing; }) settings.label_smoothing = loss.label_smoothing;
  if constexpr (requires { loss.delta; }) settings.delta = loss.delta;
  return settings;
}

/// Throws an Error if a setting makes no sense, or if a loss that expects probabilities, or with
/// `from_logits` none, gets the other. What does not fit would train, to wrong numbers and no word.
DIGITNET_INLINE void check_loss(const LossSettings& loss, const OutputOrigin& outputs);

}  // namespace detail

}  // namespace digitnet

#if DIGITNET_BODIES
#include <cmath>

#include "digitnet/core/error.hpp"

namespace digitnet {

namespace detail {

DIGITNET_INLINE void check_loss(const LossSettings& loss, const OutputOrigin& outputs) {
  const std::string layer(outputs.layer);
  if (loss.from_logits == true &&
      (outputs.kind == OutputKind::probabilities || outputs.kind == OutputKind::distribution))
    fail("The model ends in " + layer +
         ", so its outputs are probabilities already, but the loss was made with from_logits: leave out the "
         "one or the other");
  if (loss.from_logits == false && outputs.kind == OutputKind::numbers)
    fail("The loss expects probabilities, but the model ends in " + layer +
         ", whose outputs are any numbers: put " + (loss.judges_each_output ? "Sigmoid" : "Softmax") +
         " behind it, or give the loss {.from_logits = true}");
  if (loss.label_smoothing && !(*loss.label_smoothing >= 0 && *loss.label_smoothing <= 1))
    fail("label_smoothing is a part of each target, from 0 to 1, but is " +
         std::to_string(*loss.label_smoothing));
  if (loss.delta && !(*loss.delta > 0 && std::isfinite(*loss.delta)))
    fail("Huber's delta is the error from which on the loss is linear, above 0, but is " +
         std::to_string(*loss.delta));
}

}  // namespace detail

}  // namespace digitnet
#endif
