// The options of `fit`, and the checks that refuse wrong ones before the first step.
#pragma once
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/core/random.hpp"
#include "digitnet/core/sample_transform.hpp"
#include "digitnet/core/samples.hpp"
#include "digitnet/core/thread_team.hpp"
#include "digitnet/train/callback.hpp"
#include "digitnet/train/communicator.hpp"
#include "digitnet/train/progress.hpp"

namespace digitnet {

/// Settings that stay for the life of a Trainer.
struct TrainerOptions {
  std::size_t threads = hardware_threads();
  /// The seed of shuffling, dropout and all other randomness of the training.
  Seed seed{};
  /// The parts that a batch is cut into, each with gradients of its own: 1 to 64, or 0 for as many as suit
  /// the model, 2 to 8. More threads or ranks than shards have nothing to do; the bits follow from the
  /// shards.
  std::size_t shards = 0;
  /// The processes that train together, such as mpi::Communicator{}; none: this one trains alone.
  CommunicatorHandle communicator{};
};

/// Settings of one `fit`.
struct FitOptions {
  std::size_t epochs = 1;
  /// A size above the number of samples makes one batch of all.
  std::size_t batch_size = 32;
  /// Epochs that are done already, as in Keras: `epochs` counts them too.
  std::size_t initial_epoch = 0;
  /// Data to validate on after each epoch, such as `&test`; or empty.
  DataView validation{};
  /// This last part of the data is held out for validation instead of trained on.
  double validation_split = 0;
  /// Whether each epoch has a fresh order of the samples.
  bool shuffle = true;
  /// What varies in the training images, such as `Augmentation{.rotation = 10}`.
  SampleTransformHandle augmentation{};
  /// A step is taken for so many batches together, as Keras' gradient_accumulation_steps.
  std::size_t gradient_accumulation = 1;
  /// One for each class, or empty.
  std::vector<float> class_weights{};
  /// One for each sample, or empty.
  std::vector<float> sample_weights{};
  std::vector<CallbackHandle> callbacks{};
  Verbose verbose = Verbose::automatic;
  /// Ctrl-C ends the training after the current step and keeps what was learnt.
  bool handle_interrupt = true;
};

namespace detail {

inline void check_weights(const std::vector<float>& weights, std::size_t wanted, const std::string& what) {
  if (!weights.empty() && weights.size() != wanted)
    fail("There are " + std::to_string(weights.size()) + " " + what + " weights, but " +
         std::to_string(wanted) + " are needed, one for each " + what);
  for (const float weight : weights)
    if (!(weight >= 0 && std::isfinite(weight))) fail("A " + what + " weight is negative or not finite");
}

inline void check_class_weights(const FitOptions& options, bool classifies) {
  if (!options.class_weights.empty() && !classifies)
    fail("Class weights need classes, but the targets are values: use sample weights");
}

/// Throws an Error for options that make no sense with this data; `classifies`: targets or loss have
/// classes.
inline void check_options(const FitOptions& options, const DataView& data, std::size_t outputs,
                          bool classifies) {
  // Counts beyond this are negative numbers that were made unsigned; products of them overflow.
  constexpr std::size_t most = std::size_t{1} << 31;
  const auto check_count = [](std::size_t count, const std::string& name) {
    if (count > most)
      fail(name + " is " + std::to_string(count) + ", but may be " + std::to_string(most) +
           " at most: was a negative number meant?");
  };
  if (options.epochs == 0) fail("fit needs at least 1 epoch, but 0 were asked for");
  if (options.batch_size == 0) fail("The batch size must be at least 1, but is 0");
  if (options.gradient_accumulation == 0)
    fail("gradient_accumulation must be at least 1 batch for each step, but is 0");
  check_count(options.epochs, "The number of epochs");
  check_count(options.initial_epoch, "The initial epoch");
  check_count(options.batch_size, "The batch size");
  check_count(options.gradient_accumulation, "gradient_accumulation");
  if (!(options.validation_split >= 0 && options.validation_split < 1))
    fail("The validation split must be at least 0 and below 1, but is " + to_text(options.validation_split));
  if (options.validation_split > 0 && options.validation.count() > 0)
    fail("Both a validation set and a validation split were given: choose one");
  check_weights(options.class_weights, outputs == 1 ? 2 : outputs, "class");
  check_weights(options.sample_weights, data.count(), "sample");
  check_class_weights(options, classifies);
}

/// How many of the last samples are held out.
inline std::size_t held_out(const FitOptions& options, std::size_t samples) {
  const auto count = static_cast<std::size_t>(static_cast<double>(samples) * options.validation_split);
  if (options.validation_split > 0 && count == 0)
    fail("The validation split of " + to_text(options.validation_split) + " leaves no sample of " +
         std::to_string(samples) + " to validate on");
  return count;
}

}  // namespace detail

}  // namespace digitnet
