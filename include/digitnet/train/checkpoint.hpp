// Checkpoints: a file with everything that a training needs to go on as if it had never stopped. The format
// is safetensors.
#pragma once
#include <cstddef>
#include <span>
#include <string>

#include "digitnet/core/compiled.hpp"
#include "digitnet/inspect/description.hpp"
#include "digitnet/train/training_state.hpp"

namespace digitnet {

/// Writes parameters and state, whole or not at all; a file that is there before is replaced only then.
DIGITNET_INLINE void write_checkpoint(const std::string& path, const ModelDescription& model,
                                      std::span<const float> parameters, const TrainingState& state);

/// Reads a checkpoint. Throws an Error that lists every difference from the model (whose arena has
/// `arena_size` numbers), the optimizer's class and its number of slots, and, if `setup` is not empty, from
/// the training that it describes.
DIGITNET_INLINE TrainingState read_checkpoint(const std::string& path, const ModelDescription& model,
                                              const std::string& optimizer, std::size_t slots,
                                              std::size_t arena_size, const TrainingSetup& setup = {});

}  // namespace digitnet

#if DIGITNET_BODIES
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/io/safetensors.hpp"

namespace digitnet {

namespace detail {

// Where the parts of a state lie among a checkpoint's words and arrays.
inline const std::string callbacks_prefix = "callbacks/", setup_prefix = "setup/";

inline std::string slot_prefix(std::size_t slot) { return "optimizer/" + std::to_string(slot) + "/"; }
inline const std::string trained_prefix = "trained/";
inline std::string number_key(std::size_t number) { return "optimizer/number_" + std::to_string(number); }

// Reads a checkpoint's numbers; what is none is a difference.
class CheckpointWords {
 public:
  CheckpointWords(const std::map<std::string, std::string>& words, std::vector<std::string>& differences)
      : words_(words), differences_(differences) {}

  const std::string& text(const std::string& key) const {
    static const std::string none;
    const auto found = words_.find(key);
    return found == words_.end() ? none : found->second;
  }
  template <class Number>
  Number number(const std::string& key) const {
    const auto value = parse_number<Number>(text(key));
    if (!value) differences_.push_back("the file's " + key + " is no such number: \"" + text(key) + "\"");
    return value.value_or(Number{});
  }

