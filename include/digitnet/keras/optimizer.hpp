// What Keras calls a compiled model: loss, metrics, optimizer and the optimizer's variables.
#pragma once
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/keras/config.hpp"
#include "digitnet/keras/loss.hpp"
#include "digitnet/layers/layer.hpp"
#include "digitnet/train/optimizers.hpp"
#include "digitnet/train/training_setup.hpp"
#include "digitnet/train/training_state.hpp"

namespace digitnet::keras {

/// An array that an optimizer has beside each trained parameter.
struct OptimizerSlot {
  /// Keras' name
  std::string name;
  /// Its number in a TrainingState
  std::size_t number = 0;
};

/// One of an optimizer's variables. Without a weight it is the scalar `value`.
struct OptimizerVariable {
  std::string name;
  const WeightDescription* weight = nullptr;
  std::size_t slot = 0;
  float value = 0;
};

/// A layer as an optimizer sees it: its name in the file, and its weights.
struct OptimizedLayer {
  std::string name;
  const LayerDescription* layer = nullptr;
};

/// How Keras stores an optimizer, whose settings() are its configuration. For one's own,
/// `file_entries(optimizer)` returns it.
struct OptimizerEntry {
  /// "package>Class", of a user's own.
  std::string registered_name{};
  /// Keras' variables: for each list, all parameters one after the other, each with these slots.
  std::vector<std::vector<OptimizerSlot>> slots{};
  /// What the slots hold before the first step.
  float initial = 0;
  /// Variables behind the slots, and the optimizer's numbers() after so many steps, from a file's.
  std::vector<std::pair<std::string, float>> scalars{};
  std::function<std::vector<double>(std::uint64_t, const std::vector<float>&)> numbers{};
  /// A setting that Keras does not have, and whether weight_decay is written even if it is 0.
  std::string only_here{};
  bool decays = false;
};

/// Loss and optimizer of a training, in Keras' words.
struct Compiled {
  LossEntry loss;
  /// The optimizer's configuration.
  Json optimizer;
  OptimizerEntry entry;
  TrainingState state;

