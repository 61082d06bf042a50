// Trainer: a model, an optimizer and a loss; fit and evaluate.
#pragma once
#include <chrono>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "digitnet/io/checkpoint.hpp"
#include "digitnet/train/build_check.hpp"
#include "digitnet/train/callbacks.hpp"
#include "digitnet/train/gradient_engine.hpp"
#include "digitnet/train/history.hpp"
#include "digitnet/train/interrupt.hpp"
#include "digitnet/train/loss_check.hpp"
#include "digitnet/train/parameter_stepper.hpp"
#include "digitnet/train/progress.hpp"
#include "digitnet/train/sample_transform.hpp"

namespace digitnet {

/// Settings that stay for the life of a Trainer.
struct TrainerOptions {
  std::size_t threads = hardware_threads();
  Seed seed{};  ///< of shuffling, dropout and all other randomness of the training
};

/// Settings of one `fit`.
struct FitOptions {
  std::size_t epochs = 1;
  std::size_t batch_size = 32;
  std::size_t initial_epoch = 0;  ///< epochs that are done already, as in Keras: `epochs` counts them too
  DataView validation{};          ///< `&test`, or empty
  double validation_split =
      0;                ///< this last part of the data is held out for validation instead of trained on
  bool shuffle = true;  ///< a fresh order each epoch
  SampleTransformHandle
      augmentation{};  ///< `Augmentation{.rotation = 10}`: what varies in the training images
  /// A step is taken for so many batches together, as Keras' gradient_accumulation_steps.
  std::size_t gradient_accumulation = 1;
  std::vector<float> class_weights{};   ///< one for each class, or empty
  std::vector<float> sample_weights{};  ///< one for each sample, or empty
  std::vector<CallbackHandle> callbacks{};
  Verbose verbose = Verbose::automatic;
  bool handle_interrupt =
      true;  ///< Ctrl-C ends the training after the current step and keeps what was learnt
};

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
  /// Throws an Error if the loss does not fit the model's outputs, such as one that expects probabilities and
  /// a model that ends in Dense.
  Trainer(Model& model, Optimizer optimizer, Loss loss, TrainerOptions options = {})
      : model_(model),
        optimizer_(std::move(optimizer)),
        loss_(std::move(loss)),
        options_(options),
        team_(options.threads),
        engine_(model, loss_, team_),
        stepper_(model, engine_.gradients().products, options.threads) {
    detail::check_loss<typename Model::Body>(loss_);
  }

