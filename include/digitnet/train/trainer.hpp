// Trainer: a model, an optimizer and a loss; fit and evaluate.
#pragma once
#include <algorithm>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "digitnet/core/crc32c.hpp"
#include "digitnet/train/callbacks.hpp"
#include "digitnet/train/checkpoint.hpp"
#include "digitnet/train/fit_options.hpp"
#include "digitnet/train/fit_session.hpp"
#include "digitnet/train/gradient_engine.hpp"
#include "digitnet/train/loss_check.hpp"
#include "digitnet/train/parameter_stepper.hpp"
#include "digitnet/train/training_setup.hpp"

namespace digitnet {

/// Trains a model, which it refers to and which must outlive it. The same data, seed and settings give the
/// same parameters, bit for bit, with any number of threads and at any level of optimization: given the same
/// instructions to compile for (AVX2 with FMA, AVX-512, ...; units for several may be in one program), the
/// same BLAS and mathematical libraries, and -ffp-contract=off, which the CMake target and pkg-config bring.
template <class Model, class Optimizer, class Loss>
class Trainer {
  static_assert(
      !std::same_as<Loss, CategoricalCrossentropy> || Model::OutputShape::size > 1,
      "CategoricalCrossentropy needs an output for each class, and with one output is always 0: use "
      "BinaryCrossentropy");

 public:
  using ModelType = Model;
  using OptimizerType = Optimizer;
  using LossType = Loss;

  /// Throws an Error if a setting of the optimizer makes no sense, or if the loss does not fit the model's
  /// outputs, such as one that expects probabilities and a model that ends in Dense.
  Trainer(Model& model, Optimizer optimizer, Loss loss, TrainerOptions options = {})
      : model_(model),
        optimizer_(std::move(optimizer)),
        loss_(std::move(loss)),
        options_(options),
        team_(options.threads),
        engine_(model, loss_, team_),
        stepper_(model, engine_.gradients().products, options.threads),
        first_rate_(optimizer_.learning_rate.text()) {
    detail::check_loss<typename Model::Body>(loss_);
    detail::check_settings(Optimizer::class_name, detail::settings_of(optimizer_));
  }

  /// Trains for some epochs and returns what was measured. A later call goes on where this one ended
  /// (optimizer slots, step and epoch counts). Throws an Error, before anything changed, when data or options
  /// are unusable.
  History fit(const DataView& data, FitOptions options = {}) {
    return detail::FitSession<Trainer>(*this, data, std::move(options)).run();
  }
  /// The same, with samples and targets given separately.
  History fit(const Samples& samples, const Targets& targets, FitOptions options = {}) {
    return fit(DataView(samples, targets), std::move(options));
  }

  /// The mean loss (with penalties) and the accuracy on some data.
  Evaluation evaluate(const DataView& data) {
    check(data, "evaluate");
    const blas::SingleThread single;
    return mean(engine_.evaluate(data), classifies(data));
  }

  /// Writes the parameters, the optimizer's slots, the counts of steps and epochs that learning rate and
  /// randomness follow from, and what the callbacks of the last `fit` know; see resume.
  [[gnu::cold]] void save(const std::string& path) const {
    write_checkpoint(path, describe(model_), std::as_const(model_).parameters(), state());
  }
  /// Goes on where the training that saved this file was, to the same bits as if it had never stopped,
  /// provided that data, options, callbacks and schedule are the same, even from the middle of an epoch:
  /// `trainer.resume(path); trainer.fit(data, {.epochs = 10, .initial_epoch = trainer.epochs()})`. Takes over
  /// seed and constant learning rate. The model gets the parameters that it had; where a callback gave it
  /// others at the end of its training (averages, those of the best epoch), the next `fit` goes on from the
  /// trained ones. Throws an Error, before anything changed, if the file does not fit.
  [[gnu::cold]] void resume(const std::string& path) {
    restore(read_checkpoint(path, describe(model_), std::string(Optimizer::class_name), slots(),
                            model_.parameters().size()));
  }
  /// Goes on with an optimizer that has done so many steps: with its slots, one arena after the other, and
  /// its learning rate, which a schedule does not take over.
  [[gnu::cold]] void restore_optimizer(std::uint64_t steps, float learning_rate, Arena<float> slots) {
    if (optimizer_.learning_rate.is_constant()) optimizer_.learning_rate.set_constant(learning_rate);
    step_ = steps;
    stepper_.restore_slots(std::move(slots));
    left_.reset();
  }
  /// Epochs trained so far.
  std::size_t epochs() const { return static_cast<std::size_t>(epoch_); }

