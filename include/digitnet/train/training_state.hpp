// The state of a training, which is one thing: everything that its next step follows from.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "digitnet/core/arena.hpp"
#include "digitnet/train/callback_state.hpp"

namespace digitnet {

/// What is measured in an epoch that is not over: where Ctrl-C ended a training.
struct UnfinishedEpoch {
  std::uint64_t steps = 0;         ///< done in it
  std::uint64_t step_samples = 0;  ///< of one step
  std::uint64_t epoch_samples = 0;
  double loss = 0, penalties = 0;  ///< sums so far
  std::uint64_t correct = 0, answers = 0, samples = 0;
};

/// What makes a training this one and no other: its data, options, optimizer and loss, each in a word, under
/// a name. How many epochs it has does not belong to it: it may go on longer.
using TrainingSetup = std::map<std::string, std::string>;

/// All randomness of a training follows from the seed and the counts.
struct TrainingState {
  std::uint64_t epoch = 0;  ///< epochs done
  std::uint64_t step = 0;   ///< steps done
  std::uint64_t seed = 0;
  float learning_rate = 0;    ///< the constant one, which callbacks may have changed; unused with a schedule
  std::string optimizer;      ///< its class
  Arena<float> slots;         ///< the optimizer's, each laid out as the model's arena
  Arena<float> parameters{};  ///< the model's, where a checkpoint was read; else they are in the model
  /// Those that the training goes on from, where callbacks gave the model others at its end (averages).
  Arena<float> trained_parameters{};
  std::optional<UnfinishedEpoch> unfinished{};
  std::uint64_t fit_epochs = 0;                      ///< of `fit`'s own count, if one is running
  std::string stopped{};                             ///< why the running `fit` takes no more epochs, or empty
  std::map<std::string, CallbackState> callbacks{};  ///< by their names
  TrainingSetup setup{};
};

}  // namespace digitnet
