// From Keras' configurations of models to descriptions: Sequential and functional ones, Keras 2.0 to 3.x.
#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/io/keras_config.hpp"
#include "digitnet/io/keras_read_layer.hpp"
#include "digitnet/io/keras_shapes.hpp"
#include "digitnet/layers/layer.hpp"
#include "digitnet/model/chain.hpp"

namespace digitnet::keras {

namespace detail {

// The names of the layers that feed a layer of a functional model, in Keras 2's or 3's notation.
inline void add_inbound(const Json& node, std::vector<std::string>& names) {
  if (node.is_object() && node.contains("config") && node["config"].is_object() &&
      node["config"].contains("keras_history")) {
    names.push_back(node["config"]["keras_history"].at(0).get<std::string>());
    return;
  }
  if (node.is_array() && node.size() >= 3 && node[0].is_string() && node[1].is_number()) {
    names.push_back(node[0].get<std::string>());
    return;
  }
  if (node.is_structured())
    for (const Json& part : node) add_inbound(part, names);
}

inline std::string name_of(const Json& layer) {
  if (layer.contains("name") && layer["name"].is_string()) return layer["name"].get<std::string>();
  if (layer.contains("config") && layer["config"].is_object() && layer["config"].contains("name"))
    return layer["config"]["name"].get<std::string>();
  return layer.value("class_name", "a layer");
}

inline std::optional<std::vector<std::size_t>> input_shape(const Json& config) {
  for (const char* const key : {"batch_shape", "batch_input_shape"}) {
    if (!config.contains(key) || !config[key].is_array() || config[key].empty()) continue;
    std::vector<std::size_t> shape;
    for (std::size_t axis = 1; axis < config[key].size(); ++axis) {
      if (!config[key][axis].is_number_unsigned() || config[key][axis] == 0)
        fail("The model's input has the shape " + config[key].dump() +
             ", but all extents after the first must be known");
      shape.push_back(config[key][axis].get<std::size_t>());
    }
    return shape;
  }
  return {};
}

// The layers that a layer of a functional model takes its inputs from.
inline std::vector<std::string> inbound_of(const Json& layer) {
  std::vector<std::string> names;
  if (!layer.contains("inbound_nodes")) return names;
  if (layer["inbound_nodes"].size() > 1)
    refuse(name_of(layer), "it is used more than once, but a layer can be used only once here");
  add_inbound(layer["inbound_nodes"], names);
  return names;
}

// Adds a model's layers, the first of which gets the result `source`; returns the number of its result.
inline std::size_t add_layers(FileModel& model, const Json& whole, const std::string& group,
                              const std::string& store, std::size_t source) {
  const std::string class_name = whole.at("class_name").get<std::string>();
  const Json& config = whole.at("config");
  const Json& layers = config.is_array() ? config : config.at("layers");  // before Keras 2.2.3 a list
  const bool is_chain = class_name == "Sequential";
  std::map<std::string, std::size_t> results;  // of layers by their names
  std::size_t inputs = 0;
  digitnet::detail::LayerNames store_names;
  std::vector<std::string> stores;
  for (const Json& layer : layers)
    stores.push_back(store + "layers/" + store_names.next(layer.at("class_name").get<std::string>()));

  const auto add = [&](LayerDescription layer, const std::vector<std::size_t>& sources,
                       const std::string& layer_group, const std::string& layer_store) {
    if (sources != std::vector<std::size_t>{model.layers.size()}) layer.sources = sources;
    model.layers.push_back({std::move(layer), layer_group, layer_store});
    return model.layers.size();
  };
  const auto add_layer = [&](std::size_t index, const std::vector<std::size_t>& sources) {
    const Json& layer = layers[index];
    const std::string here = layer.at("class_name").get<std::string>();
    const Json& layer_config = layer.at("config");
    const std::string name = name_of(layer);
    const std::string& layer_store = stores[index];
    const std::string layer_group = group.empty() ? name : group;
    if (here == "Sequential" || here == "Functional" || here == "Model")
      return add_layers(model, layer, layer_group, layer_store + "/", sources.front());
    if (const auto shape = input_shape(layer_config); shape && model.layers.empty() && model.input.empty())
      model.input = *shape;
    if (here == "InputLayer") {
      if (++inputs > 1)
        fail("The model \"" + name_of(whole) + "\" has more than one input, but only one can be read");
      return source;
    }
    std::size_t result = sources.front();
    if (auto described = layer_of(here, name, layer_config)) {
      if (here == "BatchNormalization") {
        const Json axis = layer_config.value("axis", Json(-1));
        const Json number = axis.is_array() && axis.size() == 1 ? axis[0] : axis;
        // Which one is the last is known when shapes are.
        described->attributes.push_back(
            {"axis", number.is_number_integer() ? number.get<std::int64_t>() : 0});
      }
      result = add(*described, sources, layer_group, layer_store);
    }
    if (layer_config.contains("activation"))
      if (const auto activation = activation_layer(name, layer_config["activation"]))
        result = add(*activation, {result}, layer_group, "");
    return result;
  };

  if (is_chain) {
    for (std::size_t i = 0; i < layers.size(); ++i) source = add_layer(i, {source});
    return source;
  }
  // Keras lists layers after those they take their inputs from; others need not.
  std::vector<bool> done(layers.size());
  std::string last;
  for (std::size_t left = layers.size(); left > 0;) {
    const std::size_t before = left;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      if (done[i]) continue;
      const std::vector<std::string> names = inbound_of(layers[i]);
      std::vector<std::size_t> sources;
      for (const std::string& name : names)
        if (const auto found = results.find(name); found != results.end()) sources.push_back(found->second);
      if (sources.size() < names.size()) continue;
      if (names.empty()) sources = {source};
      last = name_of(layers[i]);
      results[last] = add_layer(i, sources);
      done[i] = true;
      --left;
    }
    if (left == before)
      fail("The model \"" + name_of(whole) + "\" has layers that the input does not reach: it is damaged");
  }
  // The last of the list may differ from what the model says its output is.
  std::vector<std::string> outputs;
  if (config.is_object() && config.contains("output_layers")) add_inbound(config["output_layers"], outputs);
  if (outputs.size() > 1)
    fail("The model \"" + name_of(whole) + "\" has more than one output, but only one can be read");
  const auto result = results.find(outputs.empty() ? last : outputs.front());
  if (result == results.end()) fail("The model \"" + name_of(whole) + "\" has no layer " + outputs.front());
  return result->second;
}

// Every layer must contribute to the result, which is the last one's.
inline void check_results_are_used(const ModelDescription& model, std::size_t result) {
  std::vector<bool> used(model.layers.size() + 1);
  for (std::size_t i = 0; i < model.layers.size(); ++i)
    for (const std::size_t source : model.sources(i)) used[source] = true;
  for (std::size_t i = 1; i <= model.layers.size(); ++i)
    if (!used[i] && i != result) refuse(model.layers[i - 1].name, "the model's result does not depend on it");
  if (result != model.layers.size())
    refuse(model.layers[result - 1].name, "it is the model's output, but other layers use its result too");
}

}  // namespace detail

/// Reads the configuration of a Sequential or a functional model of Keras 2.0 to 3.x. Throws an Error that
/// names the layer and the reason if something does not exist here.
[[gnu::cold]] inline FileModel read_config(const Json& config) {
  try {
    FileModel model;
    const auto class_name = config.at("class_name").get<std::string>();
    if (class_name != "Sequential" && class_name != "Functional" && class_name != "Model")
      fail("The model is a " + class_name + ", but only Sequential and functional models can be read");
    const std::size_t result = detail::add_layers(model, config, "", "", 0);
    detail::check_results_are_used(model.description(), result);
    if (model.input.empty() && config["config"].is_object() &&
        config["config"].contains("build_input_shape")) {
      const auto shape = detail::input_shape(Json{{"batch_shape", config["config"]["build_input_shape"]}});
      if (shape) model.input = *shape;
    }
    detail::infer_shapes(model);
    return model;
  } catch (const Json::exception& error) {
    fail(std::string("The model's configuration is not what Keras writes: ") + error.what());
  }
}

}  // namespace digitnet::keras
