// Callbacks: what happens between the steps and epochs of a training. Keras' names and rules.
#pragma once
#include <cerrno>
#include <cmath>
#include <concepts>
#include <cstdio>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/model/description.hpp"
#include "digitnet/train/history.hpp"
#include "digitnet/train/training_state.hpp"

namespace digitnet {

/// What a callback may see and change while a training runs.
class TrainingControl {
 public:
  virtual ~TrainingControl() = default;

  /// The rate of the next step.
  virtual float learning_rate() const = 0;
  /// Replaces the optimizer's constant rate. Throws an Error if the rate follows a schedule.
  virtual void set_learning_rate(float rate) = 0;
  /// The model's arena.
  virtual std::span<float> parameters() = 0;
  virtual std::size_t epochs() const = 0;
  /// Ends the training after the current step or epoch, for a reason that is printed.
  virtual void stop(std::string reason) = 0;
  /// Prints a line, unless the training is silent.
  virtual void print(const std::string& line) const = 0;
  /// The model as data.
  virtual ModelDescription description() const = 0;
  /// What the training needs to go on, beside the parameters.
  virtual TrainingState state() const = 0;
  /// Goes on from a state; only before the first epoch.
  virtual void restore(TrainingState state) = 0;
  /// The optimizer's slots for each parameter.
  virtual std::size_t slots() const = 0;
  /// Moving statistics (BatchNormalization's) follow one pass over the training data; parameters that are
  /// trained stay. Nothing for a model without such.
  virtual void update_statistics() = 0;
};

/// Base of all callbacks: override what you need. Called on the thread that called `fit`.
class Callback {
 public:
  virtual ~Callback() = default;
  virtual void on_train_begin(TrainingControl&) {}
  virtual void on_epoch_begin(TrainingControl&, std::size_t /*epoch, from 1*/) {}
  /// After each step, with the means since the epoch began.
  virtual void on_batch_end(TrainingControl&, std::size_t /*step, from 1*/, const EpochLogs&) {}
  virtual void on_epoch_end(TrainingControl&, const EpochLogs&) {}
  virtual void on_train_end(TrainingControl&, const History&) {}
};

/// A callback in the list of `fit`: a copy of one (`EarlyStopping{...}`), or a pointer to one that the caller
/// keeps.
class CallbackHandle {
 public:
  template <std::derived_from<Callback> C>
  CallbackHandle(C callback) : callback_(std::make_shared<C>(std::move(callback))) {}
  CallbackHandle(Callback* callback) : callback_(callback, [](Callback*) {}) {}

  Callback* operator->() const { return callback_.get(); }

 private:
  std::shared_ptr<Callback> callback_;
};

namespace detail {

/// Whether a monitored quantity got better: lower for losses, higher for accuracies.
class Improvement {
 public:
  void start(const std::string& monitor, double min_delta) {
    higher_is_better_ = monitor.ends_with("accuracy");
    min_delta_ = std::abs(min_delta);
    best_ = higher_is_better_ ? -std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::infinity();
  }
  bool update(double value) {
    const bool better = higher_is_better_ ? value > best_ + min_delta_ : value < best_ - min_delta_;
    if (better) best_ = value;
    return better;
  }
  double best() const { return best_; }

 private:
  bool higher_is_better_ = false;
  double min_delta_ = 0;
  double best_ = 0;
};

}  // namespace detail

/// Ends the training when `monitor` has not improved by more than min_delta for `patience` epochs.
class EarlyStopping : public Callback {
 public:
  struct Options {
    std::string monitor = "val_loss";
    double min_delta = 0;
    std::size_t patience = 0;
    bool restore_best_weights = false;  ///< at the end, go back to the parameters of the best epoch
    std::size_t start_from_epoch = 0;   ///< epochs before this one (counted from 0) are not looked at
  };
  explicit EarlyStopping(Options options) : options_(std::move(options)) {}
  EarlyStopping() : EarlyStopping(Options{}) {}

