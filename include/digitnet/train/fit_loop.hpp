// The loop of a training: epochs and their steps, validation, callbacks, and what is left for a checkpoint.
// Nothing in it depends on a model's type: a program has it once, however many models it trains.
#pragma once
#include "digitnet/core/compiled.hpp"
#include "digitnet/train/fit_options.hpp"
#include "digitnet/train/history.hpp"
#include "digitnet/train/training.hpp"

namespace digitnet::detail {

/// One run of `fit`. Throws an Error, before anything changed, when data or options are unusable.
DIGITNET_INLINE History fit_loop(Training& training, const DataView& data, FitOptions options);

}  // namespace digitnet::detail

#if DIGITNET_BODIES
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/blas.hpp"
#include "digitnet/core/labels.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/core/random.hpp"
#include "digitnet/train/callback.hpp"
#include "digitnet/train/interrupt.hpp"
#include "digitnet/train/progress.hpp"
#include "digitnet/train/training_setup.hpp"

namespace digitnet::detail {

/// One run of `fit`, and what callbacks see of it.
class FitLoop final : public TrainingControl {
 public:
  /// Throws an Error, before anything changed, when data or options are unusable.
  FitLoop(Training& training, const DataView& data, FitOptions options)
      : training_(training),
        model_(training.model),
        data_(data),
        options_(std::move(options)),
        progress_(options_.verbose, options_.epochs) {
    check_options(options_, data_, model_.facts().outputs, training_.classifies(data_));
    training_.check(data_, "train");
    if (options_.validation.count() > 0) training_.check(options_.validation, "validate");
    if (SampleTransform* const transform = options_.augmentation.get())
      transform->begin(model_.facts().input, training_.threads);
    split();
    weigh();
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
    logs.has_accuracy = training_.classifies(data_);
    logs.has_validation = options_.validation.count() > 0 || !held_out_.empty();
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
      describe_fit(options_, data_, setup_);
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
    std::vector<std::uint32_t> order(order_.size());
    std::iota(order.begin(), order.end(), std::uint32_t{0});
    digitnet::shuffle(order.begin(), order.end(), key.child(shuffling));
    for (std::size_t first = 0; first < order.size(); first += options_.batch_size) {
      model_.accumulate(batch_of(order, first, options_.batch_size, key), key.child(first), 0);
      model_.move_statistics();
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Beyond any step number, so that the order of an epoch and its steps have keys of their own.
  static constexpr std::uint64_t shuffling = ~std::uint64_t{0};
  static constexpr std::uint64_t augmenting = shuffling - 1;
  static constexpr std::uint64_t statistics = shuffling - 2;

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
    if (epoch && (epoch->step_samples != step_samples() || epoch->epoch_samples != order_.size()))
      fail("The training that is to go on is in the middle of an epoch of " +
           std::to_string(epoch->epoch_samples) + " samples in steps of " +
           std::to_string(epoch->step_samples) + ", but here are " + std::to_string(order_.size()) +
           " samples in steps of " + std::to_string(step_samples()));
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

  // The last samples are held out for validation.
  void split() {
    const std::size_t count = data_.count();
    held_out_.resize(held_out(options_, count));
    order_.resize(count - held_out_.size());
    std::iota(order_.begin(), order_.end(), std::uint32_t{0});
    std::iota(held_out_.begin(), held_out_.end(), static_cast<std::uint32_t>(order_.size()));
    options_.batch_size = std::min(options_.batch_size, order_.size());
  }
  std::size_t step_samples() const { return options_.batch_size * options_.gradient_accumulation; }

  void weigh() {
    weights_ = options_.sample_weights;
    if (options_.class_weights.empty()) return;
    if (weights_.empty()) weights_.assign(data_.count(), 1.0f);
    const Targets& targets = data_.targets;
    for (std::size_t i = 0; i < weights_.size(); ++i)
      weights_[i] *=
          options_
              .class_weights[targets.are_labels() ? targets.label(i)
                                                  : predicted_class(model_.facts().outputs, targets.row(i))];
  }

  // At most `count` samples from `first` on, in an order.
  Batch batch_of(std::span<const std::uint32_t> order, std::size_t first, std::size_t count,
                 RandomKey key) const {
    return {data_, order.subspan(first, std::min(count, order.size() - first)), weights_,
            options_.augmentation.get(), key.child(augmenting)};
  }

  void run_epoch(std::size_t epoch, const InterruptGuard& interrupt) {
    const std::optional<UnfinishedEpoch> begun = std::exchange(unfinished_, std::nullopt);
    if (!begun)
      for (const CallbackHandle& callback : options_.callbacks) callback->on_epoch_begin(*this, epoch);
    const RandomKey key = RandomKey(training_.seed).child(training_.epochs++);
    if (options_.shuffle) {
      std::iota(order_.begin(), order_.end(), std::uint32_t{0});
      digitnet::shuffle(order_.begin(), order_.end(), key.child(shuffling));
    }
    const std::size_t steps = (order_.size() + step_samples() - 1) / step_samples();
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
      sum += training_.step(batch_of(order_, step * step_samples(), step_samples(), key), options_.batch_size,
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
      const Evaluation validation = held_out_.empty() ? training_.evaluate(options_.validation)
                                                      : training_.evaluate(Batch{data_, held_out_, {}});
      logs.val_loss = validation.loss;
      logs.val_accuracy = validation.accuracy;
    }
    model_.end_epoch();
    progress_.end_epoch(step, logs);
    history_.epochs.push_back(logs);
    if (interrupt.interrupted()) {
      unfinished_ = UnfinishedEpoch{.steps = step,
                                    .step_samples = step_samples(),
                                    .epoch_samples = order_.size(),
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
  DataView data_;
  FitOptions options_;
  ProgressLine progress_;
  // Of the samples that are trained on.
  std::vector<std::uint32_t> order_;
  // The validation split.
  std::vector<std::uint32_t> held_out_;
  std::vector<float> weights_;
  History history_;
  bool stopped_ = false;
  std::string reason_;
  std::size_t epochs_done_ = options_.initial_epoch;
  std::optional<UnfinishedEpoch> unfinished_;
  TrainingSetup setup_;
};

DIGITNET_INLINE History fit_loop(Training& training, const DataView& data, FitOptions options) {
  return FitLoop(training, data, std::move(options)).run();
}

}  // namespace digitnet::detail
#endif
