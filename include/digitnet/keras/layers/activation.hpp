// Activations in Keras' files: layers, words inside other layers, and operations.
#pragma once
#include "digitnet/keras/layer_entry.hpp"

namespace digitnet::keras::layers {

inline std::vector<LayerEntry> activations() {
  // Keras has no layers of these.
  const auto plain = [](const char* class_name, std::vector<std::string> operations,
                        std::vector<std::string> words, const char* of_keras_2 = "") {
    return LayerEntry{.class_name = class_name,
                      .operations = std::move(operations),
                      .activation = {{.words = std::move(words), .of_keras_2 = of_keras_2}},
                      .is_of_keras = false};
  };
  return {
      {.class_name = "ReLU",
       .written = {{"max_value", nullptr}, {"negative_slope", 0.0}, {"threshold", 0.0}},
       .operations = {"nn.relu", "Relu"},
       .activation = {{.words = {"relu"}}},
       .read =
           [](const LayerEntry& entry, const detail::Settings& settings) {
             if (settings.find("max_value"))
               settings.problem("its max_value is " + detail::shown(*settings.find("max_value")) +
                                ", but a ReLU has none here");
             if (settings.number("threshold", 0) != 0) settings.must_be("threshold", 0);
             const double slope = settings.number("negative_slope", 0);
             return std::optional(detail::Described{
                 slope == 0
                     ? entry.one(settings)
                     : detail::plain_layer("LeakyReLU", settings.name(), {{"negative_slope", slope}})});
           }},
      {.class_name = "LeakyReLU",
       .fields = {Field::number("negative_slope")},
       .operations = {"LeakyRelu"},
       .activation = {{.words = {"leaky_relu"}, .settings = {{"negative_slope", 0.2}}, .is_written = false}},
       // Keras 2 calls it alpha.
       .read =
           [](const LayerEntry& entry, const detail::Settings& settings) {
             return std::optional(detail::Described{detail::plain_layer(
                 entry.class_name, settings.name(),
                 {{"negative_slope", settings.number("negative_slope", settings.number("alpha", 0.3))}})});
           },
       .write =
           [](const LayerDescription&, Json& config, bool modern) {
             if (modern) return;
             config["alpha"] = config["negative_slope"];
             config.erase("negative_slope");
           }},
      {.class_name = "ELU",
       .fields = {Field::number("alpha", 1.0)},
       .operations = {"nn.elu", "Elu"},
       .activation = {{.words = {"elu"}, .settings = {{"alpha", 1.0}}}}},
      {.class_name = "Softmax",
       .fields = {Field::list("axis")},
       .written = {{"axis", -1}},
       .activation = {{.words = {"softmax"}}}},
      {.class_name = "GELU",
       .fields = {Field::flag("approximate", true, Field::Place::named)},
       .operations = {"Gelu"},
       .activation = {{.words = {"gelu"}, .settings = {{"approximate", false}}}},
       .is_of_keras = false},
      plain("Sigmoid", {"math.sigmoid"}, {"sigmoid"}),
      plain("Tanh", {"math.tanh"}, {"tanh"}),
      plain("Softplus", {"math.softplus"}, {"softplus"}),
      plain("SiLU", {"nn.silu", "Silu"}, {"silu", "swish"}, "swish"),
      plain("HardSwish", {"HardSilu"}, {"hard_silu", "hard_swish"}),
      // What its "activation" says follows it, as it does any layer.
      {.class_name = "Activation", .read = [](const LayerEntry&, const detail::Settings&) {
         return std::optional(detail::Described{});
       }}};
}

}  // namespace digitnet::keras::layers
