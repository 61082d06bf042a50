// The loop of a training: epochs and their steps, validation, callbacks, and what is left for a checkpoint.
// Nothing in it depends on a model's type: a program has it once, however many models it trains.
#pragma once
#include "digitnet/core/compiled.hpp"
#include "digitnet/train/fit_options.hpp"
#include "digitnet/train/history.hpp"
#include "digitnet/train/sample_parts.hpp"
#include "digitnet/train/training.hpp"

namespace digitnet::detail {

/// One run of `fit`, on data or, where `parts` is not null, on a stream. Throws an Error, before anything
/// changed, when data or options are unusable.
DIGITNET_INLINE History fit_loop(Training& training, const DataView& data, FitOptions options,
                                 SampleParts* parts = nullptr);

}  // namespace digitnet::detail

#if DIGITNET_BODIES
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/blas.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/core/random.hpp"
#include "digitnet/train/callback.hpp"
#include "digitnet/train/epoch_data.hpp"
#include "digitnet/train/interrupt.hpp"
#include "digitnet/train/progress.hpp"
#include "digitnet/train/training_setup.hpp"

namespace digitnet::detail {

/// One run of `fit`, and what callbacks see of it.
class FitLoop final : public TrainingControl {
 public:
  /// Throws an Error, before anything changed, when data or options are unusable.
  FitLoop(Training& training, const DataView& data, FitOptions options, SampleParts* parts = nullptr)
      : training_(training),
        model_(training.model),
        options_(check(training, data, std::move(options), parts)),
        data_text_(parts ? parts->text() : std::string()),
        data_(data, parts, options_, model_.facts().outputs, RandomKey(training.seed).child(training.epochs)),
        progress_(options_.verbose, options_.epochs) {
    if (parts) check_class_weights(options_, training_.classifies(data_.view()));
    if (options_.validation.count() > 0) training_.check(options_.validation, "validate");
    if (SampleTransform* const transform = options_.augmentation.get())
      transform->begin(model_.facts().input, training_.threads);
    for (const CallbackHandle& callback : options_.callbacks) callback->check(*this);
  }

  History run() {
    const blas::SingleThread single;
    const InterruptGuard interrupt(options_.handle_interrupt, training_.of_ranks);
    begin();
    for (std::size_t epoch = options_.initial_epoch + 1; epoch <= options_.epochs && !stopped_; ++epoch) {
      run_epoch(epoch, interrupt);
      if (interrupt.interrupted()) {
        history_.interrupted = true;
        stop("Interrupted in epoch " + std::to_string(epoch) + ": the model keeps what it has learnt");
      }
    }
    if (!std::ranges::all_of(parameters(), [](float value) { return std::isfinite(value); }))
      warn_of_divergence("some of the model's parameters are not finite");
    history_.stopped_because = reason_;
    if (stopped_) progress_.note(reason_);
    end();
    return std::move(history_);
  }

