// The gradients of one batch, as the engine hands them to the optimizer.
#pragma once
#include <cstddef>
#include <span>

#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// The shards' arenas, which are to be summed. Where `deferred` is not null, the gradients of `products` are
/// not in them: the stepper multiplies them out. Of several processes each has its own shards and samples
/// only: rank r the shards from rank_shards[r] to rank_shards[r + 1], and samples likewise.
struct Gradients {
  static constexpr std::size_t most_shards = 64;

  std::span<float* const> shards;
  std::span<const DeferredWeightGradient> products{};
  float* deferred = nullptr;
  std::size_t batch = 0;
  std::span<const std::size_t> rank_shards{}, rank_samples{};
};

}  // namespace digitnet
