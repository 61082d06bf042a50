// From Keras' configurations of models to descriptions: Sequential and chains, Keras 2.0 to 3.x.
#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/core/shape.hpp"
#include "digitnet/io/keras_config.hpp"
#include "digitnet/layers/layer.hpp"
#include "digitnet/model/chain.hpp"

namespace digitnet::keras {

namespace detail {

[[noreturn]] inline void refuse(const std::string& layer, const std::string& why) {
  fail("The layer \"" + layer + "\" cannot be read: " + why);
}

// Whether a setting is as if it were not there; null counts as that.
inline bool is_default(const Json& config, const char* key, const Json& usual) {
  return !config.contains(key) || config.at(key).is_null() || config.at(key) == usual;
}

// A Python tuple may come as a list or as a number.
inline std::vector<std::int64_t> pair_of(const std::string& layer, const Json& config, const char* key) {
  if (!config.contains(key)) refuse(layer, std::string("its configuration has no \"") + key + "\"");
  const Json& value = config.at(key);
  if (value.is_number_integer()) return {value.get<std::int64_t>(), value.get<std::int64_t>()};
  if (value.is_array() && value.size() == 2 && value[0].is_number_integer() && value[1].is_number_integer())
    return {value[0].get<std::int64_t>(), value[1].get<std::int64_t>()};
  refuse(layer, std::string("its \"") + key + "\" is " + value.dump() + ", but two numbers are needed");
}
template <class T>
T value_of(const std::string& layer, const Json& config, const char* key, std::optional<T> otherwise = {}) {
  try {
    if (config.contains(key) && !config.at(key).is_null()) return config.at(key).get<T>();
  } catch (const Json::exception&) {
    refuse(layer, std::string("its \"") + key + "\" is " + config.at(key).dump());
  }
  if (!otherwise) refuse(layer, std::string("its configuration has no \"") + key + "\"");
  return *otherwise;
}
inline std::int64_t count_of(const std::string& layer, const Json& config, const char* key) {
  const auto count = value_of<std::int64_t>(layer, config, key);
  if (count < 1 || count > (std::int64_t{1} << 31))
    refuse(layer, std::string("its \"") + key + "\" is " + std::to_string(count));
  return count;
}

inline LayerDescription plain_layer(std::string class_name, const std::string& name,
                                    Attributes attributes = {}) {
  return {.class_name = std::move(class_name),
          .name = name,
          .attributes = std::move(attributes),
          .input = {},
          .output = {},
          .weights = {}};
}

// The activation "relu" or {"class_name": ..} as a layer; nothing for "linear".
inline std::optional<LayerDescription> activation_layer(const std::string& layer, const Json& activation) {
  if (activation.is_null()) return {};
  std::string word;
  if (activation.is_string())
    word = activation.get<std::string>();
  else if (activation.is_object() && activation.contains("config") && activation["config"].is_string())
    word = activation["config"].get<std::string>();  // Keras 3's {"class_name": "function", "config": "relu"}
  if (word == "linear") return {};
  for (const auto& [keras, name] : activation_names)
    if (word == keras) {
      LayerDescription result = plain_layer(name, layer);
      if (word == "elu") result.attributes = {{"alpha", 1.0}};
      if (word == "gelu") result.attributes = {{"approximate", false}};
      return result;
    }
  refuse(layer, "its activation " + activation.dump() + " does not exist here");
}

// What Keras' layer of a configuration is here, in front of its activation.
inline std::optional<LayerDescription> layer_of(const std::string& class_name, const std::string& name,
                                                const Json& config) {
  if (!is_default(config, "data_format", "channels_last"))
    refuse(name, "its data_format is " + config["data_format"].dump() +
                     ", but digitnet's images are channels_last");
  const auto padding = [&] {
    const auto word = value_of<std::string>(name, config, "padding", "valid");
    if (word != "valid" && word != "same")
      refuse(name, "its padding is " + word + ", but valid or same is needed");
    return word;
  };
  const auto number = [&](const char* key, double otherwise) {
    return value_of<double>(name, config, key, otherwise);
  };
  if (class_name == "Dense")
    return plain_layer("Dense", name,
                       {{"units", count_of(name, config, "units")},
                        {"use_bias", value_of<bool>(name, config, "use_bias", true)}});
  if (class_name == "Conv2D") {
    if (!(is_default(config, "dilation_rate", 1) ||
          is_default(config, "dilation_rate", Json::array({1, 1}))) ||
        !is_default(config, "groups", 1))
      refuse(name, "dilation_rate and groups other than 1 do not exist here");
    return plain_layer("Conv2D", name,
                       {{"filters", count_of(name, config, "filters")},
                        {"kernel_size", pair_of(name, config, "kernel_size")},
                        {"strides", config.contains("strides") ? pair_of(name, config, "strides")
                                                               : std::vector<std::int64_t>{1, 1}},
                        {"padding", padding()},
                        {"use_bias", value_of<bool>(name, config, "use_bias", true)}});
  }
  if (class_name == "MaxPooling2D" || class_name == "AveragePooling2D") {
    const auto size = pair_of(name, config, "pool_size");
    const bool own_strides = config.contains("strides") && !config["strides"].is_null();
    return plain_layer(class_name, name,
                       {{"pool_size", size},
                        {"strides", own_strides ? pair_of(name, config, "strides") : size},
                        {"padding", padding()}});
  }
  if (class_name == "GlobalAveragePooling2D") {
    if (!is_default(config, "keepdims", false)) refuse(name, "keepdims does not exist here");
    return plain_layer(class_name, name);
  }
  if (class_name == "BatchNormalization") {
    return plain_layer("BatchNormalization", name,
                       {{"center", value_of<bool>(name, config, "center", true)},
                        {"scale", value_of<bool>(name, config, "scale", true)},
                        {"epsilon", number("epsilon", 1e-3)},
                        {"momentum", number("momentum", 0.99)}});
  }
  if (class_name == "Flatten" || class_name == "Softmax") {
    if (!is_default(config, "axis", -1) && !is_default(config, "axis", Json::array({-1})))
      refuse(name, "its axis is not the last one");
    return plain_layer(class_name, name);
  }
  if (class_name == "Dropout") return plain_layer("Dropout", name, {{"rate", number("rate", 0.5)}});
  if (class_name == "LeakyReLU")  // Keras 2 calls it alpha
    return plain_layer("LeakyReLU", name,
                       {{"negative_slope", number("negative_slope", number("alpha", 0.3))}});
  if (class_name == "ELU") return plain_layer("ELU", name, {{"alpha", number("alpha", 1)}});
  if (class_name == "ReLU") {
    if (!is_default(config, "max_value", nullptr) || number("negative_slope", 0) != 0 ||
        number("threshold", 0) != 0)
      refuse(name, "a ReLU with max_value, negative_slope or threshold does not exist here");
    return plain_layer("ReLU", name);
  }
  if (class_name == "Rescaling")
    return plain_layer("Rescaling", name, {{"scale", number("scale", 1)}, {"offset", number("offset", 0)}});
  if (class_name == "Reshape") {
    const auto shape = value_of<std::vector<std::int64_t>>(name, config, "target_shape");
    if (std::any_of(shape.begin(), shape.end(), [](std::int64_t e) { return e < 1; }))
      refuse(name, "its target_shape has an unknown extent");
    return plain_layer("Reshape", name, {{"target_shape", shape}});
  }
  if (class_name == "ZeroPadding2D") {
    const Json value = config.value("padding", Json(1));
    std::vector<std::int64_t> frame;
    if (value.is_array() && value.size() == 2 && value[0].is_array() && value[0].size() == 2 &&
        value[0][0] == value[0][1] && value[1].is_array() && value[1].size() == 2 &&
        value[1][0] == value[1][1])
      frame = {value[0][0].get<std::int64_t>(), value[1][0].get<std::int64_t>()};
    else if (value.is_number_integer() ||
             (value.is_array() && value.size() == 2 && value[0].is_number_integer()))
      frame = pair_of(name, Json{{"padding", value}}, "padding");
    else
      refuse(name, "its padding is " + value.dump() + ", but only equal padding on both sides exists here");
    return plain_layer("ZeroPadding2D", name, {{"padding", frame}});
  }
  if (class_name == "Activation") return {};
  refuse(name, "there is no " + class_name + " here");
}

// The names of the layers that feed a layer of a functional model, in Keras 2's or 3's notation.
inline void add_inbound(const Json& node, std::set<std::string>& names) {
  if (node.is_object() && node.contains("config") && node["config"].is_object() &&
      node["config"].contains("keras_history")) {
    names.insert(node["config"]["keras_history"].at(0).get<std::string>());
    return;
  }
  if (node.is_array() && node.size() >= 3 && node[0].is_string() && node[1].is_number()) {
    names.insert(node[0].get<std::string>());
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

// The layers of a functional model in the order of its only chain.
inline std::vector<Json> chain_of(const std::string& model, const Json& layers) {
  std::map<std::string, Json> by_input;
  std::vector<Json> result;
  for (const Json& layer : layers) {
    std::set<std::string> inputs;
    if (layer.contains("inbound_nodes")) {
      if (layer["inbound_nodes"].size() > 1)
        refuse(name_of(layer), "it is used more than once, but only chains can be read");
      add_inbound(layer["inbound_nodes"], inputs);
    }
    if (inputs.empty()) {
      if (!result.empty())
        fail("The model \"" + model + "\" has more than one input, but only chains can be read");
      result.push_back(layer);
    } else {
      if (inputs.size() > 1) refuse(name_of(layer), "it has several inputs, but only chains can be read");
      if (!by_input.emplace(*inputs.begin(), layer).second)
        refuse(*inputs.begin(), "its result is used by several layers, but only chains can be read");
    }
  }
  if (result.empty()) fail("The model \"" + model + "\" has no input layer");
  while (true) {
    const auto next = by_input.find(name_of(result.back()));
    if (next == by_input.end()) break;
    result.push_back(next->second);
    by_input.erase(next);
  }
  if (!by_input.empty())
    refuse(name_of(by_input.begin()->second), "it is not in the chain that begins at the input");
  return result;
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

inline void add_layers(FileModel& model, const Json& whole, const std::string& group,
                       const std::string& store) {
  const std::string class_name = whole.at("class_name").get<std::string>();
  const Json& config = whole.at("config");
  const Json& layers = config.is_array() ? config : config.at("layers");  // before Keras 2.2.3 a list
  digitnet::detail::LayerNames store_names;
  for (const Json& layer :
       class_name == "Sequential" ? layers.get<std::vector<Json>>() : chain_of(name_of(whole), layers)) {
    const std::string here = layer.at("class_name").get<std::string>();
    const Json& layer_config = layer.at("config");
    const std::string name = name_of(layer);
    const std::string layer_store = store + "layers/" + store_names.next(here);
    const std::string layer_group = group.empty() ? name : group;
    if (here == "Sequential" || here == "Functional" || here == "Model") {
      add_layers(model, layer, layer_group, layer_store + "/");
      continue;
    }
    if (const auto shape = input_shape(layer_config); shape && model.layers.empty() && model.input.empty())
      model.input = *shape;
    if (here == "InputLayer") continue;
    if (const auto described = layer_of(here, name, layer_config)) {
      model.layers.push_back({*described, layer_group, layer_store});
      if (here == "BatchNormalization") {
        const Json axis = layer_config.value("axis", Json(-1));
        const Json number = axis.is_array() && axis.size() == 1 ? axis[0] : axis;
        // Which one is the last is known when shapes are.
        model.layers.back().description.attributes.push_back(
            {"axis", number.is_number_integer() ? number.get<std::int64_t>() : 0});
      }
    }
    if (layer_config.contains("activation"))
      if (const auto activation = activation_layer(name, layer_config["activation"]))
        model.layers.push_back({*activation, layer_group, ""});
  }
}

inline std::size_t windows(std::size_t input, std::int64_t window, std::int64_t stride,
                           const std::string& padding, const std::string& name) {
  if (window < 1 || stride < 1) refuse(name, "its windows or strides are not positive");
  const Sliding sliding(input, static_cast<std::size_t>(window), static_cast<std::size_t>(stride),
                        padding == "same" ? Padding::same : Padding::valid);
  if (sliding.output == 0) refuse(name, "its window is larger than its input");
  return sliding.output;
}

// Fills in shapes and weights, layer by layer.
inline void infer_shapes(FileModel& model) {
  std::vector<std::size_t> shape = model.input;
  if (shape.empty()) fail("The model's configuration does not say the shape of its input");
  for (FileLayer& layer : model.layers) {
    LayerDescription& d = layer.description;
    const std::string& name = d.name;
    d.input = shape;
    const auto image = [&] {
      if (shape.size() != 3)
        refuse(name, "it needs an image (height, width, channels), but gets " + shape_text(shape));
    };
    const auto pair = [&](const char* key) { return d.attribute<std::vector<std::int64_t>>(key, {1, 1}); };
    const auto padding = d.attribute<std::string>("padding");
    std::size_t size = 1;
    for (const std::size_t extent : shape) size *= extent;
    const std::size_t last = shape.back();
    if (d.class_name == "Dense") {
      if (shape.size() != 1) refuse(name, "Dense needs a flat input here, but gets " + shape_text(shape));
      const auto units = static_cast<std::size_t>(d.attribute<std::int64_t>("units"));
      d.weights = {{"kernel", {last, units}}};
      if (d.attribute<bool>("use_bias")) d.weights.push_back({"bias", {units}});
      shape = {units};
    } else if (d.class_name == "Conv2D") {
      image();
      const auto filters = static_cast<std::size_t>(d.attribute<std::int64_t>("filters"));
      const auto kernel = pair("kernel_size"), strides = pair("strides");
      const std::size_t rows = windows(shape[0], kernel[0], strides[0], padding, name),
                        columns = windows(shape[1], kernel[1], strides[1], padding, name);
      d.weights = {
          {"kernel",
           {static_cast<std::size_t>(kernel[0]), static_cast<std::size_t>(kernel[1]), last, filters}}};
      if (d.attribute<bool>("use_bias")) d.weights.push_back({"bias", {filters}});
      shape = {rows, columns, filters};
    } else if (d.class_name == "MaxPooling2D" || d.class_name == "AveragePooling2D") {
      image();
      const auto pool = pair("pool_size"), strides = pair("strides");
      shape = {windows(shape[0], pool[0], strides[0], padding, name),
               windows(shape[1], pool[1], strides[1], padding, name), last};
    } else if (d.class_name == "GlobalAveragePooling2D") {
      image();
      shape = {last};
    } else if (d.class_name == "BatchNormalization") {
      const auto axis = d.attribute<std::int64_t>("axis");
      d.attributes.pop_back();
      if (axis != -1 && axis != static_cast<std::int64_t>(shape.size()))
        refuse(name,
               "its axis is " + std::to_string(axis) + ", but only the last one can be normalized here");
      if (d.attribute<bool>("scale")) d.weights.push_back({"gamma", {last}});
      if (d.attribute<bool>("center")) d.weights.push_back({"beta", {last}});
      d.weights.push_back({"moving_mean", {last}, false});
      d.weights.push_back({"moving_variance", {last}, false});
    } else if (d.class_name == "Flatten") {
      shape = {size};
    } else if (d.class_name == "Reshape") {
      const auto target = d.attribute<std::vector<std::int64_t>>("target_shape");
      std::size_t target_size = 1;
      for (const std::int64_t extent : target) target_size *= static_cast<std::size_t>(extent);
      if (target_size != size)
        refuse(name, "its target_shape " + shape_text({target.begin(), target.end()}) +
                         " has another size than its input " + shape_text(shape));
      shape.assign(target.begin(), target.end());
    } else if (d.class_name == "ZeroPadding2D") {
      image();
      const auto frame = pair("padding");
      shape = {shape[0] + 2 * static_cast<std::size_t>(frame[0]),
               shape[1] + 2 * static_cast<std::size_t>(frame[1]), last};
    }
    d.output = shape;
  }
}

}  // namespace detail

/// Reads the configuration of a Sequential, or of a functional model that is a plain chain, of Keras 2.0
/// to 3.x. Throws an Error that names the layer and the reason if something does not exist here.
[[gnu::cold]] inline FileModel read_config(const Json& config) {
  try {
    FileModel model;
    const auto class_name = config.at("class_name").get<std::string>();
    if (class_name != "Sequential" && class_name != "Functional" && class_name != "Model")
      fail("The model is a " + class_name + ", but only Sequential and functional models can be read");
    detail::add_layers(model, config, "", "");
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
