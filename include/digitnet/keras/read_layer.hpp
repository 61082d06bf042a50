// From Keras' configurations of layers to descriptions.
#pragma once
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/keras/settings.hpp"

namespace digitnet::keras::detail {

inline LayerDescription plain_layer(std::string class_name, const std::string& name,
                                    Attributes attributes = {}) {
  return {.class_name = std::move(class_name),
          .name = name,
          .attributes = std::move(attributes),
          .input = {},
          .output = {},
          .weights = {}};
}

inline LayerDescription rescaling(const std::string& name, double scale, double offset) {
  return plain_layer("Rescaling", name, {{"scale", scale}, {"offset", offset}});
}

// What a layer of Keras is here: layers that follow each other, none for one that changes nothing.
using Described = std::vector<LayerDescription>;

// Nothing where the layer does not exist here. What does not exist of its settings is a problem.
inline std::optional<Described> described_layer(const std::string& class_name, const Settings& settings);

// The activation "relu" or {"class_name": ..} as a layer; nothing for "linear", and for what is a problem.
inline Described activation_layer(const Json& activation, const Settings& of, Problems& problems) {
  std::string word;
  if (activation.is_string()) {
    word = activation.get<std::string>();
  } else if (activation.is_object()) {
    const Json config = activation.value("config", Json());
    const auto class_name = activation.find("class_name");
    // Keras 3's {"class_name": "function", "config": "relu"}
    if (config.is_string()) word = config.get<std::string>();
    // A layer, or Keras 3's {"class_name": "ReLU", "config": {..}}
    if (config.is_object() && class_name != activation.end())
      for (const char* const known : {"ReLU", "LeakyReLU", "ELU", "Softmax"})
        if (*class_name == known) {
          auto layers = described_layer(known, Settings(of.name(), config, problems));
          return layers ? *layers : Described{};
        }
  }
  if (word == "linear") return {};
  if (word == "leaky_relu") return {plain_layer("LeakyReLU", of.name(), {{"negative_slope", 0.2}})};
  for (const auto& [keras, name] : activation_names)
    if (word == keras) {
      LayerDescription result = plain_layer(name, of.name());
      if (word == "elu") result.attributes = {{"alpha", 1.0}};
      if (word == "gelu") result.attributes = {{"approximate", false}};
      return {result};
    }
  of.problem("its activation " + shown(activation) + " does not exist here");
  return {};
}

// Layers compute in float32 here, as those that Keras mixes with shorter numbers nearly do.
inline void check_number_type(const Settings& settings) {
  const Json* const type = settings.find("dtype");
  if (!type) return;
  std::string name;
  if (type->is_string()) {
    name = type->get<std::string>();
  } else if (type->is_object() && type->contains("config") && (*type)["config"].is_object()) {
    const std::string policy = (*type)["config"].value("name", Json()).is_string()
                                   ? (*type)["config"]["name"].get<std::string>()
                                   : shown(*type);
    const Json kind = type->value("class_name", Json());
    const bool plain = kind == "DTypePolicy" || kind == "FloatDTypePolicy" || kind == "Policy";
    name = plain ? policy : shown(kind) + " " + policy;
  } else {
    name = shown(*type);
  }
  if (name != "float32" && name != "mixed_float16" && name != "mixed_bfloat16")
    settings.problem("it computes in " + name + ", but layers compute in float32 here");
}

// Keras' Normalization of known mean and variance, the same for all channels, is a Rescaling.
inline std::optional<Described> described_normalization(const Settings& settings) {
  const auto only_number = [&](const char* key) -> std::optional<double> {
    const Json* value = settings.find(key);
    if (!value) return {};
    std::vector<double> numbers;
    const Json flat = value->is_structured() ? value->flatten() : Json{{"", *value}};
    for (const Json& one : flat) {
      const auto number = finite_number(one);
      if (!number || (!numbers.empty() && *number != numbers.front())) return {};
      numbers.push_back(*number);
    }
    if (numbers.empty()) return {};
    return numbers.front();
  };
  const auto mean = only_number("mean"), variance = only_number("variance");
  if (!mean || !variance || *variance < 0) {
    settings.problem(
        "a Normalization is a Rescaling here, which needs one mean and one variance for all channels");
    return {};
  }
  const double deviation = std::max(std::sqrt(*variance), 1e-7);
  if (settings.flag("invert", false)) return Described{rescaling(settings.name(), deviation, *mean)};
  return Described{rescaling(settings.name(), 1 / deviation, -*mean / deviation)};
}

inline std::vector<std::int64_t> frame_of(const Settings& settings) {
  const Json* const value = settings.find("padding");
  if (!value) return {1, 1};
  if (!value->is_array() || value->size() != 2 || !(*value)[0].is_array())
    return settings.pair("padding", {}, 0);
  Json sides = Json::array();
  for (const Json& both : *value) {
    if (!both.is_array() || both.size() != 2 || both[0] != both[1]) {
      settings.problem("its padding is " + shown(*value) +
                       ", but only equal padding on both sides exists here");
      return {1, 1};
    }
    sides.push_back(both[0]);
  }
  const Json equal{{"padding", sides}};
  return settings.with(equal).pair("padding", {}, 0);
}

inline std::optional<Described> described_layer(const std::string& class_name, const Settings& settings) {
  const std::string& name = settings.name();
  const auto one = [&](Attributes attributes = {}, const std::string& here = "") {
    return Described{plain_layer(here.empty() ? class_name : here, name, std::move(attributes))};
  };
  const auto padding = [&] { return settings.word("padding", "valid", {"valid", "same"}); };
  const auto is_one_pair = [&](const char* key) {
    return settings.is_usual(key, 1) || settings.is_usual(key, Json::array({1, 1}));
  };
  const auto undilated = [&] {
    if (!is_one_pair("dilation_rate"))
      settings.problem("its dilation_rate is " + shown(*settings.find("dilation_rate")) +
                       ", but only 1 exists here");
  };
  // Which one is the last is known when shapes are.
  const auto axis = [&] { return Attribute{"axis", settings.axes("axis")}; };
  const auto center = [&] { return Attribute{"center", settings.flag("center", true)}; };
  const auto scale = [&] { return Attribute{"scale", settings.flag("scale", true)}; };
  check_number_type(settings);
  if (!settings.is_usual("data_format", "channels_last"))
    settings.problem("its data_format is " + shown(*settings.find("data_format")) +
                     ", but digitnet's images are channels_last");

  if (class_name == "Dense")
    return one({{"units", settings.count("units")}, {"use_bias", settings.flag("use_bias", true)}});
  if (class_name == "Conv2D") {
    undilated();
    settings.must_be("groups", 1);
    return one({{"filters", settings.count("filters")},
                {"kernel_size", settings.pair("kernel_size")},
                {"strides", settings.pair("strides", {{1, 1}})},
                {"padding", padding()},
                {"use_bias", settings.flag("use_bias", true)}});
  }
  if (class_name == "DepthwiseConv2D" || class_name == "SeparableConv2D") {
    undilated();
    Attributes attributes{{"kernel_size", settings.pair("kernel_size")},
                          {"strides", settings.pair("strides", {{1, 1}})},
                          {"padding", padding()},
                          {"depth_multiplier", settings.count("depth_multiplier", 1)},
                          {"use_bias", settings.flag("use_bias", true)}};
    if (class_name == "SeparableConv2D")
      attributes.insert(attributes.begin(), {"filters", settings.count("filters")});
    return one(std::move(attributes));
  }
  if (class_name == "MaxPooling2D" || class_name == "AveragePooling2D") {
    const auto size = settings.pair("pool_size");
    return one({{"pool_size", size}, {"strides", settings.pair("strides", size)}, {"padding", padding()}});
  }
  if (class_name == "GlobalAveragePooling2D") {
    Described result = one();
    if (settings.flag("keepdims", false))
      result.push_back(plain_layer("Reshape", name, {{"target_shape", std::vector<std::int64_t>{1, 1, -1}}}));
    return result;
  }
  if (class_name == "BatchNormalization") {
    settings.must_be("renorm", false);
    return one({center(),
                scale(),
                {"epsilon", settings.number("epsilon", 1e-3)},
                {"momentum", settings.number("momentum", 0.99)},
                axis()});
  }
  if (class_name == "LayerNormalization") {
    settings.must_be("rms_scaling", false);
    return one({center(), scale(), {"epsilon", settings.number("epsilon", 1e-3)}, axis()});
  }
  if (class_name == "Normalization") return described_normalization(settings);
  if (class_name == "Flatten") return one();
  if (class_name == "Softmax" || class_name == "Concatenate") return one({axis()});
  if (class_name == "Add" || class_name == "Multiply" || class_name == "Subtract") return one();
  if (class_name == "Average" && !settings.find("axis")) return one();
  if (class_name == "Dropout" || class_name == "SpatialDropout2D")
    return one({{"rate", settings.number_within("rate", 0.5, 0, 1)}});
  if (class_name == "GaussianNoise") return one({{"stddev", settings.number_within("stddev", 0.1, 0, 1e30)}});
  if (class_name == "RandomFlip")
    return one({{"mode", settings.word("mode", "horizontal_and_vertical",
                                       {"horizontal", "vertical", "horizontal_and_vertical"})}});
  if (class_name == "RandomRotation" || class_name == "RandomTranslation" || class_name == "RandomZoom") {
    const bool zooms = class_name == "RandomZoom";
    Attributes attributes;
    for (const char* const key : {"factor", "height_factor", "width_factor"})
      if (settings.find(key) && !(zooms && std::string_view(key) == "width_factor"))
        attributes.push_back({key, settings.factor(key, zooms ? 0.99 : 1)});
    attributes.push_back(
        {"fill_mode", settings.word("fill_mode", "reflect", {"constant", "nearest", "reflect", "wrap"})});
    return one(std::move(attributes));
  }
  if (class_name == "LeakyReLU")  // Keras 2 calls it alpha
    return one({{"negative_slope", settings.number("negative_slope", settings.number("alpha", 0.3))}});
  if (class_name == "ELU") return one({{"alpha", settings.number("alpha", 1)}});
  if (class_name == "ReLU") {
    if (settings.find("max_value"))
      settings.problem("its max_value is " + shown(*settings.find("max_value")) +
                       ", but a ReLU has none here");
    if (settings.number("threshold", 0) != 0) settings.must_be("threshold", 0);
    const double slope = settings.number("negative_slope", 0);
    return slope == 0 ? one() : one({{"negative_slope", slope}}, "LeakyReLU");
  }
  if (class_name == "Rescaling")
    return Described{rescaling(name, settings.number("scale", 1), settings.number("offset", 0))};
  if (class_name == "Reshape" && !settings.find("newshape")) {
    const Json* const target = settings.find("target_shape");
    if (!target) {
      settings.problem("its configuration has no \"target_shape\"");
      return {};
    }
    return one({{"target_shape", settings.axes("target_shape")}});
  }
  if (class_name == "ZeroPadding2D") return one({{"padding", frame_of(settings)}});
  if (class_name == "Activation" || class_name == "Identity") return Described{};
  settings.problem("there is no " + class_name + " here");
  return {};
}

}  // namespace digitnet::keras::detail
