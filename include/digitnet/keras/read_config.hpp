// From Keras' configurations of models to descriptions: Sequential and functional ones, Keras 2.0 to 3.x.
#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/graph/outline.hpp"
#include "digitnet/keras/build_model.hpp"
#include "digitnet/keras/read_call.hpp"

namespace digitnet::keras {

namespace detail {

inline std::string name_of(const Json& layer) {
  if (layer.contains("name") && layer["name"].is_string()) return layer["name"].get<std::string>();
  if (layer.contains("config") && layer["config"].is_object() && layer["config"].contains("name") &&
      layer["config"]["name"].is_string())
    return layer["config"]["name"].get<std::string>();
  return layer.value("class_name", "a layer");
}

using Role = LayerEntry::Role;

class ModelReader {
 public:
  explicit ModelReader(const Registry& registry) : registry_(registry) {}

  FileModel read(const Json& whole) {
    const std::string name = name_of(whole);
    if (whole.at("config").is_object() && whole.at("config").contains("build_input_shape"))
      built_input_ = &whole.at("config")["build_input_shape"];
    const std::size_t result = read_model(whole, {.group = "", .store = "", .path = ""}, 0);
    if (problems_.empty()) builder_.check_results_are_used(name, result);
    problems_.fail_if_any();
    if (builder_.model().input.empty()) fail("The model's configuration does not say the shape of its input");
    return std::move(builder_.model());
  }

 private:
  // What the file says of a layer's input, for where a layer before it is not known here.
  std::optional<Extents> said_input(const Json& layer, const Call& call) {
    if (!call.arguments.empty() && call.arguments.front().shape)
      return shape_in(*call.arguments.front().shape);
    if (layer.contains("build_config") && layer["build_config"].is_object() &&
        layer["build_config"].contains("input_shape"))
      return shape_in(layer["build_config"]["input_shape"]);
    return {};
  }

  // The entry of a layer, or null, and its class as it is called here: an operation's is that of the layer
  // which does the same.
  const LayerEntry* entry_of(const Json& layer, std::string& here) const {
    here = layer.at("class_name").get<std::string>();
    const Json registered = layer.value("registered_name", Json());
    const LayerEntry* entry =
        registered.is_string() ? registry_.find_own(registered.get<std::string>()) : nullptr;
    // As Keras 2 has it.
    if (!entry) entry = registry_.find_own(here);
    if (!entry) entry = registry_.find_in_file(here);
    if (entry && entry->role == Role::function) {
      const Json function = layer.at("config").value("function", Json());
      if (function.is_string()) here = function.get<std::string>();
      entry = registry_.find_in_file(here);
    }
    if (entry) here = entry->class_name;
    return entry;
  }
  Role role_of(const Json& layer) const {
    const LayerEntry* const entry = registry_.find_in_file(layer.at("class_name").get<std::string>());
    return entry ? entry->role : Role::layer;
  }
  static bool is_model(Role role) { return role == Role::sequential || role == Role::graph; }

  static bool is_of_keras(const Json& layer) {
    const Json registered = layer.value("registered_name", Json());
    if (registered.is_string() && registered.get<std::string>().find('>') != std::string::npos) return false;
    const Json module = layer.value("module", Json());
    if (!module.is_string()) return true;
    const auto name = module.get<std::string>();
    const std::string package = name.substr(0, name.find('.'));
    return package == "keras" || package == "tf_keras" || package == "tensorflow" || package == "builtins";
  }

