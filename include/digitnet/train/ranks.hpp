// Ranks: what a Trainer does where several processes train together. Rank 0 is the leader, the others follow
// its orders; before each call all compare what they are about to do.
#pragma once
#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/train/fit_options.hpp"
#include "digitnet/train/gradient_exchange.hpp"
#include "digitnet/train/history.hpp"
#include "digitnet/train/leader.hpp"
#include "digitnet/train/rank_agreement.hpp"
#include "digitnet/train/training.hpp"

namespace digitnet {

namespace detail {

/// Refers to this process' model and to the communicator. Every call is made by all ranks.
class Ranks final : public RankedTraining {
 public:
  Ranks(TrainableModel& own, Communicator& communicator)
      : own_(own), communicator_(communicator), leader_(own, communicator) {}

  TrainableModel& model() override { return is_rank_0() ? static_cast<TrainableModel&>(leader_) : own_; }
  void of(Training& training) override {
    training_ = &training;
    training.of_ranks = true;
  }
  History fit(const DataView& data, FitOptions options) override {
    return fit(data, nullptr, std::move(options));
  }
  History fit(SampleStream& stream, FitOptions options) override {
    return fit({}, &stream, std::move(options));
  }
  Evaluation evaluate(const DataView& data) override { return evaluate(data, nullptr); }
  Evaluation evaluate(SampleStream& stream) override { return evaluate({}, &stream); }
  void on_rank_0(const char* name, void (*call)(const void*), const void* object) override;

 private:
  bool is_rank_0() const { return communicator_.rank() == 0; }
  // On rank 0: the end of a call, or its failure, goes to the others.
  template <class Call>
  void finish(const Call& call);
  // What a call works on: the views that the leader knows by their number, and what the first of them is part
  // of, or null.
  struct Data {
    std::vector<DataView> views{};
    SampleParts* parts = nullptr;
    SampleTransform* transform = nullptr;
  };
  // On the other ranks: does what rank 0 says until the end of the call; returns what that says.
  Message follow(Data data);
  History fit(const DataView& data, SampleStream* stream, FitOptions options);
  Evaluation evaluate(const DataView& data, SampleStream* stream);
  std::unique_ptr<SampleParts> parts_of(SampleStream* stream, const char* what);

  TrainableModel& own_;
  Communicator& communicator_;
  Leader leader_;
  Training* training_ = nullptr;
};

}  // namespace detail

/// What a communicator derives from, so that trainings can use it.
class TrainingCommunicator : public Communicator {
 public:
  std::unique_ptr<detail::RankedTraining> ranked_training(TrainableModel& own) final {
    return std::make_unique<detail::Ranks>(own, *this);
  }
  std::unique_ptr<detail::GradientExchange> gradient_exchange(const detail::StepPieces& pieces) final {
    return std::make_unique<detail::OwnersExchange>(*this, pieces);
  }
};

}  // namespace digitnet

#if DIGITNET_BODIES
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>

#include "digitnet/core/blas.hpp"
#include "digitnet/train/fit_loop.hpp"
#include "digitnet/train/training_setup.hpp"
#include "digitnet/version.hpp"

