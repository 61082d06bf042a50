// The gradients of one batch, as the engine hands them to the optimizer.
#pragma once
#include <cstddef>
#include <span>

#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// The shards' arenas, which are to be summed. Where `deferred` is not null, the gradients of `products` are
/// not in them: the stepper multiplies them out.
struct Gradients {
  std::span<float* const> shards;
  std::span<const DeferredWeightGradient> products{};
  const float* deferred = nullptr;
  std::size_t batch = 0;
};

}  // namespace digitnet
