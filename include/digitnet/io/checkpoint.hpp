// Checkpoints: everything that a training needs to go on as if it had never stopped, as safetensors.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/io/safetensors.hpp"
#include "digitnet/train/training_state.hpp"

namespace digitnet {

/// Writes parameters and state, whole or not at all; a file that is there before is replaced only then.
[[gnu::cold]] inline void write_checkpoint(const std::string& path, const ModelDescription& model,
                                           std::span<const float> parameters, const TrainingState& state) {
  Safetensors file;
  char rate[40];
  std::snprintf(rate, sizeof rate, "%a", double{state.learning_rate});
  file.metadata = {{"format", "digitnet.checkpoint"},
                   {"epoch", std::to_string(state.epoch)},
                   {"step", std::to_string(state.step)},
                   {"seed", std::to_string(state.seed)},
                   {"learning_rate", rate},
                   {"optimizer", state.optimizer}};
  add_parameters(file, model, parameters);
  for (std::size_t slot = 0; slot * parameters.size() < state.slots.size(); ++slot)
    add_parameters(file, model, state.slots.span().subspan(slot * parameters.size(), parameters.size()),
                   "optimizer/" + std::to_string(slot) + "/");
  file.write(path);
}

/// Reads a checkpoint into `parameters` and returns the rest. Throws an Error that lists every difference
/// from the model, the optimizer's class and its number of slots; then nothing has changed.
[[gnu::cold]] inline TrainingState read_checkpoint(const std::string& path, const ModelDescription& model,
                                                   const std::string& optimizer, std::size_t slots,
                                                   std::span<float> parameters) {
  const Safetensors file = Safetensors::read(path);
  const auto word = [&](const char* key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::string() : found->second;
  };
  if (word("format") != "digitnet.checkpoint")
    fail(path + " holds no training to resume: it was not written by Trainer::save");
  std::vector<std::string> differences;
  if (word("optimizer") != optimizer)
    differences.push_back("the optimizer is " + optimizer + ", in the file " + word("optimizer"));
  const auto number = [&](const char* key) {
    const std::string text = word(key);
    char* end = nullptr;
    const auto value = std::strtoull(text.c_str(), &end, 10);
    if (text.empty() || *end != '\0')
      differences.push_back(std::string("the file's ") + key + " is no number: \"" + text + "\"");
    return std::uint64_t{value};
  };
  TrainingState state{.epoch = number("epoch"),
                      .step = number("step"),
                      .seed = number("seed"),
                      .learning_rate = std::strtof(word("learning_rate").c_str(), nullptr),
                      .optimizer = optimizer,
                      .slots = {}};
  auto matches = match_parameters(file, model, "", differences);
  std::vector<decltype(matches)> slot_matches;
  const bool stepped = state.step > 0;
  for (std::size_t slot = 0; slot < slots && stepped; ++slot)
    slot_matches.push_back(
        match_parameters(file, model, "optimizer/" + std::to_string(slot) + "/", differences));
  if (differences.empty() && file.tensors().size() != matches.size() * (1 + slot_matches.size()))
    differences.push_back("the file has " + std::to_string(file.tensors().size()) +
                          " arrays, the model and its optimizer " +
                          std::to_string(matches.size() * (1 + slot_matches.size())));
  detail::fail_of_differences(path, differences);
  for (const auto& [weight, values] : matches)
    std::copy(values.begin(), values.end(), parameters.data() + weight.offset);
  state.slots = Arena<float>(slot_matches.size() * parameters.size());
  for (std::size_t slot = 0; slot < slot_matches.size(); ++slot)
    for (const auto& [weight, values] : slot_matches[slot])
      std::copy(values.begin(), values.end(), state.slots.data() + slot * parameters.size() + weight.offset);
  return state;
}

}  // namespace digitnet
