// A training from one call of `fit` to the next: its counts of steps and epochs, and what the last `fit`
// left.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/train/fit_options.hpp"
#include "digitnet/train/history.hpp"
#include "digitnet/train/trainable_model.hpp"
#include "digitnet/train/training_state.hpp"

namespace digitnet::detail {

/// Refers to its model, which must outlive it.
struct Training {
  /// What a `fit`, or a checkpoint, leaves to the next one, beside what the training has anyway.
  struct Left {
    /// From a checkpoint: the next `fit` goes on in its middle.
    bool resumed = false;
    std::optional<UnfinishedEpoch> unfinished{};
    std::vector<NamedCallbackState> callbacks{};
    /// None: the model has them.
    Arena<float> trained_parameters{};
    /// Checksum of the model's parameters, as they were left.
    std::uint32_t checksum = 0;
  };

  Training(TrainableModel& trainable, const TrainerOptions& options)
      : model(trainable), threads(options.threads), shards(options.shards), seed(options.seed) {}

  /// Throws an Error unless the model can be trained, or measured, on this data.
  void check(const DataView& data, const char* what) const;
  /// Of a single output, labels are values unless the loss says otherwise.
  bool classifies(const DataView& data) const {
    return model.facts().loss.classifies || (data.targets.are_labels() && model.facts().outputs > 1);
  }

  /// The mean loss, with penalties, and the accuracy.
  Evaluation evaluate(const Batch& batch);
  Evaluation evaluate(const DataView& data);

  /// A step on samples that go through the model as batches of batch_size.
  BatchResult step(const Batch& samples, std::size_t batch_size, RandomKey key, double& penalties);

  /// What a checkpoint holds beside the parameters.
  TrainingState state() const;
  /// Goes on from a state that has the model's parameters.
  void restore(TrainingState state);
  /// Goes on with an optimizer that has done so many steps. Its numbers stay where none are given.
  void restore_optimizer(std::uint64_t steps_done, float rate, Arena<float> slots,
                         std::span<const double> numbers);
  /// Of the model's parameters as they are.
  std::uint32_t checksum() const;

  /// Without training, the sums of all samples.
  BatchResult measure(const DataView& data);
  Evaluation evaluation_of(const BatchResult& sum, bool classes) const;

  TrainableModel& model;
  std::size_t threads;
  /// As asked for.
  std::size_t shards;
  /// Whether other processes train along. mpirun ends them all by SIGTERM on Ctrl-C.
  bool of_ranks = false;
  /// Of all randomness.
  Seed seed;
  /// Taken so far.
  std::uint64_t steps = 0;
  /// Begun so far.
  std::uint64_t epochs = 0;
  /// The learning rate that the optimizer came with.
  std::string first_rate = model.learning_rate().text();
  std::optional<Left> left{};
};

}  // namespace digitnet::detail

#if DIGITNET_BODIES
#include <algorithm>
#include <numeric>
#include <utility>

#include "digitnet/core/crc32c.hpp"

namespace digitnet::detail {

DIGITNET_INLINE void Training::check(const DataView& data, const char* what) const {
  if (data.count() == 0) fail(std::string("There are no samples to ") + what + " on: give it at least one");
  const TrainableFacts& facts = model.facts();
  data.samples.check_shape(facts.input);
  data.samples.check_finite();
  data.targets.check(facts.outputs, facts.loss.classifies);
}

DIGITNET_INLINE Evaluation Training::evaluation_of(const BatchResult& sum, bool classes) const {
  Evaluation evaluation{.loss = sum.loss / static_cast<double>(sum.samples) + model.penalty()};
  if (classes) evaluation.accuracy = sum.accuracy();
  return evaluation;
}

DIGITNET_INLINE BatchResult Training::measure(const DataView& data) {
  std::vector<std::uint32_t> all(data.count());
  std::iota(all.begin(), all.end(), std::uint32_t{0});
  return model.evaluate(Batch{data, all, {}});
}

DIGITNET_INLINE Evaluation Training::evaluate(const Batch& batch) {
  return evaluation_of(model.evaluate(batch), classifies(batch.data));
}

DIGITNET_INLINE Evaluation Training::evaluate(const DataView& data) {
  return evaluation_of(measure(data), classifies(data));
}

DIGITNET_INLINE BatchResult Training::step(const Batch& samples, std::size_t batch_size, RandomKey key,
                                           double& penalties) {
  BatchResult result;
  const std::size_t count = samples.indices.size();
  for (std::size_t first = 0; first < count; first += batch_size) {
    Batch batch = samples;
    batch.indices = samples.indices.subspan(first, std::min(batch_size, count - first));
    result += model.accumulate(batch, first == 0 ? key : key.child(first), count);
  }
  const float rate = model.learning_rate()(steps);
  ++steps;
  penalties += model.step(steps, rate);
  return result;
}

DIGITNET_INLINE TrainingState Training::state() const {
  const LearningRate& rate = model.learning_rate();
  TrainingState state;
  state.epoch = epochs - (left && !left->resumed && left->unfinished ? 1 : 0);
  state.step = steps;
  state.seed = seed.value;
  state.learning_rate = rate.is_constant() ? rate(0) : 0;
  state.optimizer = model.facts().optimizer;
  state.slots = model.copy_of_slots();
  const std::span<const double> numbers = model.optimizer_numbers();
  state.optimizer_numbers.assign(numbers.begin(), numbers.end());
  if (left) {
    state.unfinished = left->unfinished;
    state.callbacks = left->callbacks;
    if (checksum() == left->checksum) state.trained_parameters = left->trained_parameters;
  }
  return state;
}

DIGITNET_INLINE void Training::restore(TrainingState state) {
  restore_optimizer(state.step, state.learning_rate, std::move(state.slots), state.optimizer_numbers);
  epochs = state.epoch;
  seed = Seed{state.seed};
  std::copy_n(state.parameters.data(), state.parameters.size(), model.parameters().data());
  left = Left{.resumed = true,
              .unfinished = state.unfinished,
              .callbacks = std::move(state.callbacks),
              .trained_parameters = std::move(state.trained_parameters),
              .checksum = checksum()};
}

DIGITNET_INLINE void Training::restore_optimizer(std::uint64_t steps_done, float rate, Arena<float> slots,
                                                 std::span<const double> numbers) {
  if (model.learning_rate().is_constant()) model.learning_rate().set_constant(rate);
  steps = steps_done;
  model.restore_slots(std::move(slots));
  const std::span<double> own = model.optimizer_numbers();
  std::copy_n(numbers.begin(), std::min(numbers.size(), own.size()), own.begin());
  left.reset();
}

DIGITNET_INLINE std::uint32_t Training::checksum() const { return Crc32c().add(model.parameters()).value(); }

}  // namespace digitnet::detail
#endif