 private:
  const std::map<std::string, std::string>& words_;
  std::vector<std::string>& differences_;
};

inline void write_unfinished(std::map<std::string, std::string>& words, const UnfinishedEpoch& epoch) {
  words["unfinished/steps"] = to_text(epoch.steps);
  words["unfinished/step_samples"] = to_text(epoch.step_samples);
  words["unfinished/epoch_samples"] = to_text(epoch.epoch_samples);
  words["unfinished/loss"] = to_text(epoch.loss);
  words["unfinished/penalties"] = to_text(epoch.penalties);
  words["unfinished/correct"] = to_text(epoch.correct);
  words["unfinished/answers"] = to_text(epoch.answers);
  words["unfinished/samples"] = to_text(epoch.samples);
}
inline std::optional<UnfinishedEpoch> read_unfinished(const CheckpointWords& words) {
  if (words.text("unfinished/steps").empty()) return std::nullopt;
  return UnfinishedEpoch{.steps = words.number<std::uint64_t>("unfinished/steps"),
                         .step_samples = words.number<std::uint64_t>("unfinished/step_samples"),
                         .epoch_samples = words.number<std::uint64_t>("unfinished/epoch_samples"),
                         .loss = words.number<double>("unfinished/loss"),
                         .penalties = words.number<double>("unfinished/penalties"),
                         .correct = words.number<std::uint64_t>("unfinished/correct"),
                         .answers = words.number<std::uint64_t>("unfinished/answers"),
                         .samples = words.number<std::uint64_t>("unfinished/samples")};
}

// Callbacks' words and arrays are named "callbacks/EarlyStopping/best".
inline std::pair<std::string, std::string> callback_and_key(const std::string& name) {
  const std::size_t begin = callbacks_prefix.size(), end = name.find('/', begin);
  if (end == std::string::npos) return {name.substr(begin), ""};
  return {name.substr(begin, end - begin), name.substr(end + 1)};
}
inline CallbackState& state_of(const std::string& callback, std::vector<NamedCallbackState>& states) {
  for (NamedCallbackState& known : states)
    if (known.name == callback) return known.state;
  return states.emplace_back(NamedCallbackState{callback, {}}).state;
}
inline std::vector<NamedCallbackState> read_callbacks(const Safetensors& file) {
  std::vector<NamedCallbackState> states;
  for (const auto& [name, word] : file.metadata)
    if (name.starts_with(callbacks_prefix)) {
      const auto [callback, key] = callback_and_key(name);
      state_of(callback, states).set(key, word);
    }
  for (const NamedTensor& tensor : file.tensors())
    if (tensor.name.starts_with(callbacks_prefix)) {
      const auto [callback, key] = callback_and_key(tensor.name);
      state_of(callback, states).set(key, tensor.values);
    }
  return states;
}

/// Every name under which two setups do not agree, with both sides.
inline void compare_setups(const TrainingSetup& ours, const TrainingSetup& in_file,
                           std::vector<std::string>& differences) {
  TrainingSetup all = ours;
  for (const auto& [name, word] : in_file) all[name] = word;
  const auto word = [](const TrainingSetup& setup, const std::string& name) {
    const auto found = setup.find(name);
    return found == setup.end() ? std::string("none") : found->second;
  };
  for (const auto& [name, any] : all)
    if (word(ours, name) != word(in_file, name))
      differences.push_back(name + " is " + word(ours, name) + " in this training, " + word(in_file, name) +
                            " in the file's");
}

}  // namespace detail

DIGITNET_INLINE void write_checkpoint(const std::string& path, const ModelDescription& model,
                                      std::span<const float> parameters, const TrainingState& state) {
  Safetensors file;
  file.metadata = {{"format", "digitnet.checkpoint"},
                   {"epoch", to_text(state.epoch)},
                   {"step", to_text(state.step)},
                   {"seed", to_text(state.seed)},
                   {"learning_rate", to_text(state.learning_rate)},
                   {"optimizer", state.optimizer},
                   {"fit_epochs", to_text(state.fit_epochs)},
                   {"stopped", state.stopped}};
  for (std::size_t i = 0; i < state.optimizer_numbers.size(); ++i)
    file.metadata[detail::number_key(i)] = to_text(state.optimizer_numbers[i]);
  if (state.unfinished) detail::write_unfinished(file.metadata, *state.unfinished);
  for (const auto& [name, word] : state.setup) file.metadata[detail::setup_prefix + name] = word;
  add_parameters(file, model, parameters);
  for (std::size_t slot = 0; slot * parameters.size() < state.slots.size(); ++slot)
    add_parameters(file, model, state.slots.span().subspan(slot * parameters.size(), parameters.size()),
                   detail::slot_prefix(slot));
  if (state.trained_parameters.size() == parameters.size() && !parameters.empty())
    add_parameters(file, model, state.trained_parameters.span(), detail::trained_prefix);
  for (const auto& [callback, of_callback] : state.callbacks) {
    const std::string prefix = detail::callbacks_prefix + callback + "/";
    for (const auto& [name, word] : of_callback.texts()) file.metadata[prefix + name] = word;
    for (const auto& [name, values] : of_callback.arrays())
      file.add({prefix + name, {values.size()}, values});
  }
  file.write(path);
}

DIGITNET_INLINE TrainingState read_checkpoint(const std::string& path, const ModelDescription& model,
                                              const std::string& optimizer, std::size_t slots,
                                              std::size_t arena_size, const TrainingSetup& setup) {
  const Safetensors file = Safetensors::read(path);
  std::vector<std::string> differences;
  const detail::CheckpointWords words(file.metadata, differences);
  if (words.text("format") != "digitnet.checkpoint")
    fail(path + " holds no training to resume: it was not written by Trainer::save");
  if (!file.has_checksum())
    fail(path +
         " has no checksum: it is damaged, or of an older digitnet, whose trainings cannot go on here");
  if (words.text("optimizer") != optimizer)
    differences.push_back("the optimizer is " + optimizer + ", in the file " + words.text("optimizer"));
  TrainingState state;
  state.epoch = words.number<std::uint64_t>("epoch");
  state.step = words.number<std::uint64_t>("step");
  state.seed = words.number<std::uint64_t>("seed");
  state.learning_rate = words.number<float>("learning_rate");
  if (!(state.learning_rate >= 0 && std::isfinite(state.learning_rate)))
    differences.push_back("the file's learning_rate is " + words.text("learning_rate") +
                          ", but must be a number of at least 0");
  state.fit_epochs = words.number<std::uint64_t>("fit_epochs");
  // Either would overflow soon.
  if (std::max({state.epoch, state.step, state.fit_epochs}) > std::uint64_t{1} << 62)
    differences.push_back("the file's counts of epochs and steps are absurd");
  state.optimizer = optimizer;
  state.stopped = words.text("stopped");
  for (std::size_t i = 0; file.metadata.contains(detail::number_key(i)); ++i) {
    state.optimizer_numbers.push_back(words.number<double>(detail::number_key(i)));
    if (!(state.optimizer_numbers.back() >= 0 && state.optimizer_numbers.back() <= 1e18))
      differences.push_back("the file's " + detail::number_key(i) + " is " +
                            words.text(detail::number_key(i)) + ", but must be a number from 0 to 1e18");
  }
  state.unfinished = detail::read_unfinished(words);
  for (const auto& [name, word] : file.metadata)
    if (name.starts_with(detail::setup_prefix)) state.setup[name.substr(detail::setup_prefix.size())] = word;
  if (!setup.empty()) detail::compare_setups(setup, state.setup, differences);

  // Every array has one place to go to.
  struct Copy {
    std::vector<std::pair<WeightDescription, std::span<const float>>> matches;
    float* to;
  };
  std::vector<Copy> copies;
  const auto take = [&](const std::string& prefix, float* to) {
    copies.push_back({match_parameters(file, model, prefix, differences), to});
  };
  const bool has_trained =
      std::any_of(file.tensors().begin(), file.tensors().end(),
                  [](const NamedTensor& tensor) { return tensor.name.starts_with(detail::trained_prefix); });
  state.parameters = Arena<float>(arena_size);
  if (state.step > 0) state.slots = Arena<float>(slots * arena_size);
  if (has_trained) state.trained_parameters = Arena<float>(arena_size);
  take("", state.parameters.data());
  for (std::size_t slot = 0; slot * arena_size < state.slots.size(); ++slot)
    take(detail::slot_prefix(slot), state.slots.data() + slot * arena_size);
  if (has_trained) take(detail::trained_prefix, state.trained_parameters.data());
  std::size_t wanted = 0;
  for (const Copy& copy : copies) wanted += copy.matches.size();
  for (const NamedTensor& tensor : file.tensors())
    wanted += tensor.name.starts_with(detail::callbacks_prefix);
  if (differences.empty() && file.tensors().size() != wanted)
    differences.push_back("the file has " + std::to_string(file.tensors().size()) +
                          " arrays, the model and its optimizer " + std::to_string(wanted));
  detail::fail_of_differences(path, differences);
  for (const Copy& copy : copies)
    for (const auto& [weight, values] : copy.matches)
      std::copy(values.begin(), values.end(), copy.to + weight.offset);
  state.callbacks = detail::read_callbacks(file);
  return state;
}

}  // namespace digitnet
#endif
