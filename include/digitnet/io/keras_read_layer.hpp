// From Keras' configurations of layers to descriptions.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/io/keras_config.hpp"

namespace digitnet::keras::detail {

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

// A range of random numbers: f, or [-f, f].
inline double factor_of(const std::string& layer, const Json& config, const char* key) {
  const Json& value = config.at(key);
  if (value.is_number()) return value.get<double>();
  if (value.is_array() && value.size() == 2 && value[0].is_number() && value[1].is_number() &&
      value[0].get<double>() == -value[1].get<double>())
    return value[1].get<double>();
  refuse(layer,
         std::string("its \"") + key + "\" is " + value.dump() + ", but a number or [-f, f] is needed");
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
  if (class_name == "DepthwiseConv2D" || class_name == "SeparableConv2D") {
    if (!(is_default(config, "dilation_rate", 1) || is_default(config, "dilation_rate", Json::array({1, 1}))))
      refuse(name, "a dilation_rate other than 1 does not exist here");
    Attributes attributes{{"kernel_size", pair_of(name, config, "kernel_size")},
                          {"strides", config.contains("strides") ? pair_of(name, config, "strides")
                                                                 : std::vector<std::int64_t>{1, 1}},
                          {"padding", padding()},
                          {"depth_multiplier", value_of<std::int64_t>(name, config, "depth_multiplier", 1)},
                          {"use_bias", value_of<bool>(name, config, "use_bias", true)}};
    if (class_name == "SeparableConv2D")
      attributes.insert(attributes.begin(), {"filters", count_of(name, config, "filters")});
    return plain_layer(class_name, name, std::move(attributes));
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
  if (class_name == "LayerNormalization") {
    if (value_of<bool>(name, config, "rms_scaling", false)) refuse(name, "rms_scaling does not exist here");
    if (!is_default(config, "axis", -1) && !is_default(config, "axis", Json::array({-1})))
      refuse(name, "its axis is not the last one");
    return plain_layer("LayerNormalization", name,
                       {{"center", value_of<bool>(name, config, "center", true)},
                        {"scale", value_of<bool>(name, config, "scale", true)},
                        {"epsilon", number("epsilon", 1e-3)}});
  }
  if (class_name == "Flatten" || class_name == "Softmax" || class_name == "Concatenate") {
    if (!is_default(config, "axis", -1) && !is_default(config, "axis", Json::array({-1})))
      refuse(name, "its axis is not the last one");
    return plain_layer(class_name, name);
  }
  if (class_name == "Add" || class_name == "Multiply") return plain_layer(class_name, name);
  if (class_name == "SpatialDropout2D") return plain_layer(class_name, name, {{"rate", number("rate", 0.5)}});
  if (class_name == "GaussianNoise")
    return plain_layer(class_name, name, {{"stddev", number("stddev", 0.1)}});
  if (class_name == "RandomFlip")
    return plain_layer(class_name, name,
                       {{"mode", value_of<std::string>(name, config, "mode", "horizontal_and_vertical")}});
  if (class_name == "RandomRotation" || class_name == "RandomTranslation" || class_name == "RandomZoom") {
    Attributes attributes;
    for (const char* const key : {"factor", "height_factor", "width_factor"})
      if (config.contains(key) && !config[key].is_null() &&
          !(class_name == "RandomZoom" && std::string_view(key) == "width_factor"))
        attributes.push_back({key, factor_of(name, config, key)});
    attributes.push_back({"fill_mode", value_of<std::string>(name, config, "fill_mode", "reflect")});
    return plain_layer(class_name, name, std::move(attributes));
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
  if (class_name == "Activation" || class_name == "Identity") return {};
  refuse(name, "there is no " + class_name + " here");
}

}  // namespace digitnet::keras::detail