  /// Trains for some epochs and returns what was measured. A later call goes on where this one ended
  /// (optimizer slots, step and epoch counts). Throws an Error, before anything changed, when data or options
  /// are unusable.
  History fit(const DataView& data, FitOptions options = {}) {
    Session session(*this, data, std::move(options));
    return session.run();
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

  /// Writes the parameters, the optimizer's slots, and the counts of steps and epochs that learning rate and
  /// randomness follow from; see resume.
  [[gnu::cold]] void save(const std::string& path) const {
    write_checkpoint(path, describe(model_), std::as_const(model_).parameters(), state());
  }
  /// Goes on where the training that saved this file was, to the same bits as if it had never stopped,
  /// provided that data, options and schedule are the same: `trainer.resume(path); trainer.fit(data, {.epochs
  /// = 10, .initial_epoch = trainer.epochs()})`. Takes over seed and constant learning rate. Throws an Error,
  /// before anything changed, if the file does not fit.
  [[gnu::cold]] void resume(const std::string& path) {
    restore(read_checkpoint(path, describe(model_), std::string(Optimizer::class_name), slots(),
                            model_.parameters()));
  }
  /// Goes on with an optimizer that has done so many steps: with its slots, one arena after the other, and
  /// its learning rate, which a schedule does not take over.
  [[gnu::cold]] void restore_optimizer(std::uint64_t steps, float learning_rate, Arena<float> slots) {
    step_ = steps;
    if (optimizer_.learning_rate.is_constant()) optimizer_.learning_rate = learning_rate;
    stepper_.restore_slots(std::move(slots));
  }
  /// Epochs trained so far.
  std::size_t epochs() const { return static_cast<std::size_t>(epoch_); }

  /// What a checkpoint holds beside the parameters.
  [[gnu::cold]] TrainingState state() const {
    return {.epoch = epoch_,
            .step = step_,
            .seed = options_.seed.value,
            .learning_rate = optimizer_.learning_rate.is_constant() ? optimizer_.learning_rate(0) : 0,
            .optimizer = std::string(Optimizer::class_name),
            .slots = stepper_.copy_of_slots()};
  }
  const Loss& loss() const { return loss_; }
  Model& model() const { return model_; }
  const Optimizer& optimizer() const { return optimizer_; }
  /// Steps taken so far.
  std::uint64_t steps() const { return step_; }

 private:
  static constexpr std::size_t outputs = Model::OutputShape::size;

  [[gnu::cold]] void restore(TrainingState state) {
    epoch_ = state.epoch;
    step_ = state.step;
    options_.seed = Seed{state.seed};
    if (optimizer_.learning_rate.is_constant()) optimizer_.learning_rate = state.learning_rate;
    stepper_.restore_slots(std::move(state.slots));
  }
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

  // One run of `fit`.
  class Session : public TrainingControl {
   public:
    Session(Trainer& trainer, const DataView& data, FitOptions options)
        : trainer_(trainer),
          data_(data),
          options_(std::move(options)),
          progress_(options_.verbose, options_.epochs) {
      check_options();
      check(data_, "train");
      if (options_.validation.count() > 0) check(options_.validation, "validate");
      if (options_.augmentation.get())
        options_.augmentation.get()->begin(Model::InputShape::extents, trainer_.options_.threads);
      split();
      weigh();
    }

    History run() {
      warn_once_of_slow_build();
      const blas::SingleThread single;
      const InterruptGuard interrupt(options_.handle_interrupt);
      for (const CallbackHandle& callback : options_.callbacks) callback->on_train_begin(*this);
      for (std::size_t epoch = options_.initial_epoch + 1; epoch <= options_.epochs && !stopped_; ++epoch) {
        run_epoch(epoch, interrupt);
        if (interrupt.interrupted()) {
          history_.interrupted = true;
          stop("Interrupted in epoch " + std::to_string(epoch) + ": the model keeps what it has learnt");
        }
      }
      history_.stopped_because = reason_;
      if (stopped_) progress_.note(reason_);
      for (const CallbackHandle& callback : options_.callbacks) callback->on_train_end(*this, history_);
      return std::move(history_);
    }

    float learning_rate() const override { return trainer_.optimizer_.learning_rate(trainer_.step_); }
    void set_learning_rate(float rate) override {
      if (!trainer_.optimizer_.learning_rate.is_constant())
        fail(
            "The learning rate follows a schedule, so a callback cannot set it: give the optimizer a "
            "constant rate");
      trainer_.optimizer_.learning_rate = rate;
    }
    std::span<float> parameters() override { return trainer_.model_.parameters(); }
    std::size_t epochs() const override { return options_.epochs; }
    void stop(std::string reason) override {
      if (!stopped_) reason_ = std::move(reason);
      stopped_ = true;
    }
    void print(const std::string& line) const override { progress_.note(line); }
    ModelDescription description() const override { return describe(trainer_.model_); }
    TrainingState state() const override { return trainer_.state(); }
    void restore(TrainingState state) override {
      trainer_.restore(std::move(state));
      options_.initial_epoch = trainer_.epochs();
    }
    std::size_t slots() const override { return trainer_.slots(); }
    void update_statistics() override {
      if constexpr (Model::trainable_count < Model::parameter_count) {
        const RandomKey key = RandomKey(trainer_.options_.seed).child(statistics);
        std::vector<std::uint32_t> order(data_.count() - held_out_.size());
        std::iota(order.begin(), order.end(), std::uint32_t{0});
        digitnet::shuffle(order.begin(), order.end(), key.child(shuffling));
        for (std::size_t first = 0; first < order.size(); first += options_.batch_size) {
          const std::size_t count = std::min(options_.batch_size, order.size() - first);
          const Batch batch{data_, std::span<const std::uint32_t>(order).subspan(first, count), weights_,
                            options_.augmentation.get(), key.child(augmenting)};
          trainer_.engine_.accumulate(batch, key.child(first));
          trainer_.stepper_.move_statistics(trainer_.model_.parameters(), trainer_.engine_.gradients());
        }
      }
    }

   private:
    using Clock = std::chrono::steady_clock;

    [[gnu::cold]] void check_options() const {
      if (options_.epochs == 0) fail("fit needs at least 1 epoch, but 0 were asked for");
      if (options_.batch_size == 0) fail("The batch size must be at least 1, but is 0");
      if (options_.gradient_accumulation == 0)
        fail("gradient_accumulation must be at least 1 batch for each step, but is 0");
      if (!(options_.validation_split >= 0 && options_.validation_split < 1))
        fail("The validation split must be at least 0 and below 1, but is " +
             std::to_string(options_.validation_split));
      if (options_.validation_split > 0 && options_.validation.count() > 0)
        fail("Both a validation set and a validation split were given: choose one");
      const auto check_weights = [](const std::vector<float>& weights, std::size_t wanted, const char* what) {
        if (!weights.empty() && weights.size() != wanted)
          fail("There are " + std::to_string(weights.size()) + " " + what + " weights, but " +
               std::to_string(wanted) + " are needed, one for each " + what);
        for (const float weight : weights)
          if (!(weight >= 0 && std::isfinite(weight)))
            fail(std::string("A ") + what + " weight is negative or not finite");
      };
      check_weights(options_.class_weights, outputs == 1 ? 2 : outputs, "class");
      check_weights(options_.sample_weights, data_.count(), "sample");
      if (!options_.class_weights.empty() && !classifies(data_))
        fail("Class weights need classes, but the targets are values: use sample weights");
    }

    [[gnu::cold]] void split() {
      const std::size_t count = data_.count();
      const auto held_out = static_cast<std::size_t>(static_cast<double>(count) * options_.validation_split);
      const std::size_t trained = count - held_out;
      if (options_.validation_split > 0 && held_out == 0)
        fail("The validation split of " + std::to_string(options_.validation_split) +
             " leaves no sample of " + std::to_string(count) + " to validate on");
      if (options_.batch_size > trained)
        fail("The batch size is " + std::to_string(options_.batch_size) + ", but there are only " +
             std::to_string(trained) + " samples to train on: use a smaller batch size");
      order_.resize(trained);
      held_out_.resize(held_out);
      std::iota(order_.begin(), order_.end(), std::uint32_t{0});
      std::iota(held_out_.begin(), held_out_.end(), static_cast<std::uint32_t>(trained));
    }

    [[gnu::cold]] void weigh() {
      weights_ = options_.sample_weights;
      if (options_.class_weights.empty()) return;
      if (weights_.empty()) weights_.assign(data_.count(), 1.0f);
      for (std::size_t i = 0; i < weights_.size(); ++i)
        weights_[i] *= options_.class_weights[Target(data_.targets, i).predicted_class(outputs)];
    }

    void run_epoch(std::size_t epoch, const InterruptGuard& interrupt) {
      for (const CallbackHandle& callback : options_.callbacks) callback->on_epoch_begin(*this, epoch);
      const RandomKey key = RandomKey(trainer_.options_.seed).child(trainer_.epoch_++);
      if (options_.shuffle) {
        std::iota(order_.begin(), order_.end(), std::uint32_t{0});
        digitnet::shuffle(order_.begin(), order_.end(), key.child(shuffling));
      }
      const std::size_t step_samples = options_.batch_size * options_.gradient_accumulation;
      const std::size_t steps = (order_.size() + step_samples - 1) / step_samples;
      progress_.begin_epoch(epoch, steps);
      const auto begin = Clock::now();
      EpochLogs logs{.epoch = epoch};
      logs.has_accuracy = classifies(data_);
      logs.has_validation = options_.validation.count() > 0 || !held_out_.empty();
      BatchResult sum;
      double penalties = 0;
      std::size_t step = 0;
      while (step < steps && !stopped_ && !interrupt.interrupted()) {
        const std::size_t first = step * step_samples;
        const Batch batch{data_,
                          std::span<const std::uint32_t>(order_).subspan(
                              first, std::min(step_samples, order_.size() - first)),
                          weights_, options_.augmentation.get(), key.child(augmenting)};
        logs.learning_rate = learning_rate();
        const BatchResult result =
            trainer_.train_step(batch, options_.batch_size, key.child(step), penalties);
        sum += result;
        ++step;
        measure(logs, sum, penalties / static_cast<double>(step));
        for (const CallbackHandle& callback : options_.callbacks) callback->on_batch_end(*this, step, logs);
        progress_.step(step, logs);
      }
      logs.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      logs.images_per_second = static_cast<double>(sum.samples) / std::max(logs.seconds, 1e-9);
      if (logs.has_validation && !interrupt.interrupted()) {
        const Evaluation validation = validate();
        logs.val_loss = validation.loss;
        logs.val_accuracy = validation.accuracy;
      }
      progress_.end_epoch(step, logs);
      history_.epochs.push_back(logs);
      if (!interrupt.interrupted())
        for (const CallbackHandle& callback : options_.callbacks) callback->on_epoch_end(*this, logs);
    }

    static void measure(EpochLogs& logs, const BatchResult& sum, double penalty) {
      logs.loss = sum.loss / static_cast<double>(sum.samples) + penalty;
      if (logs.has_accuracy) logs.accuracy = sum.accuracy();
    }

    Evaluation validate() {
      const bool own = held_out_.empty();
      return trainer_.mean(own ? trainer_.engine_.evaluate(options_.validation)
                               : trainer_.engine_.evaluate(Batch{data_, held_out_, {}}),
                           classifies(own ? options_.validation : data_));
    }

    Trainer& trainer_;
    DataView data_;
    FitOptions options_;
    ProgressLine progress_;
    std::vector<std::uint32_t> order_;     // of the samples that are trained on
    std::vector<std::uint32_t> held_out_;  // the validation split
    std::vector<float> weights_;
    History history_;
    bool stopped_ = false;
    std::string reason_;
  };

  // Beyond any step number, so that the order of an epoch and its steps have keys of their own.
  static constexpr std::uint64_t shuffling = ~std::uint64_t{0};
  static constexpr std::uint64_t augmenting = shuffling - 1;
  static constexpr std::uint64_t statistics = shuffling - 2;

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
