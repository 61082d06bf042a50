// From descriptions to Keras' configurations of models.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/graph/outline.hpp"
#include "digitnet/inspect/description_order.hpp"
#include "digitnet/keras/registry.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet::keras {

/// Keras' generation: how a configuration is written.
enum class Generation { keras2_and_3, keras3 };

/// A model to be written: Keras' configuration, and for each of its layers the weights that belong to it.
struct WrittenLayer {
  std::string name, class_name;
  /// The name under which a user's own class is registered
  std::string registered_name{};
  /// The layer whose weights it has
  const LayerDescription* source = nullptr;
  /// Layers whose results it gets: 0 is the input, i the i-th
  std::vector<std::size_t> sources{};
  Json config{};
};
struct WrittenModel {
  Json config;
  std::vector<WrittenLayer> layers;
};

namespace detail {

// Keras' order, which its stores of weights count by.
inline void put_in_order(std::vector<WrittenLayer>& layers) {
  std::vector<std::vector<std::size_t>> sources;
  for (const WrittenLayer& layer : layers) sources.push_back(layer.sources);
  const std::vector<std::size_t> order = keras_order(sources);
  std::vector<std::size_t> place(layers.size() + 1);
  for (std::size_t i = 0; i < order.size(); ++i) place[order[i] + 1] = i + 1;
  std::vector<WrittenLayer> result;
  for (const std::size_t i : order) {
    result.push_back(std::move(layers[i]));
    result.back().sources = sources[i];
    for (std::size_t& source : result.back().sources) source = place[source];
  }
  layers = std::move(result);
}

}  // namespace detail

