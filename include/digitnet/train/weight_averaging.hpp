// Callbacks that give the model, at the end of a training, a mean of the parameters it went through. It is
// often better than the last ones.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/core/processor.hpp"
#include "digitnet/core/simd.hpp"
#include "digitnet/train/callback.hpp"

namespace digitnet {
namespace detail {

/// average += part * (parameters - average).
template <class Arch = DefaultArch>
void move_average(std::span<float> average, std::span<const float> parameters, float part) {
  using Vector = simd::Vector<float, Arch>;
  simd::transform<Arch>(
      average.size(), average.data(),
      [part](Vector mean, Vector now) { return simd::fma(Vector(part), now - mean, mean); },
      static_cast<const float*>(average.data()), parameters.data());
}

}  // namespace detail

inline namespace DIGITNET_PROCESSOR {

/// A mean of parameters, which goes on in a later `fit` that goes on where the last one ended.
class ParameterMean {
 public:
  /// Whether it goes on, and does not begin afresh.
  bool begin(const TrainingControl& control) {
    const bool goes_on = control.steps() == last_step_;
    if (!goes_on) *this = ParameterMean();
    return goes_on;
  }
  /// Moves towards the parameters by a part, which is 1 the first time.
  void update(std::span<const float> parameters, float part) {
    if (average_.size() != parameters.size()) average_ = Arena<float>(parameters.size());
    detail::move_average(average_.span(), parameters, part);
    ++updates_;
  }
  /// Updates so far.
  std::uint64_t updates() const { return updates_; }
  /// Gives the model the mean, if there is one.
  bool end(TrainingControl& control) {
    last_step_ = control.steps();
    if (updates_ > 0) std::ranges::copy(average_.span(), control.parameters().begin());
    return updates_ > 0;
  }
  void save(CallbackState& state) const {
    state.set("updates", updates_);
    if (updates_ > 0) state.set("average", average_.span());
  }
  void load(TrainingControl& control, const CallbackState& state) {
    const auto values = state.values("average");
    const auto updates = state.number<std::uint64_t>("updates");
    if (values.size() != (updates > 0 ? control.parameters().size() : 0))
      fail("The averaged parameters of a callback are those of another model");
    updates_ = updates;
    average_ = Arena<float>(values.size());
    std::ranges::copy(values, average_.data());
  }

 private:
  Arena<float> average_{};
  std::uint64_t updates_ = 0, last_step_ = 0;
};

/// An exponential moving average of all parameters (of moving statistics too), which the model has at the end
/// of the training; during it, validation and checkpoints see the trained ones. As Keras' use_ema, with the
/// horizon growing as in Polyak's average at first: the part of step t that is kept is at most
/// (1 + t) / (10 + t). Polyak, Juditsky: Acceleration of Stochastic Approximation by Averaging (1992).
class ExponentialMovingAverage : public Callback {
 public:
  struct Options {
    /// The momentum of one step.
    float momentum = 0.999f;
    /// Steps from one update to the next; the momentum of a step stays the same.
    std::size_t every = 1;
    /// The first epoch that counts.
    std::size_t start_epoch = 1;
  };
  ExponentialMovingAverage() : ExponentialMovingAverage(Options{}) {}
  explicit ExponentialMovingAverage(Options options) : options_(options) {
    if (!(options_.momentum >= 0 && options_.momentum < 1))
      fail("ExponentialMovingAverage's momentum must be at least 0 and below 1, but is " +
           to_text(options_.momentum));
    if (options_.every == 0) fail("ExponentialMovingAverage updates every 1 step or more, but every is 0");
  }

  void on_train_begin(TrainingControl& control) override {
    if (!mean_.begin(control)) steps_ = 0;
  }
  void on_epoch_begin(TrainingControl&, std::size_t epoch) override { epoch_ = epoch; }
  void on_batch_end(TrainingControl& control, std::size_t, const EpochLogs&) override {
    if (epoch_ < options_.start_epoch || ++steps_ % options_.every != 0) return;
    const double kept = std::pow(double{options_.momentum}, static_cast<double>(options_.every));
    const auto t = static_cast<double>(mean_.updates());
    mean_.update(control.parameters(),
                 t == 0 ? 1.0f : static_cast<float>(1 - std::min(kept, (1 + t) / (10 + t))));
  }
  void on_train_end(TrainingControl& control, const History&) override { mean_.end(control); }
  void save_state(CallbackState& state) const override {
    mean_.save(state);
    state.set("steps", steps_);
    state.set("epoch", epoch_);
  }
  void load_state(TrainingControl& control, const CallbackState& state) override {
    mean_.load(control, state);
    steps_ = state.number<std::uint64_t>("steps");
    epoch_ = state.number<std::size_t>("epoch");
  }

 private:
  Options options_;
  ParameterMean mean_;
  std::uint64_t steps_ = 0;
  std::size_t epoch_ = 0;
};

/// Stochastic weight averaging: the mean of the parameters at the end of each epoch from start_epoch on,
/// which the model has at the end of the training; moving statistics are then those of one more pass over the
/// training data. Keep the learning rate constant or cyclic meanwhile. Izmailov and others: Averaging Weights
/// Leads to Wider Optima and Better Generalization (2018).
class StochasticWeightAveraging : public Callback {
 public:
  struct Options {
    /// The first epoch whose end counts.
    std::size_t start_epoch = 1;
  };
  explicit StochasticWeightAveraging(Options options) : options_(options) {}

  void on_train_begin(TrainingControl& control) override { mean_.begin(control); }
  void on_epoch_end(TrainingControl& control, const EpochLogs& logs) override {
    if (logs.epoch >= options_.start_epoch)
      mean_.update(control.parameters(), 1 / static_cast<float>(mean_.updates() + 1));
  }
  void on_train_end(TrainingControl& control, const History&) override {
    if (mean_.end(control)) control.update_statistics();
  }
  void save_state(CallbackState& state) const override { mean_.save(state); }
  void load_state(TrainingControl& control, const CallbackState& state) override {
    mean_.load(control, state);
  }

 private:
  Options options_;
  ParameterMean mean_;
};

}  // namespace DIGITNET_PROCESSOR
}  // namespace digitnet
