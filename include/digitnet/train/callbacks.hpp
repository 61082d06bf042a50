// Callbacks that look at what each epoch measured: EarlyStopping, ReduceLROnPlateau and others. Names and
// rules are Keras'.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/train/callback.hpp"
#include "digitnet/train/csv_logger.hpp"
#include "digitnet/train/history.hpp"

namespace digitnet {

namespace detail {

/// Whether a monitored quantity got better: lower for losses, higher for accuracies. NaN is never better, and
/// nothing is measured against it.
class Improvement {
 public:
  Improvement(std::string monitor, double min_delta);
  void reset();
  /// Throws an Error unless this training measures what is monitored.
  void check(const TrainingControl& control) const { control.measures().value(monitor_); }
  bool update(double value);
  bool update(const EpochLogs& logs) { return update(logs.value(monitor_)); }
  /// Whether there was a value already.
  bool looked() const { return looked_; }
  const std::string& monitor() const { return monitor_; }

  void save(CallbackState& state) const {
    state.set("best", best_);
    state.set("looked", looked_ ? 1 : 0);
  }
  void load(const CallbackState& state);

 private:
  bool higher_is_better() const { return monitor_.ends_with("accuracy"); }

  std::string monitor_;
  double min_delta_;
  double best_ = 0;
  bool looked_ = false;
};

DIGITNET_INLINE void refuse_schedule(const TrainingControl& control, const char* callback);

}  // namespace detail

/// Ends the training when `monitor` has not improved by more than min_delta for `patience` epochs. A value
/// that is NaN is no improvement.
class EarlyStopping : public Callback {
 public:
  struct Options {
    std::string monitor = "val_loss";
    double min_delta = 0;
    std::size_t patience = 0;
    /// At the end, go back to the parameters of the best epoch.
    bool restore_best_weights = false;
    /// Epochs before this one (counted from 0) are not looked at.
    std::size_t start_from_epoch = 0;
  };
  explicit EarlyStopping(Options options)
      : options_(std::move(options)), improvement_(options_.monitor, options_.min_delta) {}
  EarlyStopping() : EarlyStopping(Options{}) {}

  void check(TrainingControl& control) override { improvement_.check(control); }
  DIGITNET_INLINE void on_train_begin(TrainingControl&) override;
  DIGITNET_INLINE void on_epoch_end(TrainingControl& control, const EpochLogs& logs) override;
  DIGITNET_INLINE void on_train_end(TrainingControl& control, const History&) override;
  DIGITNET_INLINE void save_state(CallbackState& state) const override;
  DIGITNET_INLINE void load_state(TrainingControl& control, const CallbackState& state) override;

  /// The best epoch, counted from 1; 0 before the first.
  std::size_t best_epoch() const { return best_epoch_; }

 private:
  Options options_;
  detail::Improvement improvement_;
  std::size_t waited_ = 0;
  std::size_t best_epoch_ = 0;
  std::vector<float> best_parameters_;
};

/// Multiplies the learning rate by `factor` when `monitor` has not improved for `patience` epochs.
class ReduceLROnPlateau : public Callback {
 public:
  struct Options {
    std::string monitor = "val_loss";
    float factor = 0.1f;
    std::size_t patience = 10;
    double min_delta = 1e-4;
    /// Epochs to wait after a reduction.
    std::size_t cooldown = 0;
    float min_lr = 0;
  };
  explicit ReduceLROnPlateau(Options options);
  ReduceLROnPlateau() : ReduceLROnPlateau(Options{}) {}

  void check(TrainingControl& control) override {
    improvement_.check(control);
    detail::refuse_schedule(control, "ReduceLROnPlateau");
  }
  void on_train_begin(TrainingControl&) override {
    improvement_.reset();
    waited_ = cooling_ = 0;
  }
  DIGITNET_INLINE void on_epoch_end(TrainingControl& control, const EpochLogs& logs) override;
  DIGITNET_INLINE void save_state(CallbackState& state) const override;
  DIGITNET_INLINE void load_state(TrainingControl&, const CallbackState& state) override;

 private:
  Options options_;
  detail::Improvement improvement_;
  std::size_t waited_ = 0;
  std::size_t cooling_ = 0;
};

/// Sets the learning rate before each epoch: rate = schedule(epoch from 0, current rate).
class LearningRateScheduler : public Callback {
 public:
  explicit LearningRateScheduler(std::function<float(std::size_t, float)> schedule)
      : schedule_(std::move(schedule)) {
    if (!schedule_) fail("LearningRateScheduler needs a function from epoch and rate to rate, but got none");
  }
  void check(TrainingControl& control) override { detail::refuse_schedule(control, "LearningRateScheduler"); }
  void on_epoch_begin(TrainingControl& control, std::size_t epoch) override {
    control.set_learning_rate(schedule_(epoch - 1, control.learning_rate()));
  }

 private:
  std::function<float(std::size_t, float)> schedule_;
};

/// Ends the training when the loss is no longer a number.
class TerminateOnNaN : public Callback {
 public:
  DIGITNET_INLINE void on_batch_end(TrainingControl& control, std::size_t step,
                                    const EpochLogs& logs) override;
};

/// Calls a function after each epoch: the shortest way to a callback of one's own.
class LambdaCallback : public Callback {
 public:
  explicit LambdaCallback(std::function<void(TrainingControl&, const EpochLogs&)> on_epoch_end)
      : on_epoch_end_(std::move(on_epoch_end)) {}
  void on_epoch_end(TrainingControl& control, const EpochLogs& logs) override {
    on_epoch_end_(control, logs);
  }

