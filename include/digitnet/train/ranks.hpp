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
#include "digitnet/train/training.hpp"

namespace digitnet {

/// An error that all ranks of a training throw, for rank 0 has met it or found that they differ.
class SharedError : public Error {
 public:
  using Error::Error;
};

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
  History fit(const DataView& data, FitOptions options) override;
  Evaluation evaluate(const DataView& data) override;
  void on_rank_0(const char* name, void (*call)(const void*), const void* object) override;

 private:
  bool is_rank_0() const { return communicator_.rank() == 0; }
  // Throws an Error that names the rank and the difference unless all ranks make the same call, and none has
  // an error of its own.
  void compare(const std::string& name, const TrainingSetup& setup, const std::string& error = {});
  // On rank 0: the end of a call, or its failure, goes to the others.
  template <class Call>
  void finish(const Call& call);
  // On the other ranks: does what rank 0 says until the end of the call; returns what that says.
  Message follow(std::vector<DataView> views, SampleTransform* transform);

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

/// What all ranks must have alike, beside the order of their calls.
inline TrainingSetup setup_of_ranks(Training& training, TrainableModel& own, const DataView& data,
                                    const FitOptions& options) {
  TrainingSetup setup;
  describe_fit(options, data, setup);
  for (const LayerDescription& layer : own.description().layers) setup["layer " + layer.name] = layer.text();
  setup["parameters"] = "checksum " + Crc32c().add(std::span<const float>(own.parameters())).text();
  describe_loss(own.facts().loss, setup);
  describe_optimizer(own.facts().optimizer, own.facts().optimizer_settings, setup);
  setup["learning rate"] = training.first_rate;
  setup["epochs"] = to_text(options.epochs);
  setup["seed"] = to_text(training.seed.value);
  setup["shards"] = to_text(training.shards);
  setup["steps before it"] = to_text(training.steps);
  setup["processor"] = own.facts().processor;
  setup["version of digitnet"] = to_text(std::uint64_t{DIGITNET_VERSION});
  return setup;
}

DIGITNET_INLINE void Ranks::compare(const std::string& name, const TrainingSetup& setup,
                                    const std::string& error) {
  Message message;
  message.put_text(name);
  for (const auto& [what, word] : setup) {
    message.put_text(what);
    message.put_text(word);
  }
  message.put_text("");
  if (is_rank_0()) {
    Message sent = message;
    sent.broadcast(communicator_);
    message = std::move(sent);
  } else {
    message = {};
    message.broadcast(communicator_);
  }
  // What this rank has to say.
  std::string verdict = error;
  const std::string leaders_call = message.take_text();
  if (verdict.empty() && leaders_call != name)
    verdict = "calls " + name + " while rank 0 calls " + leaders_call +
              ": every rank must make the same calls of the trainer";
  TrainingSetup leaders;
  for (std::string what = message.take_text(); !what.empty(); what = message.take_text())
    leaders[what] = message.take_text();
  if (verdict.empty())
    for (const auto& [what, word] : leaders) {
      const auto found = setup.find(what);
      const std::string here = found == setup.end() ? "none" : found->second;
      if (here != word) {
        verdict = "differs from rank 0 in its " + what + ": " + here + " instead of " + word;
        break;
      }
    }
  if (verdict.empty() && setup.size() != leaders.size())
    verdict = "differs from rank 0 in its layers: it has more";
  constexpr std::size_t length = 512;
  std::vector<char> verdicts(communicator_.size() * length);
  std::strncpy(verdicts.data() + communicator_.rank() * length, verdict.c_str(), length - 1);
  std::vector<std::size_t> begins;
  for (std::size_t rank = 0; rank <= communicator_.size(); ++rank) begins.push_back(rank * length);
  communicator_.all_gather(reinterpret_cast<std::byte*>(verdicts.data()), begins);
  for (std::size_t rank = 0; rank < communicator_.size(); ++rank) {
    const std::string said = verdicts.data() + rank * length;
    if (said.empty()) continue;
    const std::string sentence = "Rank " + std::to_string(rank) + " " + said;
    throw SharedError(sentence);
  }
}

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

DIGITNET_INLINE Message Ranks::follow(std::vector<DataView> views, SampleTransform* transform) {
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
    return Batch{views.at(view), indices, weights, transform, {}};
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
  compare(name, {});
  if (is_rank_0())
    finish([&] {
      call(object);
      return Message();
    });
  else
    follow({}, nullptr);
}

DIGITNET_INLINE History Ranks::fit(const DataView& data, FitOptions options) {
  std::string error;
  TrainingSetup setup;
  try {
    training_->check(data, "train");
    if (options.validation.count() > 0) training_->check(options.validation, "validate");
    setup = setup_of_ranks(*training_, own_, data, options);
    if (SampleTransform* const transform = options.augmentation.get())
      transform->begin(own_.facts().input, training_->threads);
  } catch (const Error& found) {
    error = std::string("has an error: ") + found.what();
  }
  compare("fit", setup, error);
  std::vector<DataView> views{data, options.validation};
  History history;
  if (is_rank_0()) {
    leader_.views = std::move(views);
    leader_.forget_weights();
    finish([&] {
      history = fit_loop(*training_, data, std::move(options));
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
  Message result = follow(std::move(views), options.augmentation.get());
  history.epochs = result.take_array<EpochLogs>();
  history.interrupted = result.take<bool>();
  history.diverged = result.take<bool>();
  history.stopped_because = result.take_text();
  return history;
}

DIGITNET_INLINE Evaluation Ranks::evaluate(const DataView& data) {
  std::string error;
  try {
    training_->check(data, "evaluate");
  } catch (const Error& found) {
    error = std::string("has an error: ") + found.what();
  }
  compare("evaluate", {{"data", data_text(data)}}, error);
  Evaluation evaluation;
  if (is_rank_0()) {
    leader_.views = {data};
    finish([&] {
      const blas::SingleThread single;
      evaluation = training_->evaluate(data);
      Message result;
      result.put(evaluation);
      return result;
    });
    return evaluation;
  }
  return follow({data}, nullptr).take<Evaluation>();
}

}  // namespace digitnet::detail
#endif
