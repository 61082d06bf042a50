// From descriptions to Keras' configurations of models.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/io/keras_config.hpp"
#include "digitnet/layers/layer.hpp"
#include "digitnet/model/chain.hpp"

namespace digitnet::keras {

/// Keras' generation: how a configuration is written.
enum class Generation { keras2_and_3, keras3 };

/// A model to be written: Keras' configuration, and for each of its layers the weights that belong to it.
struct WrittenLayer {
  std::string name, class_name;
  const LayerDescription* source = nullptr;  ///< whose weights it has
};
struct WrittenModel {
  Json config;
  std::vector<WrittenLayer> layers;
};

/// A chain as Keras would have built it: an activation that follows a Dense or Conv2D is inside it. With
/// `keras2_and_3`, what both read: the input's shape is `batch_input_shape`, types are plain words.
[[gnu::cold]] inline WrittenModel write_config(const ModelDescription& model, Generation generation) {
  const bool modern = generation == Generation::keras3;
  WrittenModel result;
  Json layers = Json::array();
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
  const auto initializer = [&](const char* name) {
    return object("keras.initializers", name,
                  std::string(name) == "GlorotUniform" ? Json{{"seed", nullptr}} : Json::object());
  };
  const auto batch_shape = [](const std::vector<std::size_t>& shape) {
    Json list = Json::array({nullptr});
    for (const std::size_t extent : shape) list.push_back(extent);
    return list;
  };
  const auto add = [&](const char* class_name, const std::string& name, Json config,
                       const LayerDescription* source) {
    Json layer = object("keras.layers", class_name, std::move(config));
    if (modern && source && !source->weights.empty())
      layer["build_config"] = {{"input_shape", batch_shape(source->input)}};
    layers.push_back(std::move(layer));
    if (source) result.layers.push_back({name, class_name, source});
  };
  add("InputLayer", "input_layer",
      Json{{modern ? "batch_shape" : "batch_input_shape", batch_shape(model.input)},
           {"dtype", "float32"},
           {"sparse", false},
           {"ragged", false},
           {"name", "input_layer"}},
      nullptr);

  digitnet::detail::LayerNames names;
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const LayerDescription& layer = model.layers[i];
    const auto activation_of = [modern](const LayerDescription& l) -> const char* {
      if (l.class_name == "ELU" && l.attribute<double>("alpha") != 1) return nullptr;
      if (l.class_name == "GELU" && l.attribute<bool>("approximate")) return nullptr;
      for (const auto& [keras, name] : detail::activation_names)
        if (l.class_name == name && (modern || std::string_view(keras) != "silu")) return keras;
      return nullptr;
    };
    // Takes the activation behind this layer into it.
    const auto swallowed = [&]() -> Json {
      const char* const next = i + 1 < model.layers.size() ? activation_of(model.layers[i + 1]) : nullptr;
      if (!next) return "linear";
      ++i;
      return next;
    };
    const bool has_layer =
        layer.class_name == "ReLU" || layer.class_name == "Softmax" || layer.class_name == "ELU";
    const char* const as_activation = has_layer ? nullptr : activation_of(layer);
    const std::string class_name = as_activation ? "Activation" : layer.class_name;
    Json config{{"name", names.next(class_name)}, {"trainable", true}, {"dtype", type}};
    const std::string name = config["name"].get<std::string>();
    const auto list = [&](const char* key) { return Json(layer.attribute<std::vector<std::int64_t>>(key)); };
    const auto single = [&](const char* key) { return detail::short_number(layer.attribute<double>(key)); };
    const auto add_weight_settings = [&] {
      config["kernel_initializer"] = initializer("GlorotUniform");
      config["bias_initializer"] = initializer("Zeros");
      for (const char* const key : {"kernel_regularizer", "bias_regularizer", "activity_regularizer",
                                    "kernel_constraint", "bias_constraint"})
        config[key] = nullptr;
    };
    if (class_name == "Dense") {
      config["units"] = layer.attribute<std::int64_t>("units");
      config["activation"] = swallowed();
      config["use_bias"] = layer.attribute<bool>("use_bias");
      add_weight_settings();
    } else if (class_name == "Conv2D") {
      config["filters"] = layer.attribute<std::int64_t>("filters");
      config["kernel_size"] = list("kernel_size");
      config["strides"] = list("strides");
      config["padding"] = layer.attribute<std::string>("padding");
      config["data_format"] = "channels_last";
      config["dilation_rate"] = {1, 1};
      config["groups"] = 1;
      config["activation"] = swallowed();
      config["use_bias"] = layer.attribute<bool>("use_bias");
      add_weight_settings();
    } else if (class_name == "MaxPooling2D" || class_name == "AveragePooling2D") {
      config["pool_size"] = list("pool_size");
      config["padding"] = layer.attribute<std::string>("padding");
      config["strides"] = list("strides");
      config["data_format"] = "channels_last";
    } else if (class_name == "GlobalAveragePooling2D") {
      config["data_format"] = "channels_last";
      config["keepdims"] = false;
    } else if (class_name == "Flatten") {
      config["data_format"] = "channels_last";
    } else if (class_name == "BatchNormalization") {
      config["axis"] = -1;
      config["momentum"] = single("momentum");
      config["epsilon"] = single("epsilon");
      config["center"] = layer.attribute<bool>("center");
      config["scale"] = layer.attribute<bool>("scale");
      for (const auto& [key, what] : {std::pair{"beta", "Zeros"},
                                      {"gamma", "Ones"},
                                      {"moving_mean", "Zeros"},
                                      {"moving_variance", "Ones"}})
        config[std::string(key) + "_initializer"] = initializer(what);
      for (const char* const key :
           {"beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint"})
        config[key] = nullptr;
    } else if (class_name == "Dropout") {
      config["rate"] = single("rate");
      config["noise_shape"] = nullptr;
      config["seed"] = nullptr;
    } else if (class_name == "LeakyReLU") {
      config[modern ? "negative_slope" : "alpha"] = single("negative_slope");
    } else if (class_name == "ELU") {
      config["alpha"] = single("alpha");
    } else if (class_name == "ReLU") {
      config["max_value"] = nullptr;
      config["negative_slope"] = 0.0;
      config["threshold"] = 0.0;
    } else if (class_name == "Softmax") {
      config["axis"] = -1;
    } else if (class_name == "Rescaling") {
      config["scale"] = single("scale");
      config["offset"] = single("offset");
    } else if (class_name == "Reshape") {
      config["target_shape"] = list("target_shape");
    } else if (class_name == "ZeroPadding2D") {
      const auto frame = layer.attribute<std::vector<std::int64_t>>("padding", {1, 1});
      config["padding"] = {{frame[0], frame[0]}, {frame[1], frame[1]}};
      config["data_format"] = "channels_last";
    } else if (class_name == "Activation") {
      config["activation"] = as_activation;
    } else {
      fail("The layer \"" + layer.name + "\" cannot be written to Keras' files: Keras has no " +
           layer.text());
    }
    add(class_name.c_str(), name, std::move(config), &layer);
  }
  Json sequential{
      {"name", "sequential"}, {"trainable", true}, {"dtype", type}, {"layers", std::move(layers)}};
  if (modern)
    sequential["build_input_shape"] = batch_shape(model.input);
  else
    sequential = Json{{"name", "sequential"}, {"layers", sequential["layers"]}};
  result.config = object("keras", "Sequential", std::move(sequential));
  if (modern) result.config["build_config"] = {{"input_shape", batch_shape(model.input)}};
  return result;
}

}  // namespace digitnet::keras