  float learning_rate() const override { return model_.learning_rate()(training_.steps); }
  void set_learning_rate(float rate) override {
    if (has_schedule())
      fail(
          "The learning rate follows a schedule, so a callback cannot set it: give the optimizer a "
          "constant rate");
    model_.learning_rate().set_constant(rate);
  }
  bool has_schedule() const override { return !model_.learning_rate().is_constant(); }
  std::span<float> parameters() override { return model_.parameters(); }
  std::size_t epochs() const override { return options_.epochs; }
  void stop(std::string reason) override {
    if (!stopped_) reason_ = std::move(reason);
    stopped_ = true;
  }
  void print(const std::string& line) const override { progress_.note(line); }
  ModelDescription description() const override { return model_.description(); }
  EpochLogs measures() const override {
    EpochLogs logs;
    logs.has_accuracy = training_.classifies(data_.view());
    logs.has_validation = options_.validation.count() > 0 || data_.has_held_out();
    return logs;
  }
  std::uint64_t steps() const override { return training_.steps; }
  TrainingState state() const override {
    TrainingState state = training_.state();
    state.fit_epochs = epochs_done_;
    state.stopped = reason_;
    state.callbacks = states_of(options_.callbacks);
    state.setup = setup_;
    return state;
  }
  void restore(TrainingState state) override {
    if (state.fit_epochs > options_.epochs)
      fail("The training that is to go on has done " + std::to_string(state.fit_epochs) +
           " epochs already, but only " + std::to_string(options_.epochs) +
           " were asked for: ask for more, or begin anew without its file");
    options_.initial_epoch = epochs_done_ = static_cast<std::size_t>(state.fit_epochs);
    if (!state.stopped.empty()) stop(state.stopped);
    training_.restore(std::move(state));
  }
  TrainingSetup setup() override {
    if (setup_.empty()) {
      describe_fit(options_, data_text_.empty() ? data_text(data_.view()) : data_text_, setup_);
      describe_model(description(), parameters(), setup_);
      describe_loss(model_.facts().loss, setup_);
      describe_optimizer(model_.facts().optimizer, model_.facts().optimizer_settings, setup_);
      setup_["learning rate"] = training_.first_rate;
      setup_["seed"] = to_text(training_.seed.value);
      setup_["steps before it"] = to_text(training_.steps);
    }
    return setup_;
  }
  std::size_t slots() const override { return model_.facts().slots; }
  void update_statistics() override {
    if (!model_.facts().has_statistics) return;
    const RandomKey key = RandomKey(training_.seed).child(statistics);
    EpochData pass = data_;
    pass.begin_epoch(key, true);
    for (std::size_t first = 0; first < pass.samples(); first += options_.batch_size) {
      model_.accumulate(pass.batch(first, options_.batch_size), key.child(first), 0);
      model_.move_statistics();
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Beyond any step number, so that it has a key of its own.
  static constexpr std::uint64_t statistics = ~std::uint64_t{0} - 2;

  static FitOptions check(const Training& training, const DataView& data, FitOptions options,
                          const SampleParts* parts) {
    if (parts && (!options.sample_weights.empty() || options.validation_split > 0))
      fail(
          "A stream has no weights of its samples and no last part to hold out: leave out sample_weights and "
          "validation_split, and give validation data");
    check_options(options, data, training.model.facts().outputs, parts || training.classifies(data));
    if (!parts) training.check(data, "train");
    return options;
  }

  void begin() {
    for (const CallbackHandle& callback : options_.callbacks) callback->before_training(*this);
    if (training_.left && training_.left->resumed) check_unfinished(training_.left->unfinished);
    const std::optional<Training::Left> left = std::exchange(training_.left, std::nullopt);
    const bool resumed = left && left->resumed;
    if (resumed) unfinished_ = left->unfinished;
    // Unless somebody has given the model other parameters since.
    if (resumed && left->trained_parameters.size() > 0 && training_.checksum() == left->checksum)
      std::ranges::copy(left->trained_parameters.span(), parameters().begin());
    for (const CallbackHandle& callback : options_.callbacks) callback->on_train_begin(*this);
    if (!resumed) return;
    const std::string said = load_states(*this, options_.callbacks, left->callbacks);
    if (!said.empty())
      std::fprintf(stderr, "digitnet: the resumed training has other callbacks: %s\n", said.c_str());
  }

  void check_unfinished(const std::optional<UnfinishedEpoch>& epoch) const {
    if (epoch && (epoch->step_samples != data_.step_samples() || epoch->epoch_samples != data_.samples()))
      fail("The training that is to go on is in the middle of an epoch of " +
           std::to_string(epoch->epoch_samples) + " samples in steps of " +
           std::to_string(epoch->step_samples) + ", but here are " + std::to_string(data_.samples()) +
           " samples in steps of " + std::to_string(data_.step_samples()));
  }

  void end() {
    Training::Left left;
    left.unfinished = unfinished_;
    if (options_.callbacks.empty()) {
      training_.left = std::move(left);
      return;
    }
    left.callbacks = states_of(options_.callbacks);
    left.trained_parameters = Arena<float>(parameters().size());
    std::ranges::copy(parameters(), left.trained_parameters.data());
    const std::uint32_t trained = training_.checksum();
    for (const CallbackHandle& callback : options_.callbacks) callback->on_train_end(*this, history_);
    left.checksum = training_.checksum();
    if (left.checksum == trained) left.trained_parameters = {};
    training_.left = std::move(left);
    for (const CallbackHandle& callback : options_.callbacks) callback->after_training(*this, history_);
  }

  void run_epoch(std::size_t epoch, const InterruptGuard& interrupt) {
    const std::optional<UnfinishedEpoch> begun = std::exchange(unfinished_, std::nullopt);
    if (!begun)
      for (const CallbackHandle& callback : options_.callbacks) callback->on_epoch_begin(*this, epoch);
    const RandomKey key = RandomKey(training_.seed).child(training_.epochs++);
    const std::size_t steps = data_.steps(), step_samples = data_.step_samples();
    data_.begin_epoch(key, options_.shuffle,
                      begun ? static_cast<std::size_t>(begun->steps) * step_samples : 0);
    progress_.begin_epoch(epoch, steps);
    const auto begin = Clock::now();
    EpochLogs logs = measures();
    logs.epoch = epoch;
    BatchResult sum;
    double penalties = 0;
    std::size_t step = 0;
    if (begun) {
      sum = {begun->loss, static_cast<std::size_t>(begun->correct), static_cast<std::size_t>(begun->answers),
             static_cast<std::size_t>(begun->samples)};
      penalties = begun->penalties;
      step = static_cast<std::size_t>(begun->steps);
      if (step > 0) {
        measure(logs, sum, penalties / static_cast<double>(step));
        logs.learning_rate = model_.learning_rate()(training_.steps - 1);
      }
    }
    const std::size_t measured_before = sum.samples;
    while (step < steps && !stopped_ && !interrupt.interrupted()) {
      logs.learning_rate = learning_rate();
      sum += training_.step(data_.batch(step * step_samples, step_samples), options_.batch_size,
                            key.child(step), penalties);
      ++step;
      measure(logs, sum, penalties / static_cast<double>(step));
      for (const CallbackHandle& callback : options_.callbacks) callback->on_batch_end(*this, step, logs);
      progress_.step(step, logs);
    }
    logs.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    logs.images_per_second =
        static_cast<double>(sum.samples - measured_before) / std::max(logs.seconds, 1e-9);
    if (logs.has_validation && !interrupt.interrupted()) {
      const Evaluation validation = data_.has_held_out() ? training_.evaluate(data_.held_out())
                                                         : training_.evaluate(options_.validation);
      logs.val_loss = validation.loss;
      logs.val_accuracy = validation.accuracy;
    }
    model_.end_epoch();
    progress_.end_epoch(step, logs);
    history_.epochs.push_back(logs);
    if (interrupt.interrupted()) {
      unfinished_ = UnfinishedEpoch{.steps = step,
                                    .step_samples = step_samples,
                                    .epoch_samples = data_.samples(),
                                    .loss = sum.loss,
                                    .penalties = penalties,
                                    .correct = sum.correct,
                                    .answers = sum.answers,
                                    .samples = sum.samples};
    } else {
      epochs_done_ = epoch;
      for (const CallbackHandle& callback : options_.callbacks) callback->on_epoch_end(*this, logs);
      for (const CallbackHandle& callback : options_.callbacks) callback->after_epoch(*this, logs);
    }
    if (!std::isfinite(logs.loss) && step > 0)
      warn_of_divergence("its loss is " + to_text(logs.loss) + " in epoch " + std::to_string(epoch));
  }

  static void measure(EpochLogs& logs, const BatchResult& sum, double penalty) {
    logs.loss = sum.loss / static_cast<double>(sum.samples) + penalty;
    if (logs.has_accuracy) logs.accuracy = sum.accuracy();
  }

  // Once: the training goes on, as in Keras.
  void warn_of_divergence(const std::string& what) {
    if (!std::exchange(history_.diverged, true))
      std::fprintf(
          stderr,
          "digitnet: the training has diverged: %s. A smaller learning rate or gradient clipping may "
          "help; TerminateOnNaN ends such a training.\n",
          what.c_str());
  }

  Training& training_;
  TrainableModel& model_;
  FitOptions options_;
  // Of a stream.
  std::string data_text_;
  EpochData data_;
  ProgressLine progress_;
  History history_;
  bool stopped_ = false;
  std::string reason_;
  std::size_t epochs_done_ = options_.initial_epoch;
  std::optional<UnfinishedEpoch> unfinished_;
  TrainingSetup setup_;
};

DIGITNET_INLINE History fit_loop(Training& training, const DataView& data, FitOptions options,
                                 SampleParts* parts) {
  return FitLoop(training, data, std::move(options), parts).run();
}

}  // namespace digitnet::detail
#endif
