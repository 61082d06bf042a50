// Trainer: give it a model, an optimizer and a loss; then `fit` trains and `evaluate` measures. The numbers
// are TrainableNetwork's work, the epochs FitLoop's.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "digitnet/core/blas.hpp"
#include "digitnet/train/build_check.hpp"
#include "digitnet/train/callbacks.hpp"
#include "digitnet/train/checkpoint.hpp"
#include "digitnet/train/communicator.hpp"
#include "digitnet/train/fit_loop.hpp"
#include "digitnet/train/fit_options.hpp"
#include "digitnet/train/sample_parts.hpp"
#include "digitnet/train/trainable_network.hpp"
#include "digitnet/train/training.hpp"

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
  [[gnu::always_inline]] Trainer(Model& model, Optimizer optimizer, Loss loss, TrainerOptions options = {})
      : communicator_(options.communicator),
        network_(model, std::move(optimizer), std::move(loss), options),
        ranks_(communicator_.get() ? communicator_.get()->ranked_training(network_) : nullptr),
        training_(ranks_ ? ranks_->model() : network_, options) {
    if (ranks_) ranks_->of(training_);
  }

  /// Trains for some epochs and returns what was measured. A later call goes on where this one ended
  /// (optimizer slots, step and epoch counts). Throws an Error, before anything changed, when data or options
  /// are unusable.
  History fit(const DataView& data, FitOptions options = {}) {
    warn_once_of_slow_build();
    return ranks_ ? ranks_->fit(data, std::move(options))
                  : detail::fit_loop(training_, data, std::move(options));
  }
  /// The same, with samples and targets given separately.
  History fit(const Samples& samples, const Targets& targets, FitOptions options = {}) {
    return fit(DataView(samples, targets), std::move(options));
  }

  /// The same, with samples that are read one part after the other.
  History fit(SampleStream& stream, FitOptions options = {}) {
    warn_once_of_slow_build();
    if (ranks_) return ranks_->fit(stream, std::move(options));
    detail::SampleParts parts(stream, training_, "train");
    return detail::fit_loop(training_, {}, std::move(options), &parts);
  }
  History fit(SampleStream&& stream, FitOptions options = {}) { return fit(stream, std::move(options)); }

  /// The mean loss (with penalties) and the accuracy on some data.
  Evaluation evaluate(const DataView& data) {
    if (ranks_) return ranks_->evaluate(data);
    training_.check(data, "evaluate");
    const blas::SingleThread single;
    return training_.evaluate(data);
  }
  Evaluation evaluate(SampleStream& stream) {
    if (ranks_) return ranks_->evaluate(stream);
    detail::SampleParts parts(stream, training_, "evaluate");
    const blas::SingleThread single;
    return detail::evaluate_parts(training_, parts);
  }
  Evaluation evaluate(SampleStream&& stream) { return evaluate(stream); }

  /// Writes the parameters, the optimizer's slots, the counts of steps and epochs that learning rate and
  /// randomness follow from, and what the callbacks of the last `fit` know; see resume.
  void save(const std::string& path) const {
    on_rank_0("save", [&] {
      write_checkpoint(path, network_.description(), training_.model.parameters(), training_.state());
    });
  }
  /// Goes on where the training that saved this file was, to the same bits as if it had never stopped,
  /// provided that data, options, callbacks and schedule are the same, even from the middle of an epoch:
  /// `trainer.resume(path); trainer.fit(data, {.epochs = 10, .initial_epoch = trainer.epochs()})`. Takes over
  /// seed and constant learning rate. The model gets the parameters that it had; where a callback gave it
  /// others at the end of its training (averages, those of the best epoch), the next `fit` goes on from the
  /// trained ones. Throws an Error, before anything changed, if the file does not fit.
  void resume(const std::string& path) {
    on_rank_0("resume", [&] {
      training_.restore(read_checkpoint(path, network_.description(), network_.facts().optimizer,
                                        network_.facts().slots, network_.parameters().size()));
    });
  }
  /// Goes on with an optimizer that has done so many steps: with its slots, one arena after the other, and
  /// its learning rate, which a schedule does not take over, and what it keeps beside them.
  void restore_optimizer(std::uint64_t steps, float learning_rate, Arena<float> slots,
                         std::span<const double> numbers = {}) {
    on_rank_0("restore_optimizer",
              [&] { training_.restore_optimizer(steps, learning_rate, std::move(slots), numbers); });
  }
  /// Epochs trained so far.
  std::size_t epochs() const { return static_cast<std::size_t>(training_.epochs); }
  /// Steps taken so far.
  std::uint64_t steps() const { return training_.steps; }

  /// What a checkpoint holds beside the parameters; of several processes rank 0 alone gets it.
  TrainingState state() const {
    TrainingState result;
    on_rank_0("state", [&] { result = training_.state(); });
    return result;
  }
  const Loss& loss() const { return network_.loss(); }
  Model& model() const { return network_.model(); }
  const Optimizer& optimizer() const { return network_.optimizer(); }

 private:
  template <class Call>
  void on_rank_0(const char* name, const Call& call) const {
    if (ranks_)
      ranks_->on_rank_0(
          name, [](const void* object) { (*static_cast<const Call*>(object))(); }, &call);
    else
      call();
  }

  CommunicatorHandle communicator_;
  TrainableNetwork<Model, Optimizer, Loss> network_;
  // Null: this process trains alone.
  std::unique_ptr<detail::RankedTraining> ranks_;
  detail::Training training_;
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
  History fit(SampleStream&, FitOptions = {}) { return {}; }
  Evaluation evaluate(const DataView&) { return {}; }
  Evaluation evaluate(SampleStream&) { return {}; }
};

}  // namespace digitnet
