// What Keras calls a compiled model: loss, metrics, optimizer and the optimizer's variables.
#pragma once
#include <algorithm>
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
  std::string name;        ///< Keras' name
  std::size_t number = 0;  ///< which one it is in a TrainingState
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

/// How Keras stores an optimizer of a user's own, whose `file_entries(optimizer)` returns it. Its settings()
/// are the configuration's.
struct OptimizerEntry {
  std::string registered_name;                    ///< "package>Class"
  std::vector<std::vector<OptimizerSlot>> slots;  ///< as Compiled has them
  float initial = 0;
};

/// Loss and optimizer of a training, in Keras' words.
struct Compiled {
  LossEntry loss;
  Json optimizer;  ///< configuration
  /// Keras' variables: for each list, all parameters one after the other, each with these slots.
  std::vector<std::vector<OptimizerSlot>> slots;
  float initial = 0;  ///< what the slots hold before the first step
  /// Variables behind the slots.
  std::vector<std::pair<std::string, float>> scalars;
  /// The optimizer's numbers() after so many steps, from a file's scalars.
  std::function<std::vector<double>(std::uint64_t, const std::vector<float>&)> numbers{};
  TrainingState state;
  std::string registered_name{};  ///< of a user's own optimizer

  /// Whether a file's optimizer is of that class.
  bool is(const std::string& class_name) const {
    return class_name == (registered_name.empty() ? state.optimizer : registered_name);
  }
  std::string prefix() const { return snake_case(state.optimizer); }
  float learning_rate() const { return optimizer.at("learning_rate").get<float>(); }
  Json training_config() const {
    return {{"loss", loss.json(Generation::keras2_and_3)},
            {"metrics", loss.metrics()},
            {"weighted_metrics", nullptr},
            {"loss_weights", nullptr},
            {"optimizer_config",
             {{"class_name", registered_name.empty() ? state.optimizer : registered_name},
              {"config", optimizer}}}};
  }
  Json compile_config() const {
    return {{"optimizer",
             {{"module", registered_name.empty() ? Json("keras.optimizers") : Json(nullptr)},
              {"class_name", state.optimizer},
              {"config", optimizer},
              {"registered_name", registered_name.empty() ? Json(nullptr) : Json(registered_name)}}},
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
    for (const std::vector<OptimizerSlot>& list : slots)
      for (const OptimizedLayer& layer : layers)
        for (const WeightDescription& weight : layer.layer->weights)
          for (const OptimizerSlot& slot : list)
            if (weight.trainable)
              result.push_back({.name = layer.name + "_" + weight.name + "_" + slot.name,
                                .weight = &weight,
                                .slot = slot.number});
    for (const auto& [name, value] : scalars) result.push_back({.name = name, .value = value});
    return result;
  }
  /// Its numbers, out of slots that are laid out as an arena of so many parameters.
  std::vector<float> values(const OptimizerVariable& variable, std::size_t arena) const {
    if (!variable.weight) return {variable.value};
    const std::size_t size = variable.weight->size();
    if (state.slots.size() == 0) return std::vector<float>(size, initial);
    const auto from = state.slots.span().subspan(variable.slot * arena + variable.weight->offset, size);
    return {from.begin(), from.end()};
  }
};

namespace detail {

// Of exactly these types: one that is derived from them is another optimizer.
inline void describe_optimizer(std::type_identity<SGD>, const SGD& o, Compiled& c) {
  c.optimizer["momentum"] = short_number(o.momentum);
  c.optimizer["nesterov"] = o.nesterov;
  if (o.momentum != 0) c.slots = {{{"momentum", 0}}};
}
inline void describe_optimizer(std::type_identity<RMSprop>, const RMSprop& o, Compiled& c) {
  c.optimizer["rho"] = short_number(o.rho);
  c.optimizer["momentum"] = short_number(o.momentum);
  c.optimizer["epsilon"] = short_number(o.epsilon);
  c.optimizer["centered"] = o.centered;
  c.slots = {{{"velocity", 0}}};
  if (o.momentum != 0) c.slots.push_back({{"momentum", o.centered ? std::size_t{2} : std::size_t{1}}});
  if (o.centered) c.slots.push_back({{"average_gradient", 1}});
}
inline void describe_optimizer(std::type_identity<Adagrad>, const Adagrad& o, Compiled& c) {
  c.optimizer["initial_accumulator_value"] = short_number(o.initial_accumulator_value);
  c.optimizer["epsilon"] = short_number(o.epsilon);
  c.slots = {{{"accumulator", 0}}};
  c.initial = o.initial_accumulator_value;
}
inline void describe_adam(float beta_1, float beta_2, float epsilon, bool amsgrad, Compiled& c) {
  c.optimizer["beta_1"] = short_number(beta_1);
  c.optimizer["beta_2"] = short_number(beta_2);
  c.optimizer["epsilon"] = short_number(epsilon);
  c.slots = {{{"momentum", 0}, {"velocity", 1}}};
  if (amsgrad) c.slots.push_back({{"velocity_hat", 2}});
}
inline void describe_optimizer(std::type_identity<Adam>, const Adam& o, Compiled& c) {
  describe_adam(o.beta_1, o.beta_2, o.epsilon, o.amsgrad, c);
  c.optimizer["amsgrad"] = o.amsgrad;
}
inline void describe_optimizer(std::type_identity<AdamW>, const AdamW& o, Compiled& c) {
  describe_adam(o.beta_1, o.beta_2, o.epsilon, o.amsgrad, c);
  c.optimizer["amsgrad"] = o.amsgrad;
  // Keras' default is another one.
  c.optimizer["weight_decay"] = short_number(o.weight_decay);
}
inline void describe_optimizer(std::type_identity<Nadam>, const Nadam& o, Compiled& c) {
  if (o.momentum_decay != 1)
    fail("Keras' Nadam has no momentum_decay other than 1, but this one's is " +
         Attribute{"", double{o.momentum_decay}}.value_text() +
         ": write the model alone, with save_keras(trainer.model(), path)");
  describe_adam(o.beta_1, o.beta_2, o.epsilon, false, c);
  c.scalars = {{"variable", static_cast<float>(o.momentum_product(static_cast<double>(c.state.step)))}};
  // What the file says, unless it follows from the steps.
  c.numbers = [o](std::uint64_t step, const std::vector<float>& scalars) -> std::vector<double> {
    const double usual = Nadam{.beta_1 = o.beta_1}.momentum_product(static_cast<double>(step));
    if (scalars.size() != 1 || std::abs(double{scalars[0]} - usual) <= 1e-4 * usual + 1e-12) return {0, 1};
    return {static_cast<double>(step), double{scalars[0]}};
  };
}
inline void describe_optimizer(std::type_identity<Lion>, const Lion& o, Compiled& c) {
  c.optimizer["beta_1"] = short_number(o.beta_1);
  c.optimizer["beta_2"] = short_number(o.beta_2);
  c.slots = {{{"momentum", 0}}};
}
template <class Own>
void describe_own_optimizer(const Own& o, Compiled& c) {
  const auto entry = own_entry<OptimizerEntry>(o);
  if (!entry) fail_of_own("optimizer", std::string(Own::class_name), "OptimizerEntry");
  c.registered_name = entry->registered_name;
  c.slots = entry->slots;
  c.initial = entry->initial;
  // The treatment's are written where they do something.
  const auto treatment = digitnet::detail::with_treatment(o.treatment(), {});
  for (const OptimizerSetting& setting : digitnet::detail::settings_of(o))
    if (std::none_of(treatment.begin(), treatment.end(),
                     [&](const OptimizerSetting& one) { return std::string_view(one.name) == setting.name; }))
      c.optimizer[setting.name] = setting.range == OptimizerSetting::yes_or_no
                                      ? Json(setting.value != 0)
                                      : Json(short_number(setting.value));
}
inline void describe_treatment(const GradientTreatment& treatment, Compiled& c) {
  if (treatment.weight_decay != 0) c.optimizer["weight_decay"] = short_number(treatment.weight_decay);
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
[[gnu::cold]] Compiled compiled(const Trainer& trainer) {
  const auto& optimizer = trainer.optimizer();
  Compiled result{
      .loss = detail::loss_entry(trainer.loss()),
      .optimizer = {{"name", std::string(optimizer.class_name)},
                    {"learning_rate", detail::short_number(optimizer.learning_rate(trainer.steps()))}},
      .slots = {},
      .scalars = {},
      .state = trainer.state()};
  constexpr std::type_identity<typename Trainer::OptimizerType> type{};
  if constexpr (requires { detail::describe_optimizer(type, optimizer, result); })
    detail::describe_optimizer(type, optimizer, result);
  else
    detail::describe_own_optimizer(optimizer, result);
  detail::describe_treatment(optimizer.treatment(), result);
  return result;
}

}  // namespace digitnet::keras
