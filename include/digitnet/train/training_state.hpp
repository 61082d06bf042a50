// What a training knows beside the model's parameters.
#pragma once
#include <cstdint>
#include <string>

#include "digitnet/core/arena.hpp"

namespace digitnet {

/// All randomness of a training follows from the seed and the counts.
struct TrainingState {
  std::uint64_t epoch = 0;  ///< epochs done
  std::uint64_t step = 0;   ///< steps done
  std::uint64_t seed = 0;
  float learning_rate = 0;  ///< the constant one, which callbacks may have changed; unused with a schedule
  std::string optimizer;    ///< its class
  Arena<float> slots;       ///< the optimizer's, each laid out as the model's arena
};

}  // namespace digitnet