  /// What a checkpoint holds beside the parameters.
  [[gnu::cold]] TrainingState state() const {
    TrainingState state;
    state.epoch = epoch_ - (left_ && !left_->resumed && left_->unfinished ? 1 : 0);
    state.step = step_;
    state.seed = options_.seed.value;
    state.learning_rate = optimizer_.learning_rate.is_constant() ? optimizer_.learning_rate(0) : 0;
    state.optimizer = std::string(Optimizer::class_name);
    state.slots = stepper_.copy_of_slots();
    if (left_) {
      state.unfinished = left_->unfinished;
      state.callbacks = left_->callbacks;
      if (sum_of_parameters() == left_->sum) state.trained_parameters = left_->trained_parameters;
    }
    return state;
  }
  const Loss& loss() const { return loss_; }
  Model& model() const { return model_; }
  const Optimizer& optimizer() const { return optimizer_; }
  /// Steps taken so far.
  std::uint64_t steps() const { return step_; }

 private:
  friend class detail::FitSession<Trainer>;
  static constexpr std::size_t outputs = Model::OutputShape::size;

  // What a `fit`, or a checkpoint, leaves to the next one, beside what the trainer has anyway.
  struct Left {
    bool resumed = false;  // from a checkpoint: the next `fit` goes on in its middle
    std::optional<UnfinishedEpoch> unfinished{};
    std::map<std::string, CallbackState> callbacks{};
    Arena<float> trained_parameters{};  // none: the model has them
    std::uint32_t sum = 0;              // of the model's parameters, as they were left
  };

  [[gnu::cold]] void restore(TrainingState state) {
    epoch_ = state.epoch;
    step_ = state.step;
    options_.seed = Seed{state.seed};
    if (optimizer_.learning_rate.is_constant()) optimizer_.learning_rate.set_constant(state.learning_rate);
    stepper_.restore_slots(std::move(state.slots));
    std::copy_n(state.parameters.data(), state.parameters.size(), model_.parameters().data());
    left_ = Left{.resumed = true,
                 .unfinished = state.unfinished,
                 .callbacks = std::move(state.callbacks),
                 .trained_parameters = std::move(state.trained_parameters),
                 .sum = sum_of_parameters()};
  }
  std::uint32_t sum_of_parameters() const { return Crc32c().add(std::as_const(model_).parameters()).value(); }
  [[gnu::cold]] std::size_t slots() const {
    std::size_t slots = 0;
    optimizer_.with_formula(1, 0.0f, [&](const auto& formula) { slots = formula.slots; });
    return slots;
  }

  // Of a single output, labels are values unless the loss says otherwise.
  static bool classifies(const DataView& data) {
    return Loss::classifies || (data.targets.are_labels() && outputs > 1);
  }
  static void check(const DataView& data, const char* what) {
    if (data.count() == 0) fail(std::string("There are no samples to ") + what + " on: give it at least one");
    data.samples.check_shape(Model::InputShape::extents);
    data.samples.check_finite();
    data.targets.check(outputs, Loss::classifies);
  }

  Evaluation mean(const BatchResult& sum, bool with_accuracy) const {
    const auto samples = static_cast<double>(sum.samples);
    Evaluation evaluation{.loss = sum.loss / samples + stepper_.penalty(model_.parameters())};
    if (with_accuracy) evaluation.accuracy = sum.accuracy();
    return evaluation;
  }

  // A step on samples that go through the model as batches of batch_size.
  BatchResult train_step(const Batch& samples, std::size_t batch_size, RandomKey key, double& penalties) {
    BatchResult result;
    const std::size_t count = samples.indices.size();
    for (std::size_t first = 0; first < count; first += batch_size) {
      Batch batch = samples;
      batch.indices = samples.indices.subspan(first, std::min(batch_size, count - first));
      result += engine_.accumulate(batch, first == 0 ? key : key.child(first), count);
    }
    const float rate = optimizer_.learning_rate(step_);
    ++step_;
    penalties += stepper_.step(team_, optimizer_, step_, rate, model_.parameters(), engine_.gradients());
    return result;
  }

  Model& model_;
  Optimizer optimizer_;
  Loss loss_;
  TrainerOptions options_;
  ThreadTeam team_;
  GradientEngine<Model, Loss> engine_;
  ParameterStepper stepper_;
  std::uint64_t step_ = 0;
  std::uint64_t epoch_ = 0;
  std::string first_rate_;  // the learning rate that the optimizer came with
  std::optional<Left> left_;
};

/// What has no Input is no model, and this says so.
template <class... Layers, class Optimizer, class Loss>
requires(!requires {
  typename Sequential<Layers...>::InputShape;
}) class Trainer<Sequential<Layers...>, Optimizer, Loss> {
 public:
  Trainer(Sequential<Layers...>&, Optimizer, Loss, TrainerOptions = {}) { detail::needs_input<Layers...>(); }
  History fit(const DataView&, FitOptions = {}) { return {}; }
  History fit(const Samples&, const Targets&, FitOptions = {}) { return {}; }
  Evaluation evaluate(const DataView&) { return {}; }
};

}  // namespace digitnet
