// The state of a training: everything that its next step follows from.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/train/callback_state.hpp"

namespace digitnet {

/// What is measured in an epoch that is not over: where Ctrl-C ended a training.
struct UnfinishedEpoch {
  /// Steps done in it.
  std::uint64_t steps = 0;
  /// Samples of one step.
  std::uint64_t step_samples = 0;
  std::uint64_t epoch_samples = 0;
  /// Sums so far.
  double loss = 0, penalties = 0;
  std::uint64_t correct = 0, answers = 0, samples = 0;
};

/// What makes a training this one and no other: its data, options, optimizer and loss, each in a word, under
/// a name. How many epochs it has does not belong to it: it may go on longer.
using TrainingSetup = std::map<std::string, std::string>;

/// All randomness of a training follows from the seed and the counts.
struct TrainingState {
  /// Epochs done.
  std::uint64_t epoch = 0;
  /// Steps done.
  std::uint64_t step = 0;
  std::uint64_t seed = 0;
  /// The constant rate, which callbacks may have changed; unused with a schedule.
  float learning_rate = 0;
  /// The optimizer's class.
  std::string optimizer;
  /// The optimizer's slots, each laid out as the model's arena.
  Arena<float> slots;
  /// What it keeps beside them.
  std::vector<double> optimizer_numbers{};
  /// The model's, where a checkpoint was read; else they are in the model.
  Arena<float> parameters{};
  /// Those that the training goes on from, where callbacks gave the model others at its end (averages).
  Arena<float> trained_parameters{};
  std::optional<UnfinishedEpoch> unfinished{};
  /// Epochs that the running `fit` has done, by its own count.
  std::uint64_t fit_epochs = 0;
  /// Why the running `fit` takes no more epochs, or empty.
  std::string stopped{};
  std::vector<NamedCallbackState> callbacks{};
  TrainingSetup setup{};
};

}  // namespace digitnet
