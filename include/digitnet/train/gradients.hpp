// The gradients of one batch, as the engine leaves them to the optimizer.
#pragma once
#include <cstddef>
#include <span>

#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// Arenas to be summed, and, where `deferred` is not null, the products whose places in the arenas are empty.
struct Gradients {
  std::span<float* const> shards;
  std::span<const DeferredWeightGradient> products{};
  const float* deferred = nullptr;
  std::size_t batch = 0;
};

}  // namespace digitnet