  void on_train_begin(TrainingControl&) override {
    improvement_.start(options_.monitor, options_.min_delta);
    waited_ = best_epoch_ = 0;
    best_parameters_.clear();
  }
  void on_epoch_end(TrainingControl& control, const EpochLogs& logs) override {
    const double value = logs.value(options_.monitor);
    if (logs.epoch <= options_.start_from_epoch) return;
    if (improvement_.update(value)) {
      waited_ = 0;
      best_epoch_ = logs.epoch;
      if (options_.restore_best_weights)
        best_parameters_.assign(control.parameters().begin(), control.parameters().end());
    } else if (++waited_ >= std::max<std::size_t>(1, options_.patience) && best_epoch_ > 0) {
      control.stop("EarlyStopping: " + options_.monitor + " has not improved since epoch " +
                   std::to_string(best_epoch_));
    }
  }
  void on_train_end(TrainingControl& control, const History&) override {
    if (best_parameters_.empty()) return;
    std::copy(best_parameters_.begin(), best_parameters_.end(), control.parameters().begin());
    control.print("EarlyStopping: restored the parameters of epoch " + std::to_string(best_epoch_));
  }

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
    std::size_t cooldown = 0;  ///< epochs to wait after a reduction
    float min_lr = 0;
  };
  explicit ReduceLROnPlateau(Options options) : options_(std::move(options)) {
    if (!(options_.factor < 1))
      fail("ReduceLROnPlateau's factor must be below 1, but is " + std::to_string(options_.factor));
  }
  ReduceLROnPlateau() : ReduceLROnPlateau(Options{}) {}

  void on_train_begin(TrainingControl&) override {
    improvement_.start(options_.monitor, options_.min_delta);
    waited_ = cooling_ = 0;
  }
  void on_epoch_end(TrainingControl& control, const EpochLogs& logs) override {
    const double value = logs.value(options_.monitor);
    if (cooling_ > 0) {
      --cooling_;
      waited_ = 0;
    }
    if (improvement_.update(value)) {
      waited_ = 0;
    } else if (cooling_ == 0 && ++waited_ >= options_.patience && control.learning_rate() > options_.min_lr) {
      const float rate = std::max(control.learning_rate() * options_.factor, options_.min_lr);
      control.set_learning_rate(rate);
      control.print("ReduceLROnPlateau: learning rate is now " + std::to_string(rate));
      cooling_ = options_.cooldown;
      waited_ = 0;
    }
  }

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
      : schedule_(std::move(schedule)) {}
  void on_epoch_begin(TrainingControl& control, std::size_t epoch) override {
    control.set_learning_rate(schedule_(epoch - 1, control.learning_rate()));
  }

 private:
  std::function<float(std::size_t, float)> schedule_;
};

/// Ends the training when the loss is no longer a number.
class TerminateOnNaN : public Callback {
 public:
  void on_batch_end(TrainingControl& control, std::size_t step, const EpochLogs& logs) override {
    if (!std::isfinite(logs.loss))
      control.stop("TerminateOnNaN: the loss is not finite after step " + std::to_string(step) +
                   ": a smaller learning rate or gradient clipping may help");
  }
};

/// Writes a line for each epoch to a file of comma-separated values, as it ends.
class CSVLogger : public Callback {
 public:
  explicit CSVLogger(std::string path, bool append = false) : path_(std::move(path)), append_(append) {}

  void on_train_begin(TrainingControl&) override {
    file_.reset(std::fopen(path_.c_str(), append_ ? "a" : "w"), [](std::FILE* file) {
      if (file) std::fclose(file);
    });
    if (!file_) fail("CSVLogger cannot write " + path_ + ": " + std::strerror(errno));
    write_header_ = std::ftell(file_.get()) <= 0;
  }
  void on_epoch_end(TrainingControl&, const EpochLogs& logs) override {
    std::string header = "epoch", line = std::to_string(logs.epoch - 1);  // counted from 0, as in Keras
    auto values = logs.measured();
    values.emplace_back("learning_rate", logs.learning_rate);
    for (const auto& [name, value] : values) {
      char text[48];
      std::snprintf(text, sizeof text, ",%.9g", value);
      header.append(",").append(name);
      line += text;
    }
    if (std::exchange(write_header_, false)) line = header.append("\n").append(line);
    if (std::fprintf(file_.get(), "%s\n", line.c_str()) < 0 || std::fflush(file_.get()) != 0)
      fail("CSVLogger cannot write " + path_ + ": " + std::strerror(errno));
  }
  void on_train_end(TrainingControl&, const History&) override { file_.reset(); }

 private:
  std::string path_;
  bool append_;
  bool write_header_ = true;
  std::shared_ptr<std::FILE> file_;
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
