// What the ranks of a training must have alike, and the error of all where they differ.
#pragma once
#include <string>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/train/communicator.hpp"
#include "digitnet/train/training.hpp"
#include "digitnet/train/training_state.hpp"

namespace digitnet {

/// An error that all ranks of a training throw, for rank 0 has met it or found that they differ.
class SharedError : public Error {
 public:
  using Error::Error;
};

namespace detail {

/// Throws a SharedError that names the rank and the difference unless all ranks make the same call with the
/// same setup, and none has an error of its own.
DIGITNET_INLINE void agree(Communicator& communicator, const std::string& name, const TrainingSetup& setup,
                           const std::string& error = {});

/// Of a call of fit, beside the order of their calls.
DIGITNET_INLINE TrainingSetup setup_of_ranks(Training& training, TrainableModel& own, const std::string& data,
                                             const FitOptions& options);

}  // namespace detail

}  // namespace digitnet

#if DIGITNET_BODIES
#include <cstring>
#include <vector>

#include "digitnet/train/message.hpp"
#include "digitnet/train/training_setup.hpp"
#include "digitnet/version.hpp"

namespace digitnet::detail {

DIGITNET_INLINE void agree(Communicator& communicator, const std::string& name, const TrainingSetup& setup,
                           const std::string& error) {
  Message message;
  message.put_text(name);
  for (const auto& [what, word] : setup) {
    message.put_text(what);
    message.put_text(word);
  }
  message.put_text("");
  if (communicator.rank() == 0) {
    Message sent = message;
    sent.broadcast(communicator);
    message = std::move(sent);
  } else {
    message = {};
    message.broadcast(communicator);
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
  std::vector<char> verdicts(communicator.size() * length);
  std::strncpy(verdicts.data() + communicator.rank() * length, verdict.c_str(), length - 1);
  std::vector<std::size_t> begins;
  for (std::size_t rank = 0; rank <= communicator.size(); ++rank) begins.push_back(rank * length);
  communicator.all_gather(reinterpret_cast<std::byte*>(verdicts.data()), begins);
  for (std::size_t rank = 0; rank < communicator.size(); ++rank) {
    const std::string said = verdicts.data() + rank * length;
    if (said.empty()) continue;
    const std::string sentence = "Rank " + std::to_string(rank) + " " + said;
    throw SharedError(sentence);
  }
}

DIGITNET_INLINE TrainingSetup setup_of_ranks(Training& training, TrainableModel& own, const std::string& data,
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

}  // namespace digitnet::detail
#endif