/// A model as Keras would have built it, as a Sequential or, with branches, a functional model: an activation
/// that follows a Dense or Conv2D is inside it. With `keras2_and_3`, what both read: the input's shape is
/// `batch_input_shape`, types are plain words.
inline WrittenModel write_config(const ModelDescription& model, Generation generation) {
  const bool modern = generation == Generation::keras3;
  check_settings_are_said(model);
  WrittenModel result;
  const Json type = modern ? Json{{"module", "keras"},
                                  {"class_name", "DTypePolicy"},
                                  {"config", {{"name", "float32"}}},
                                  {"registered_name", nullptr}}
                           : Json("float32");
  const auto object = [&](const char* module, const char* class_name, Json config) {
    return modern ? Json{{"module", module},
                         {"class_name", class_name},
                         {"config", std::move(config)},
                         {"registered_name", nullptr}}
                  : Json{{"class_name", class_name}, {"config", std::move(config)}};
  };
  const auto initializer = [&](const std::string& name) {
    return object("keras.initializers", name.c_str(),
                  name == "GlorotUniform" ? Json{{"seed", nullptr}} : Json::object());
  };
  const auto batch_shape = [](const std::vector<std::size_t>& shape) {
    Json list = Json::array({nullptr});
    for (const std::size_t extent : shape) list.push_back(extent);
    return list;
  };
  const auto layer_json = [&](const WrittenLayer& layer) {
    const bool is_own = !layer.registered_name.empty();
    Json json = object("keras.layers", (is_own && !modern ? layer.registered_name : layer.class_name).c_str(),
                       layer.config);
    if (is_own && modern) {
      json["module"] = nullptr;
      json["registered_name"] = layer.registered_name;
    }
    if (modern && layer.source && !layer.source->weights.empty())
      json["build_config"] = {{"input_shape", batch_shape(layer.source->input)}};
    return json;
  };
  const WrittenLayer input{
      .name = "input_layer",
      .class_name = "InputLayer",
      .config = Json{{modern ? "batch_shape" : "batch_input_shape", batch_shape(model.input)},
                     {"dtype", "float32"},
                     {"sparse", false},
                     {"ragged", false},
                     {"name", "input_layer"}}};

  // How many layers get each result, and the written layer that makes it.
  std::vector<std::size_t> uses(model.layers.size() + 1), written_by(model.layers.size() + 1);
  for (std::size_t i = 0; i < model.layers.size(); ++i)
    for (const std::size_t source : model.sources(i)) ++uses[source];
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const LayerDescription& layer = model.layers[i];
    std::vector<std::size_t> sources;
    for (const std::size_t source : model.sources(i)) sources.push_back(written_by[source]);
    // The word by which other layers name this one.
    const auto activation_of = [&](const LayerDescription& l) -> std::string {
      const LayerEntry* const entry = Registry::find(l);
      if (!entry || !entry->activation || !entry->activation->is_written ||
          entry->activation->settings != l.attributes)
        return "";
      const auto& [words, of_keras_2, settings, is_written] = *entry->activation;
      return modern || of_keras_2.empty() ? words.front() : of_keras_2;
    };
    // Takes the activation behind this layer into it.
    const auto swallowed = [&]() -> Json {
      if (i + 1 == model.layers.size() || uses[i + 1] != 1 ||
          model.sources(i + 1) != std::vector<std::size_t>{i + 1})
        return "linear";
      const std::string next = activation_of(model.layers[i + 1]);
      if (next.empty()) return "linear";
      ++i;
      written_by[i] = result.layers.size() + 1;
      return next;
    };
    const LayerEntry* const entry = Registry::find(layer);
    const std::string as_activation = entry && !entry->is_of_keras ? activation_of(layer) : "";
    if (!entry || (!entry->is_of_keras && as_activation.empty()))
      fail("The layer \"" + layer.name + "\" cannot be written to Keras' files: Keras has no " +
           layer.text() +
           (entry ? "" : ": say what it is there, with file_entries and keras::own_layer (docs/files.md)"));
    const std::string class_name = as_activation.empty() ? layer.class_name : "Activation";
    Json config{{"name", ""}, {"trainable", true}, {"dtype", type}};
    if (!as_activation.empty()) {
      config["activation"] = as_activation;
    } else {
      for (const Field& field : entry->fields) field.write(layer, config);
      config.update(entry->written);
      if (entry->has_activation) config["activation"] = swallowed();
      if (entry->write) entry->write(layer, config, modern);
    }
    for (const WeightSettings& weight : entry->weights) {
      config[weight.key + "_initializer"] = initializer(weight.initializer);
      if (!weight.is_trainable) continue;
      config[weight.key + "_regularizer"] = config[weight.key + "_constraint"] = nullptr;
      for (const WeightDescription& described : layer.weights)
        if (described.regularizer.active() &&
            described.name == (weight.weight.empty() ? weight.key : weight.weight))
          config[weight.key + "_regularizer"] =
              object("keras.regularizers", "L1L2",
                     Json{{"l1", detail::short_number(described.regularizer.l1)},
                          {"l2", detail::short_number(described.regularizer.l2)}});
    }
    // What was taken in has the number of this layer.
    result.layers.push_back(
        {"", class_name, entry->registered_name, &layer, std::move(sources), std::move(config)});
    written_by[i + 1] = result.layers.size();
  }

  const bool is_chain = model.is_chain();
  if (!is_chain) detail::put_in_order(result.layers);
  digitnet::detail::LayerNames names;
  for (WrittenLayer& layer : result.layers) layer.config["name"] = layer.name = names.next(layer.class_name);
  Json layers = Json::array();
  layers.push_back(layer_json(input));
  for (const WrittenLayer& layer : result.layers) layers.push_back(layer_json(layer));
  const char* const class_name = is_chain ? "Sequential" : "Functional";
  const char* const name = is_chain ? "sequential" : "functional";
  if (!is_chain) {
    const auto name_of = [&](std::size_t source) {
      return source == 0 ? input.name : result.layers[source - 1].name;
    };
    layers[0]["name"] = input.name;
    layers[0]["inbound_nodes"] = Json::array();
    for (std::size_t i = 0; i < result.layers.size(); ++i) {
      const WrittenLayer& layer = result.layers[i];
      Json tensors = Json::array();
      for (const std::size_t source : layer.sources) {
        const std::vector<std::size_t>& shape =
            source == 0 ? model.input : result.layers[source - 1].source->output;
        tensors.push_back(modern ? Json{{"class_name", "__keras_tensor__"},
                                        {"config",
                                         {{"shape", batch_shape(shape)},
                                          {"dtype", "float32"},
                                          {"keras_history", Json::array({name_of(source), 0, 0})}}}}
                                 : Json::array({name_of(source), 0, 0, Json::object()}));
      }
      layers[i + 1]["name"] = layer.name;
      Json arguments = tensors;
      if (modern) {
        if (layer.sources.size() > 1) arguments = Json::array({tensors});
        layers[i + 1]["inbound_nodes"] = Json::array({Json{{"args", arguments}, {"kwargs", Json::object()}}});
      } else {
        layers[i + 1]["inbound_nodes"] = Json::array({tensors});
      }
    }
  }
  Json whole{{"name", name}};
  if (modern) {
    whole["trainable"] = true;
    whole["dtype"] = type;
  }
  whole["layers"] = std::move(layers);
  if (is_chain) {
    if (modern) whole["build_input_shape"] = batch_shape(model.input);
  } else {
    if (modern) whole.erase("dtype");
    whole["input_layers"] = Json::array({Json::array({input.name, 0, 0})});
    whole["output_layers"] = Json::array({Json::array({result.layers.back().name, 0, 0})});
  }
  result.config = object(is_chain ? "keras" : "keras.src.models.functional", class_name, std::move(whole));
  if (modern && !is_chain) result.config["registered_name"] = class_name;
  // A functional model is built by its tensors, which name their shapes.
  if (modern)
    result.config["build_config"] = {{"input_shape", is_chain ? batch_shape(model.input) : Json(nullptr)}};
  return result;
}

}  // namespace digitnet::keras
