// What Keras calls a compiled model: loss, metrics, optimizer and its weights.
#pragma once
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "digitnet/io/hdf5.hpp"
#include "digitnet/io/keras_config.hpp"
#include "digitnet/io/keras_write_config.hpp"
#include "digitnet/train/losses.hpp"
#include "digitnet/train/optimizers.hpp"
#include "digitnet/train/training_state.hpp"

namespace digitnet::keras {

/// Loss and optimizer of a training, in Keras' words.
struct Compiled {
  std::string loss;
  Json optimizer;                       ///< configuration
  std::vector<std::string> slot_names;  ///< Keras' names of the optimizer's slots, in Keras' order
  std::vector<std::size_t> slot_order;  ///< their numbers here
  TrainingState state;

  Json training_config() const {
    return {{"loss", loss},
            {"metrics", {"accuracy"}},
            {"weighted_metrics", nullptr},
            {"loss_weights", nullptr},
            {"optimizer_config", {{"class_name", state.optimizer}, {"config", optimizer}}}};
  }
  Json compile_config() const {
    return {{"optimizer",
             {{"module", "keras.optimizers"},
              {"class_name", state.optimizer},
              {"config", optimizer},
              {"registered_name", nullptr}}},
            {"loss", loss},
            {"loss_weights", nullptr},
            {"metrics", {"accuracy"}},
            {"weighted_metrics", nullptr},
            {"run_eagerly", false},
            {"steps_per_execution", 1},
            {"jit_compile", false}};
  }
  /// Keras 3's order: iteration, learning rate, then the slots of each variable.
  void put_weights(const hdf5::Group& root, const WrittenModel& model, std::size_t arena) const {
    if (state.step == 0 || slot_names.size() * arena != state.slots.size()) return;
    std::string prefix;
    for (const char c : state.optimizer)
      prefix += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const hdf5::Group group = root.make_group("optimizer_weights");
    std::vector<std::string> names{prefix + "/iteration", prefix + "/learning_rate"};
    group.put_number(names[0], static_cast<std::int64_t>(state.step));
    const float rate = optimizer.at("learning_rate").get<float>();
    group.put_floats(names[1], {}, {&rate, 1});
    for (const WrittenLayer& layer : model.layers)
      for (const WeightDescription& weight : layer.source->weights) {
        if (!weight.trainable) continue;
        for (std::size_t slot = 0; slot < slot_names.size(); ++slot) {
          names.push_back(prefix + "/" + layer.name + "_" + weight.name + "_" + slot_names[slot]);
          group.put_floats(
              names.back(), weight.shape,
              state.slots.span().subspan(slot_order[slot] * arena + weight.offset, weight.size()));
        }
      }
    group.put_words("weight_names", names);
  }
};

namespace detail {

inline const char* loss_name(const CategoricalCrossentropy&) { return "categorical_crossentropy"; }
inline const char* loss_name(const BinaryCrossentropy&) { return "binary_crossentropy"; }
inline const char* loss_name(const MeanSquaredError&) { return "mean_squared_error"; }
inline const char* loss_name(const MeanAbsoluteError&) { return "mean_absolute_error"; }
inline const char* loss_name(const Huber&) { return "huber"; }

inline void describe_optimizer(const SGD& o, Compiled& c) {
  c.optimizer["momentum"] = short_number(o.momentum);
  c.optimizer["nesterov"] = o.nesterov;
  if (o.momentum != 0) c.slot_names = {"momentum"};
}
inline void describe_optimizer(const RMSprop& o, Compiled& c) {
  c.optimizer["rho"] = short_number(o.rho);
  c.optimizer["momentum"] = short_number(o.momentum);
  c.optimizer["epsilon"] = short_number(o.epsilon);
  c.optimizer["centered"] = o.centered;
  c.slot_names = {"velocity"};
  c.slot_order = {0};
  if (o.momentum != 0) {
    c.slot_names.push_back("momentum");
    c.slot_order.push_back(o.centered ? 2 : 1);
  }
  if (o.centered) {
    c.slot_names.push_back("average_gradient");
    c.slot_order.push_back(1);
  }
}
inline void describe_optimizer(const Adagrad& o, Compiled& c) {
  c.optimizer["initial_accumulator_value"] = short_number(o.initial_accumulator_value);
  c.optimizer["epsilon"] = short_number(o.epsilon);
  c.slot_names = {"accumulator"};
}
template <class AdamLike>
void describe_adam(const AdamLike& o, Compiled& c) {
  c.optimizer["beta_1"] = short_number(o.beta_1);
  c.optimizer["beta_2"] = short_number(o.beta_2);
  c.optimizer["epsilon"] = short_number(o.epsilon);
  c.optimizer["amsgrad"] = o.amsgrad;
  c.slot_names = {"momentum", "velocity"};
  if (o.amsgrad) c.slot_names.push_back("velocity_hat");
}
inline void describe_optimizer(const Adam& o, Compiled& c) { describe_adam(o, c); }
inline void describe_optimizer(const AdamW& o, Compiled& c) { describe_adam(o, c); }
inline void describe_optimizer(const Nadam& o, Compiled& c) {
  c.optimizer["beta_1"] = short_number(o.beta_1);
  c.optimizer["beta_2"] = short_number(o.beta_2);
  c.optimizer["epsilon"] = short_number(o.epsilon);
}
inline void describe_optimizer(const Lion& o, Compiled& c) {
  c.optimizer["beta_1"] = short_number(o.beta_1);
  c.optimizer["beta_2"] = short_number(o.beta_2);
  c.slot_names = {"momentum"};
}

}  // namespace detail

/// A trainer's loss and optimizer, with the present learning rate if it follows a schedule.
template <class Trainer>
[[gnu::cold]] Compiled compiled(const Trainer& trainer) {
  const auto& optimizer = trainer.optimizer();
  Compiled result{
      .loss = detail::loss_name(trainer.loss()),
      .optimizer = {{"name", std::string(optimizer.class_name)},
                    {"learning_rate", detail::short_number(optimizer.learning_rate(trainer.steps()))}},
      .slot_names = {},
      .slot_order = {},
      .state = trainer.state()};
  detail::describe_optimizer(optimizer, result);
  if (result.slot_order.empty())
    for (std::size_t i = 0; i < result.slot_names.size(); ++i) result.slot_order.push_back(i);
  const GradientTreatment treatment = optimizer.treatment();
  for (const auto& [key, value] : {std::pair{"weight_decay", treatment.weight_decay},
                                   {"clipnorm", treatment.clipnorm},
                                   {"global_clipnorm", treatment.global_clipnorm},
                                   {"clipvalue", treatment.clipvalue}})
    if (value != 0) result.optimizer[key] = detail::short_number(value);
  return result;
}

}  // namespace digitnet::keras
