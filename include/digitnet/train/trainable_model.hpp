// What the loop of a training works on: something with parameters that learns from batches. The loop sees
// this interface alone, no model's type, so it is compiled once. TrainableNetwork is the one that Trainer
// uses.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/random.hpp"
#include "digitnet/inspect/description.hpp"
#include "digitnet/train/batch.hpp"
#include "digitnet/train/loss_settings.hpp"
#include "digitnet/train/optimizer_settings.hpp"
#include "digitnet/train/schedules.hpp"

namespace digitnet {

/// What stays as it is while a training runs.
struct TrainableFacts {
  /// Extents of a sample.
  std::vector<std::size_t> input{};
  /// Numbers in an output.
  std::size_t outputs = 1;
  /// Whether some parameters are not trained but follow the batches, as BatchNormalization's do.
  bool has_statistics = false;
  LossSettings loss{};
  /// What the model's code was compiled for; bits depend on it.
  std::string processor{};
  /// The optimizer's class and settings.
  std::string optimizer{};
  std::vector<OptimizerSetting> optimizer_settings{};
  /// Numbers that the optimizer keeps beside each parameter.
  std::size_t slots = 0;
};

/// A model together with its loss and optimizer.
class TrainableModel {
 public:
  virtual ~TrainableModel() = default;

  virtual const TrainableFacts& facts() const = 0;

  /// Adds the gradients of the mean loss over `step_samples` samples, of which the batch is some; 0: it is
  /// all. `key` belongs to (seed, epoch, step).
  virtual BatchResult accumulate(const Batch& batch, RandomKey key, std::size_t step_samples) = 0;
  /// Moves the parameters by the gradients, which are zero afterwards. Steps count from 1. Returns the
  /// penalty of the parameters before the step.
  virtual double step(std::uint64_t step, float rate) = 0;
  /// Moves the statistics alone by what the batch has left; the gradients are zero afterwards.
  virtual void move_statistics() = 0;
  /// The loss and the number of right answers, without training.
  virtual BatchResult evaluate(const Batch& batch) = 0;
  /// The penalty of the parameters as they are.
  virtual double penalty() const = 0;
  /// After the last step of an epoch.
  virtual void end_epoch() {}

  /// The arena.
  virtual std::span<float> parameters() = 0;
  virtual ModelDescription description() const = 0;
  /// The optimizer's rate, which callbacks may set.
  virtual LearningRate& learning_rate() = 0;
  /// The optimizer's slots, one arena after the other; none before the first step.
  virtual Arena<float> copy_of_slots() const = 0;
  virtual void restore_slots(Arena<float> slots) = 0;
  /// What the optimizer keeps beside them.
  virtual std::span<double> optimizer_numbers() { return {}; }
};

}  // namespace digitnet