namespace digitnet::detail {

template <class Call>
void Ranks::finish(const Call& call) {
  try {
    Message result = call();
    Message message;
    message.put(training_->steps);
    message.put(training_->epochs);
    message.put(training_->seed.value);
    const LearningRate& rate = own_.learning_rate();
    message.put(rate.is_constant() ? rate(0) : 0.0f);
    message.put_array(std::span<const double>(own_.optimizer_numbers()));
    message.put_message(result);
    leader_.end(std::move(message));
  } catch (const std::exception& error) {
    leader_.fail(error.what());
    throw SharedError(error.what());
  }
}

DIGITNET_INLINE Message Ranks::follow(Data data) {
  const blas::SingleThread single;
  std::vector<float> weights;
  const auto take_numbers = [&](Message& message) {
    const std::vector<double> numbers = message.take_array<double>();
    std::copy(numbers.begin(), numbers.end(), own_.optimizer_numbers().begin());
  };
  std::vector<std::uint32_t> indices;
  const auto take_batch = [&](Message& message) {
    const auto view = static_cast<std::size_t>(message.take<std::uint64_t>());
    indices = message.take_array<std::uint32_t>();
    return Batch{data.views.at(view), indices, weights, data.transform, {}};
  };
  while (true) {
    Message message;
    message.broadcast(communicator_);
    const auto order = message.take<Order>();
    if (order == Order::fail) throw SharedError(message.take_text());
    if (order == Order::end) {
      training_->steps = message.take<std::uint64_t>();
      training_->epochs = message.take<std::uint64_t>();
      training_->seed.value = message.take<std::uint64_t>();
      const auto rate = message.take<float>();
      if (own_.learning_rate().is_constant()) own_.learning_rate().set_constant(rate);
      take_numbers(message);
      return message;
    }
    together(communicator_, [&] {
      switch (order) {
        case Order::accumulate: {
          Batch batch = take_batch(message);
          batch.transforming = message.take<RandomKey>();
          const auto key = message.take<RandomKey>();
          own_.accumulate(batch, key, static_cast<std::size_t>(message.take<std::uint64_t>()));
          break;
        }
        case Order::step: {
          const auto step = message.take<std::uint64_t>();
          const auto rate = message.take<float>();
          take_numbers(message);
          own_.step(step, rate);
          break;
        }
        case Order::move_statistics:
          own_.move_statistics();
          break;
        case Order::evaluate: {
          Batch batch = take_batch(message);
          batch.weights = {};
          batch.transform = nullptr;
          own_.evaluate(batch);
          break;
        }
        case Order::copy_slots:
          own_.copy_of_slots();
          break;
        case Order::restore_slots: {
          const std::vector<float> values = message.take_array<float>();
          Arena<float> slots(values.size());
          std::copy(values.begin(), values.end(), slots.data());
          own_.restore_slots(std::move(slots));
          break;
        }
        case Order::take_parameters: {
          const std::vector<float> values = message.take_array<float>();
          std::copy(values.begin(), values.end(), own_.parameters().begin());
          break;
        }
        case Order::take_weights:
          weights = message.take_array<float>();
          break;
        case Order::begin_stream: {
          data.parts->set_step(static_cast<std::size_t>(message.take<std::uint64_t>()));
          const auto key = message.take<RandomKey>();
          const bool shuffled = message.take<bool>();
          data.parts->begin_epoch(key, shuffled, static_cast<std::size_t>(message.take<std::uint64_t>()));
          break;
        }
        case Order::take_part: {
          std::string text, error;
          try {
            data.views[0] = {};
            data.views[0] = data.parts->next();
            text = data_text(data.views[0]);
          } catch (const std::exception& found) {
            error = std::string("has an error: ") + found.what();
          }
          try {
            agree(communicator_, "the next part of a stream", {{"data", text}}, error);
          } catch (const SharedError&) {
            // Rank 0 has it too, and its order to fail follows.
          }
          break;
        }
        case Order::compare_parameters:
          compare_parameters(communicator_, own_.parameters());
          break;
        case Order::end:
        case Order::fail:
          break;
      }
    });
  }
}

DIGITNET_INLINE void Ranks::on_rank_0(const char* name, void (*call)(const void*), const void* object) {
  agree(communicator_, name, {});
  if (is_rank_0())
    finish([&] {
      call(object);
      return Message();
    });
  else
    follow({});
}

DIGITNET_INLINE std::unique_ptr<SampleParts> Ranks::parts_of(SampleStream* stream, const char* what) {
  if (!stream) return nullptr;
  if (is_rank_0()) return std::make_unique<LeaderParts>(*stream, *training_, what, leader_);
  return std::make_unique<SampleParts>(*stream, *training_, what);
}

DIGITNET_INLINE History Ranks::fit(const DataView& data, SampleStream* stream, FitOptions options) {
  std::string error;
  TrainingSetup setup;
  std::unique_ptr<SampleParts> parts;
  try {
    parts = parts_of(stream, "train");
    if (!stream) training_->check(data, "train");
    if (options.validation.count() > 0) training_->check(options.validation, "validate");
    setup = setup_of_ranks(*training_, own_, parts ? parts->text() : data_text(data), options);
    if (SampleTransform* const transform = options.augmentation.get())
      transform->begin(own_.facts().input, training_->threads);
  } catch (const std::exception& found) {
    error = std::string("has an error: ") + found.what();
  }
  agree(communicator_, "fit", setup, error);
  std::vector<DataView> views{data, options.validation};
  History history;
  if (is_rank_0()) {
    leader_.views = std::move(views);
    leader_.forget_weights();
    finish([&] {
      history = fit_loop(*training_, data, std::move(options), parts.get());
      Message result;
      result.put_array(std::span<const EpochLogs>(history.epochs));
      result.put(history.interrupted);
      result.put(history.diverged);
      result.put_text(history.stopped_because);
      return result;
    });
    return history;
  }
  const InterruptGuard interrupt(options.handle_interrupt, true);
  Message result = follow({std::move(views), parts.get(), options.augmentation.get()});
  history.epochs = result.take_array<EpochLogs>();
  history.interrupted = result.take<bool>();
  history.diverged = result.take<bool>();
  history.stopped_because = result.take_text();
  return history;
}

DIGITNET_INLINE Evaluation Ranks::evaluate(const DataView& data, SampleStream* stream) {
  std::string error, text;
  std::unique_ptr<SampleParts> parts;
  try {
    parts = parts_of(stream, "evaluate");
    if (!stream) training_->check(data, "evaluate");
    text = parts ? parts->text() : data_text(data);
  } catch (const std::exception& found) {
    error = std::string("has an error: ") + found.what();
  }
  agree(communicator_, "evaluate", {{"data", text}}, error);
  Evaluation evaluation;
  if (is_rank_0()) {
    leader_.views = {data};
    finish([&] {
      const blas::SingleThread single;
      evaluation = parts ? evaluate_parts(*training_, *parts) : training_->evaluate(data);
      Message result;
      result.put(evaluation);
      return result;
    });
    return evaluation;
  }
  return follow({{data}, parts.get(), nullptr}).take<Evaluation>();
}

}  // namespace digitnet::detail
#endif