  std::size_t read_layer(const Json& layer, const Call& call, const std::vector<std::size_t>& sources,
                         Place place) {
    const std::string name = name_of(layer);
    const Json& config = layer.at("config");
    std::string here;
    const LayerEntry* const entry = entry_of(layer, here);
    const Role role = entry ? entry->role : Role::layer;
    const Settings settings(name, config, problems_);
    place.group = place.group.empty() ? name : place.group;
    place.path += name;
    if (!config.is_object() && !is_model(role)) {
      settings.problem("its configuration is not what Keras writes");
      return builder_.add(plain_layer(here, name), sources, place, false);
    }
    place.trainable =
        place.trainable && (!config.is_object() || config.value("trainable", Json(true)) != false);
    if (!(entry && entry->is_own()) && !is_of_keras(layer)) {
      const Json module = layer.value("module", Json());
      settings.problem(module.is_string() ? "there is no " + here + " of " + shown(module) + " here"
                                          : no_such_layer(layer["registered_name"].get<std::string>()));
      return builder_.add(plain_layer(here, name), sources, place, false);
    }
    if (is_model(role)) {
      if (sources.size() != 1) settings.problem("it is a model on several inputs, but only one can be read");
      place.store += "/";
      place.path += "/";
      place.training = place.training || call.training;
      return read_model(layer, place, sources.front());
    }
    if (role == Role::input) return sources.front();
    // Layers that would go on learning or drawing random numbers when a trained model is used.
    const auto acts = entry ? entry->training : LayerEntry::Training::no_effect;
    if ((call.training || place.training) &&
        (acts == LayerEntry::Training::acts ||
         (acts == LayerEntry::Training::acts_while_trainable && place.trainable)))
      settings.problem(
          "it is called with training=True, but here it does nothing of training in predictions");
    const std::optional<Extents> said = said_input(layer, call);
    std::size_t result = 0;
    std::optional<Described> described;
    if (call.has_numbers())
      described = described_line(entry, here, settings, call);
    else
      described = described_layer(entry, here, settings);
    if (!described)
      result = builder_.add(plain_layer(here, name), sources, place, false);
    else if (sources.size() > 1)
      result = builder_.add_merge(*described, sources, settings, place);
    else
      result = builder_.add_all(*described, sources.front(), settings, place, said);
    if (config.contains("activation") && described)
      for (const LayerDescription& activation : activation_layer(config["activation"], settings, registry_))
        result = builder_.add(activation, {result}, {.group = place.group, .store = "", .path = ""});
    return result;
  }

  // Adds a model's layers, the first of which gets the result `source`; returns the number of its result.
  std::size_t read_model(const Json& whole, const Place& place, std::size_t source) {
    const std::string name = name_of(whole);
    if (place.depth > 50) fail("The model \"" + name + "\" lies in more than 50 others");
    const Json& config = whole.at("config");
    const Json& layers = config.is_array() ? config : config.at("layers");  // before Keras 2.2.3 a list
    digitnet::detail::LayerNames store_names;
    std::vector<Place> places;
    for (const Json& layer : layers) {
      // Names are kept for each layer, with those of the models around it.
      if (place.store.size() + place.path.size() + name_of(layer).size() +
              layer.at("class_name").dump().size() >
          1000)
        fail("The model \"" + name.substr(0, 100) + "\" has layers with names of hundreds of letters");
      if (places.size() == 12'000) fail("The model \"" + name + "\" lists more than 12000 layers");
      places.push_back(place);
      places.back().store += "layers/" + store_names.next(layer.at("class_name").get<std::string>());
      ++places.back().depth;
      if (role_of(layer) != Role::input && places.size() > 1) continue;
      for (const char* const key : {"batch_shape", "batch_input_shape"})
        if (layer.at("config").is_object() && layer["config"].contains(key) &&
            !layer["config"][key].is_null())
          builder_.read_input(layer["config"][key], name_of(layer));
    }
    if (built_input_) builder_.read_input(*built_input_, name);
    if (role_of(whole) == Role::sequential) {
      std::size_t index = 0;
      for (const Json& layer : layers) source = read_layer(layer, {}, {source}, places[index++]);
      return source;
    }
    return read_graph(whole, layers, places, source);
  }

  std::size_t read_graph(const Json& whole, const Json& layers, const std::vector<Place>& places,
                         std::size_t source) {
    const std::string name = name_of(whole);
    std::map<std::string, std::size_t> numbers;  // of layers by their names
    std::vector<Call> calls(layers.size());
    std::size_t inputs = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Json& layer = layers[i];
      const std::string here = name_of(layer);
      if (!numbers.emplace(here, i).second)
        problems_.model(name, "it has more than one layer \"" + here + "\"");
      const Settings settings(here, layer.at("config"), problems_);
      inputs += role_of(layer) == Role::input;
      if (!layer.contains("inbound_nodes") || !layer["inbound_nodes"].is_array()) continue;
      const Json& nodes = layer["inbound_nodes"];
      if (nodes.size() > 1)
        settings.problem("it is used more than once, but a layer can be used only once here");
      if (!nodes.empty()) CallReader(settings, calls[i]).node(nodes[0]);
    }
    if (inputs > 1) problems_.model(name, "it has more than one input, but only one can be read");

    // Each after those it takes its inputs from, else in the order of the list.
    std::vector<std::size_t> results(layers.size());
    std::vector<bool> begun(layers.size()), done(layers.size());
    std::vector<std::size_t> stack;
    std::size_t last = 0;
    for (std::size_t first = 0; first < layers.size(); ++first) {
      stack.push_back(first);
      while (!stack.empty()) {
        const std::size_t i = stack.back();
        if (done[i]) {
          stack.pop_back();
          continue;
        }
        std::vector<std::size_t> sources, missing;
        for (const Argument& argument : calls[i].arguments) {
          if (argument.layer.empty()) continue;
          const auto found = numbers.find(argument.layer);
          if (found == numbers.end())
            fail("The model \"" + name + "\" is damaged: its layer \"" + name_of(layers[i]) +
                 "\" gets the result of \"" + argument.layer + "\", which it does not have");
          if (done[found->second])
            sources.push_back(results[found->second]);
          else if (begun[found->second] || found->second == i)
            fail("The model \"" + name + "\" is damaged: its layer \"" + argument.layer +
                 "\" gets its own result");
          else
            missing.push_back(found->second);
        }
        begun[i] = true;
        if (!missing.empty()) {
          stack.insert(stack.end(), missing.begin(), missing.end());
          continue;
        }
        stack.pop_back();
        if (sources.empty()) {
          if (calls[i].has_numbers() || (inputs > 0 && role_of(layers[i]) != Role::input))
            problems_.layer(name_of(layers[i]), "it gets no other layer's result");
          sources = {source};
        }
        results[i] = read_layer(layers[i], calls[i], sources, places[i]);
        done[i] = true;
        last = i;
      }
    }
    if (layers.empty()) return source;
    return output_of(whole, numbers, results, last);
  }