 private:
  std::function<void(TrainingControl&, const EpochLogs&)> on_epoch_end_;
};

}  // namespace digitnet

#if DIGITNET_BODIES
namespace digitnet {

namespace detail {

DIGITNET_INLINE Improvement::Improvement(std::string monitor, double min_delta)
    : monitor_(std::move(monitor)), min_delta_(std::abs(min_delta)) {
  if (!std::isfinite(min_delta))
    fail("The min_delta of a monitor must be finite, but is " + to_text(min_delta));
  reset();
}

DIGITNET_INLINE void Improvement::reset() {
  const double worst = std::numeric_limits<double>::infinity();
  best_ = higher_is_better() ? -worst : worst;
  looked_ = false;
}

DIGITNET_INLINE bool Improvement::update(double value) {
  looked_ = true;
  const bool better = higher_is_better() ? value > best_ + min_delta_ : value < best_ - min_delta_;
  if (better) best_ = value;
  return better;
}

DIGITNET_INLINE void Improvement::load(const CallbackState& state) {
  const auto best = state.number<double>("best");
  if (std::isnan(best)) fail("A callback's best " + monitor_ + " is no number");
  best_ = best;
  looked_ = state.number<int>("looked") != 0;
}

DIGITNET_INLINE void refuse_schedule(const TrainingControl& control, const char* callback) {
  if (control.has_schedule())
    fail(std::string("The learning rate follows a schedule, so ") + callback +
         " cannot set it: give the optimizer a constant rate, or leave out the callback");
}

}  // namespace detail

DIGITNET_INLINE void EarlyStopping::on_train_begin(TrainingControl&) {
  improvement_.reset();
  waited_ = best_epoch_ = 0;
  best_parameters_.clear();
}

DIGITNET_INLINE void EarlyStopping::on_epoch_end(TrainingControl& control, const EpochLogs& logs) {
  logs.value(options_.monitor);
  if (logs.epoch <= options_.start_from_epoch) return;
  const bool first = !improvement_.looked();
  if (improvement_.update(logs) || first) {
    waited_ = 0;
    best_epoch_ = logs.epoch;
    if (options_.restore_best_weights)
      best_parameters_.assign(control.parameters().begin(), control.parameters().end());
  } else if (++waited_ >= std::max<std::size_t>(1, options_.patience)) {
    control.stop("EarlyStopping: " + options_.monitor + " has not improved since epoch " +
                 std::to_string(best_epoch_));
  }
}

DIGITNET_INLINE void EarlyStopping::on_train_end(TrainingControl& control, const History&) {
  if (best_parameters_.empty()) return;
  std::copy(best_parameters_.begin(), best_parameters_.end(), control.parameters().begin());
  control.print("EarlyStopping: restored the parameters of epoch " + std::to_string(best_epoch_));
}

DIGITNET_INLINE void EarlyStopping::save_state(CallbackState& state) const {
  improvement_.save(state);
  state.set("waited", waited_);
  state.set("best_epoch", best_epoch_);
  if (!best_parameters_.empty()) state.set("best_parameters", best_parameters_);
}

DIGITNET_INLINE void EarlyStopping::load_state(TrainingControl& control, const CallbackState& state) {
  improvement_.load(state);
  waited_ = state.number<std::size_t>("waited");
  best_epoch_ = state.number<std::size_t>("best_epoch");
  const auto best = state.values("best_parameters");
  if (!best.empty() && best.size() != control.parameters().size())
    fail("EarlyStopping's best parameters are those of another model");
  best_parameters_.assign(best.begin(), best.end());
}

DIGITNET_INLINE ReduceLROnPlateau::ReduceLROnPlateau(Options options)
    : options_(std::move(options)), improvement_(options_.monitor, options_.min_delta) {
  if (!(options_.factor > 0 && options_.factor < 1))
    fail("ReduceLROnPlateau's factor must be above 0 and below 1, but is " + to_text(options_.factor));
  if (!(options_.min_lr >= 0 && std::isfinite(options_.min_lr)))
    fail("ReduceLROnPlateau's min_lr must be at least 0, but is " + to_text(options_.min_lr));
}

DIGITNET_INLINE void ReduceLROnPlateau::on_epoch_end(TrainingControl& control, const EpochLogs& logs) {
  if (cooling_ > 0) {
    --cooling_;
    waited_ = 0;
  }
  const bool first = !improvement_.looked();
  if (improvement_.update(logs) || first) {
    waited_ = 0;
  } else if (cooling_ == 0 && ++waited_ >= options_.patience && control.learning_rate() > options_.min_lr) {
    const float rate = std::max(control.learning_rate() * options_.factor, options_.min_lr);
    control.set_learning_rate(rate);
    control.print("ReduceLROnPlateau: learning rate is now " + to_text(rate));
    cooling_ = options_.cooldown;
    waited_ = 0;
  }
}

DIGITNET_INLINE void ReduceLROnPlateau::save_state(CallbackState& state) const {
  improvement_.save(state);
  state.set("waited", waited_);
  state.set("cooling", cooling_);
}

DIGITNET_INLINE void ReduceLROnPlateau::load_state(TrainingControl&, const CallbackState& state) {
  improvement_.load(state);
  waited_ = state.number<std::size_t>("waited");
  cooling_ = state.number<std::size_t>("cooling");
}

DIGITNET_INLINE void TerminateOnNaN::on_batch_end(TrainingControl& control, std::size_t step,
                                                  const EpochLogs& logs) {
  if (!std::isfinite(logs.loss))
    control.stop("TerminateOnNaN: the loss is not finite after step " + std::to_string(step) +
                 ": a smaller learning rate or gradient clipping may help");
}

}  // namespace digitnet
#endif