  bool is_own() const { return !entry.registered_name.empty(); }
  /// The class, as Keras 2 names it.
  const std::string& class_name() const { return is_own() ? entry.registered_name : state.optimizer; }
  std::string prefix() const { return snake_case(state.optimizer); }
  float learning_rate() const { return optimizer.at("learning_rate").get<float>(); }
  Json training_config() const {
    return {{"loss", loss.json(Generation::keras2_and_3)},
            {"metrics", loss.metrics()},
            {"weighted_metrics", nullptr},
            {"loss_weights", nullptr},
            {"optimizer_config", {{"class_name", class_name()}, {"config", optimizer}}}};
  }
  Json compile_config() const {
    return {{"optimizer",
             {{"module", is_own() ? Json(nullptr) : Json("keras.optimizers")},
              {"class_name", state.optimizer},
              {"config", optimizer},
              {"registered_name", is_own() ? Json(entry.registered_name) : Json(nullptr)}}},
            {"loss", loss.json(Generation::keras3)},
            {"loss_weights", nullptr},
            {"metrics", loss.metrics()},
            {"weighted_metrics", nullptr},
            {"run_eagerly", false},
            {"steps_per_execution", 1},
            {"jit_compile", false}};
  }
  /// Keras' order of variables, behind the count of iterations.
  std::vector<OptimizerVariable> variables(const std::vector<OptimizedLayer>& layers) const {
    std::vector<OptimizerVariable> result{{.name = "learning_rate", .value = learning_rate()}};
    for (const std::vector<OptimizerSlot>& list : entry.slots)
      for (const OptimizedLayer& layer : layers)
        for (const WeightDescription& weight : layer.layer->weights)
          for (const OptimizerSlot& slot : list)
            if (weight.trainable)
              result.push_back({.name = layer.name + "_" + weight.name + "_" + slot.name,
                                .weight = &weight,
                                .slot = slot.number});
    for (const auto& [name, value] : entry.scalars) result.push_back({.name = name, .value = value});
    return result;
  }
  /// Its numbers, out of slots that are laid out as an arena of so many parameters.
  std::vector<float> values(const OptimizerVariable& variable, std::size_t arena) const {
    if (!variable.weight) return {variable.value};
    const std::size_t size = variable.weight->size();
    if (state.slots.size() == 0) return std::vector<float>(size, entry.initial);
    const auto from = state.slots.span().subspan(variable.slot * arena + variable.weight->offset, size);
    return {from.begin(), from.end()};
  }
};

namespace detail {

// Of exactly these types: one that is derived from them is another optimizer. `steps` are done.
inline OptimizerEntry optimizer_entry(std::type_identity<SGD>, const SGD& o, std::uint64_t) {
  OptimizerEntry entry;
  if (o.momentum != 0) entry.slots = {{{"momentum", 0}}};
  return entry;
}
inline OptimizerEntry optimizer_entry(std::type_identity<RMSprop>, const RMSprop& o, std::uint64_t) {
  OptimizerEntry entry{.slots = {{{"velocity", 0}}}};
  if (o.momentum != 0) entry.slots.push_back({{"momentum", o.centered ? std::size_t{2} : std::size_t{1}}});
  if (o.centered) entry.slots.push_back({{"average_gradient", 1}});
  return entry;
}
inline OptimizerEntry optimizer_entry(std::type_identity<Adagrad>, const Adagrad& o, std::uint64_t) {
  return {.slots = {{{"accumulator", 0}}}, .initial = o.initial_accumulator_value};
}
inline OptimizerEntry adam_entry(bool amsgrad) {
  OptimizerEntry entry{.slots = {{{"momentum", 0}, {"velocity", 1}}}};
  if (amsgrad) entry.slots.push_back({{"velocity_hat", 2}});
  return entry;
}
inline OptimizerEntry optimizer_entry(std::type_identity<Adam>, const Adam& o, std::uint64_t) {
  return adam_entry(o.amsgrad);
}
inline OptimizerEntry optimizer_entry(std::type_identity<AdamW>, const AdamW& o, std::uint64_t) {
  OptimizerEntry entry = adam_entry(o.amsgrad);
  // Keras' default is another one.
  entry.decays = true;
  return entry;
}
inline OptimizerEntry optimizer_entry(std::type_identity<Nadam>, const Nadam& o, std::uint64_t steps) {
  if (o.momentum_decay != 1)
    fail("Keras' Nadam has no momentum_decay other than 1, but this one's is " +
         Attribute{"", double{o.momentum_decay}}.value_text() +
         ": write the model alone, with save_keras(trainer.model(), path)");
  OptimizerEntry entry = adam_entry(false);
  entry.only_here = "momentum_decay";
  entry.scalars = {{"variable", static_cast<float>(o.momentum_product(static_cast<double>(steps)))}};
  // What the file says, unless it follows from the steps.
  entry.numbers = [o](std::uint64_t step, const std::vector<float>& scalars) -> std::vector<double> {
    const double usual = Nadam{.beta_1 = o.beta_1}.momentum_product(static_cast<double>(step));
    if (scalars.size() != 1 || std::abs(double{scalars[0]} - usual) <= 1e-4 * usual + 1e-12) return {0, 1};
    return {static_cast<double>(step), double{scalars[0]}};
  };
  return entry;
}
inline OptimizerEntry optimizer_entry(std::type_identity<Lion>, const Lion&, std::uint64_t) {
  return {.slots = {{{"momentum", 0}}}};
}
template <class Own>
OptimizerEntry optimizer_entry(std::type_identity<Own>, const Own& own, std::uint64_t) {
  const auto entry = own_entry<OptimizerEntry>(own);
  if (!entry) fail_of_own("optimizer", std::string(Own::class_name), "OptimizerEntry");
  return *entry;
}
// Those of the treatment, which every optimizer has, are written where they do something.
inline bool is_of_treatment(std::string_view name) {
  for (const OptimizerSetting& one : digitnet::detail::with_treatment(GradientTreatment{}, {}))
    if (one.name == name) return true;
  return false;
}
inline void describe_settings(const std::vector<OptimizerSetting>& settings, Compiled& c) {
  for (const auto& [name, value, range] : settings)
    if (name != c.entry.only_here && !is_of_treatment(name))
      c.optimizer[name] = range == OptimizerSetting::yes_or_no ? Json(value != 0) : Json(short_number(value));
}
inline void describe_treatment(const GradientTreatment& treatment, Compiled& c) {
  if (treatment.weight_decay != 0 || c.entry.decays)
    c.optimizer["weight_decay"] = short_number(treatment.weight_decay);
  int bounds = 0;
  for (const auto& [key, value] : {std::pair{"clipnorm", treatment.clipnorm},
                                   {"global_clipnorm", treatment.global_clipnorm},
                                   {"clipvalue", treatment.clipvalue}}) {
    if (value == 0) continue;
    c.optimizer[key] = short_number(value);
    if (++bounds > 1)
      fail(
          "Keras' optimizers take one of clipnorm, global_clipnorm and clipvalue, but this one has more: "
          "write the model alone, with save_keras(trainer.model(), path)");
  }
}

}  // namespace detail

/// A trainer's loss and optimizer, with the present learning rate if it follows a schedule. Throws an Error
/// for settings that Keras does not have.
template <class Trainer>
Compiled compiled(const Trainer& trainer) {
  const auto& optimizer = trainer.optimizer();
  Compiled result{
      .loss = detail::loss_entry(trainer.loss()),
      .optimizer = {{"name", std::string(optimizer.class_name)},
                    {"learning_rate", detail::short_number(optimizer.learning_rate(trainer.steps()))}},
      .entry = detail::optimizer_entry(std::type_identity<typename Trainer::OptimizerType>{}, optimizer,
                                       trainer.steps()),
      .state = trainer.state()};
  detail::describe_settings(digitnet::detail::settings_of(optimizer), result);
  detail::describe_treatment(optimizer.treatment(), result);
  return result;
}

}  // namespace digitnet::keras
