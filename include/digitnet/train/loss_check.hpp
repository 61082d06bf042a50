// Whether a loss fits what a model answers. What does not fit would train, to wrong numbers and no word.
#pragma once
#include <cmath>
#include <string>
#include <string_view>

#include "digitnet/core/error.hpp"
#include "digitnet/model/outputs.hpp"
#include "digitnet/train/losses.hpp"

namespace digitnet::detail {

/// Throws an Error if a loss that expects probabilities, or with `from_logits` none, gets the other.
[[gnu::cold]] inline void check_logits(const OutputOrigin& outputs, bool from_logits,
                                       std::string_view activation) {
  const std::string layer(outputs.layer);
  if (from_logits && (outputs.kind == OutputKind::probabilities || outputs.kind == OutputKind::distribution))
    fail("The model ends in " + layer +
         ", so its outputs are probabilities already, but the loss was made with from_logits: leave out the "
         "one "
         "or the other");
  if (!from_logits && outputs.kind == OutputKind::numbers)
    fail("The loss expects probabilities, but the model ends in " + layer +
         ", whose outputs are any numbers: put " + std::string(activation) +
         " behind it, or give the loss {.from_logits = true}");
}

/// Throws an Error if the loss, with its settings, does not fit the outputs of a model with these layers.
template <class Body, class Loss>
[[gnu::cold]] void check_loss(const Loss& loss) {
  if constexpr (requires { loss.from_logits; })
    check_logits(
        OutputOriginOf<Body>::value, loss.from_logits,
        requires { requires Loss::judges_each_output; } ? "Sigmoid" : "Softmax");
  if constexpr (requires { loss.label_smoothing; })
    if (!(loss.label_smoothing >= 0 && loss.label_smoothing <= 1))
      fail("label_smoothing is a part of each target, from 0 to 1, but is " +
           std::to_string(loss.label_smoothing));
  if constexpr (requires { loss.delta; })
    if (!(loss.delta > 0 && std::isfinite(loss.delta)))
      fail("Huber's delta is the error from which on the loss is linear, above 0, but is " +
           std::to_string(loss.delta));
}

}  // namespace digitnet::detail