  // The last of the list may differ from what the model says its output is.
  std::size_t output_of(const Json& whole, const std::map<std::string, std::size_t>& numbers,
                        const std::vector<std::size_t>& results, std::size_t last) {
    const Json& config = whole.at("config");
    if (!config.is_object() || !config.contains("output_layers")) return results[last];
    const std::string name = name_of(whole);
    const Json nothing = Json::object();
    const Settings settings(name, nothing, problems_);
    Call outputs;
    CallReader(settings, outputs).outputs(config["output_layers"]);
    if (outputs.arguments.empty()) return results[last];
    if (outputs.arguments.size() > 1)
      problems_.model(name, "it has more than one output, but only one can be read");
    const auto found = numbers.find(outputs.arguments.front().layer);
    if (found == numbers.end())
      fail("The model \"" + name + "\" is damaged: it has no layer \"" + outputs.arguments.front().layer +
           "\", which is its output");
    return results[found->second];
  }

  const Registry& registry_;
  Problems problems_;
  ModelBuilder builder_{problems_};
  const Json* built_input_ = nullptr;
};

}  // namespace detail

/// Reads the configuration of a Sequential or a functional model of Keras 2.0 to 3.x. Throws an Error with
/// every layer and setting that does not exist here.
inline FileModel read_config(const Json& config, const Registry& registry = {}) {
  try {
    const auto class_name = config.at("class_name").get<std::string>();
    const LayerEntry* const entry = registry.find_in_file(class_name);
    if (!entry || (entry->role != detail::Role::sequential && entry->role != detail::Role::graph))
      fail("The model is a " + class_name + ", but only Sequential and functional models can be read");
    return detail::ModelReader(registry).read(config);
  } catch (const Json::exception& error) {
    fail(std::string("The model's configuration is not what Keras writes: ") + error.what());
  }
}

}  // namespace digitnet::keras
