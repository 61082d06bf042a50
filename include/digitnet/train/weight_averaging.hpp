// Callbacks that end a training with a mean of the parameters it went through, which is better than the last
// ones.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/processor.hpp"
#include "digitnet/core/simd.hpp"
#include "digitnet/train/callbacks.hpp"

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

/// An exponential moving average of all parameters (of moving statistics too), which the model has at the end
/// of the training; during it, validation and checkpoints see the trained ones. As Keras' use_ema, with the
/// horizon growing as in Polyak's average at first: the part of step t that is kept is at most
/// (1 + t) / (10 + t). Polyak, Juditsky: Acceleration of Stochastic Approximation by Averaging (1992).
class ExponentialMovingAverage : public Callback {
 public:
  struct Options {
    float momentum = 0.999f;      ///< of one step
    std::size_t every = 1;        ///< steps between two updates; the momentum of a step stays the same
    std::size_t start_epoch = 1;  ///< the first epoch that counts
  };
  ExponentialMovingAverage() : ExponentialMovingAverage(Options{}) {}
  explicit ExponentialMovingAverage(Options options) : options_(options) {
    if (!(options_.momentum >= 0 && options_.momentum < 1))
      fail("ExponentialMovingAverage's momentum must be at least 0 and below 1, but is " +
           std::to_string(options_.momentum));
    if (options_.every == 0) fail("ExponentialMovingAverage updates every 1 step or more, but every is 0");
  }

  void on_train_begin(TrainingControl&) override { updates_ = steps_ = 0; }
  void on_epoch_begin(TrainingControl&, std::size_t epoch) override { epoch_ = epoch; }
  void on_batch_end(TrainingControl& control, std::size_t, const EpochLogs&) override {
    if (epoch_ < options_.start_epoch || ++steps_ % options_.every != 0) return;
    const std::span<const float> parameters = control.parameters();
    const double kept = std::pow(double{options_.momentum}, static_cast<double>(options_.every));
    const auto t = static_cast<double>(updates_++);
    if (average_.size() != parameters.size()) average_ = Arena<float>(parameters.size());
    detail::move_average(average_.span(), parameters,
                         t == 0 ? 1.0f : static_cast<float>(1 - std::min(kept, (1 + t) / (10 + t))));
  }
  void on_train_end(TrainingControl& control, const History&) override {
    if (updates_ > 0) std::ranges::copy(average_.span(), control.parameters().begin());
  }

 private:
  Options options_;
  Arena<float> average_;
  std::size_t updates_ = 0, steps_ = 0, epoch_ = 0;
};

/// Stochastic weight averaging: the mean of the parameters at the end of each epoch from start_epoch on,
/// which the model has at the end of the training; moving statistics are then those of one more pass over the
/// training data. Keep the learning rate constant or cyclic meanwhile. Izmailov and others: Averaging Weights
/// Leads to Wider Optima and Better Generalization (2018).
class StochasticWeightAveraging : public Callback {
 public:
  struct Options {
    std::size_t start_epoch = 1;  ///< the first epoch whose end counts
  };
  explicit StochasticWeightAveraging(Options options) : options_(options) {}

  void on_train_begin(TrainingControl&) override { epochs_ = 0; }
  void on_epoch_end(TrainingControl& control, const EpochLogs& logs) override {
    if (logs.epoch < options_.start_epoch) return;
    const std::span<const float> parameters = control.parameters();
    if (average_.size() != parameters.size()) average_ = Arena<float>(parameters.size());
    detail::move_average(average_.span(), parameters, 1 / static_cast<float>(++epochs_));
  }
  void on_train_end(TrainingControl& control, const History&) override {
    if (epochs_ == 0) return;
    std::ranges::copy(average_.span(), control.parameters().begin());
    control.update_statistics();
  }

 private:
  Options options_;
  Arena<float> average_;
  std::size_t epochs_ = 0;
};

}  // namespace DIGITNET_PROCESSOR
}  // namespace digitnet
