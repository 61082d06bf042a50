// From descriptions to Keras' configurations of models.
#pragma once
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/inspect/description_order.hpp"
#include "digitnet/keras/config.hpp"
#include "digitnet/layers/layer.hpp"
#include "digitnet/model/chain.hpp"

namespace digitnet::keras {

/// Keras' generation: how a configuration is written.
enum class Generation { keras2_and_3, keras3 };

/// A model to be written: Keras' configuration, and for each of its layers the weights that belong to it.
struct WrittenLayer {
  std::string name, class_name;
  const LayerDescription* source = nullptr;  ///< whose weights it has
  std::vector<std::size_t> sources{};        ///< whose results it gets: 0 is the input, i the i-th
  Json config{};
};
struct WrittenModel {
  Json config;
  std::vector<WrittenLayer> layers;
};

namespace detail {

// Keras' order, which its stores of weights count by.
[[gnu::cold]] inline void put_in_order(std::vector<WrittenLayer>& layers) {
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
[[gnu::cold]] inline WrittenModel write_config(const ModelDescription& model, Generation generation) {
  const bool modern = generation == Generation::keras3;
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
  const auto initializer = [&](const char* name) {
    return object("keras.initializers", name,
                  std::string(name) == "GlorotUniform" ? Json{{"seed", nullptr}} : Json::object());
  };
  const auto batch_shape = [](const std::vector<std::size_t>& shape) {
    Json list = Json::array({nullptr});
    for (const std::size_t extent : shape) list.push_back(extent);
    return list;
  };
  const auto layer_json = [&](const WrittenLayer& layer) {
    Json json = object("keras.layers", layer.class_name.c_str(), layer.config);
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
    const auto activation_of = [modern](const LayerDescription& l) -> const char* {
      if (l.class_name == "ELU" && l.attribute<double>("alpha") != 1) return nullptr;
      if (l.class_name == "GELU" && l.attribute<bool>("approximate")) return nullptr;
      for (const auto& [keras, name] : detail::activation_names)
        if (l.class_name == name && (modern || std::string_view(keras) != "silu")) return keras;
      return nullptr;
    };
    // Takes the activation behind this layer into it.
    const auto swallowed = [&]() -> Json {
      if (i + 1 == model.layers.size() || uses[i + 1] != 1 ||
          model.sources(i + 1) != std::vector<std::size_t>{i + 1})
        return "linear";
      const char* const next = activation_of(model.layers[i + 1]);
      if (!next) return "linear";
      ++i;
      written_by[i] = result.layers.size() + 1;
      return next;
    };
    const bool has_layer =
        layer.class_name == "ReLU" || layer.class_name == "Softmax" || layer.class_name == "ELU";
    const char* const as_activation = has_layer ? nullptr : activation_of(layer);
    const std::string class_name = as_activation ? "Activation" : layer.class_name;
    Json config{{"name", ""}, {"trainable", true}, {"dtype", type}};
    const auto list = [&](const char* key) { return Json(layer.attribute<std::vector<std::int64_t>>(key)); };
    const auto single = [&](const char* key) { return detail::short_number(layer.attribute<double>(key)); };
    const auto add_weight_settings = [&](std::vector<std::string> kernels = {"kernel"}) {
      for (const std::string& kernel : kernels) {
        config[kernel + "_initializer"] = initializer("GlorotUniform");
        config[kernel + "_regularizer"] = config[kernel + "_constraint"] = nullptr;
      }
      config["bias_initializer"] = initializer("Zeros");
      for (const char* const key : {"bias_regularizer", "activity_regularizer", "bias_constraint"})
        config[key] = nullptr;
    };
    // A range of random numbers, as Keras writes it.
    const auto range = [&](const char* key) { return Json{-single(key), single(key)}; };
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
    } else if (class_name == "DepthwiseConv2D" || class_name == "SeparableConv2D") {
      const bool separable = class_name == "SeparableConv2D";
      if (separable) config["filters"] = layer.attribute<std::int64_t>("filters");
      config["kernel_size"] = list("kernel_size");
      config["strides"] = list("strides");
      config["padding"] = layer.attribute<std::string>("padding");
      config["data_format"] = "channels_last";
      config["dilation_rate"] = {1, 1};
      config["depth_multiplier"] = layer.attribute<std::int64_t>("depth_multiplier");
      config["activation"] = swallowed();
      config["use_bias"] = layer.attribute<bool>("use_bias");
      if (separable)
        add_weight_settings({"depthwise", "pointwise"});
      else
        add_weight_settings({"depthwise"});
    } else if (class_name == "LayerNormalization") {
      config["axis"] = -1;
      config["epsilon"] = single("epsilon");
      config["center"] = layer.attribute<bool>("center");
      config["scale"] = layer.attribute<bool>("scale");
      for (const char* const key : {"beta", "gamma"}) {
        config[std::string(key) + "_initializer"] = initializer(key[0] == 'b' ? "Zeros" : "Ones");
        config[std::string(key) + "_regularizer"] = config[std::string(key) + "_constraint"] = nullptr;
      }
    } else if (class_name == "Concatenate") {
      config["axis"] = -1;
    } else if (class_name == "Add" || class_name == "Multiply") {
      // They have no settings.
    } else if (class_name == "SpatialDropout2D") {
      // Keras 3 takes nothing here that it has not written itself.
      config.erase("trainable");
      config["dtype"] = "float32";
      config["rate"] = single("rate");
      config["seed"] = nullptr;
      config["data_format"] = "channels_last";
    } else if (class_name == "GaussianNoise") {
      config["stddev"] = single("stddev");
      config["seed"] = nullptr;
    } else if (class_name == "RandomFlip") {
      config["mode"] = layer.attribute<std::string>("mode");
      config["seed"] = nullptr;
    } else if (class_name == "RandomRotation" || class_name == "RandomTranslation" ||
               class_name == "RandomZoom") {
      for (const char* const key : {"factor", "height_factor", "width_factor"})
        if (std::any_of(layer.attributes.begin(), layer.attributes.end(),
                        [&](const Attribute& a) { return a.name == key; }))
          config[key] = range(key);
      if (class_name == "RandomZoom") config["width_factor"] = nullptr;
      config["fill_mode"] = layer.attribute<std::string>("fill_mode");
      config["interpolation"] = "bilinear";
      config["seed"] = nullptr;
      config["fill_value"] = 0.0;
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
    for (const WeightDescription& weight : layer.weights) {
      if (!weight.regularizer.active()) continue;
      // A depthwise kernel's setting has no "kernel" in its name, with some layers nor the weight itself.
      const bool is_kernel = weight.name.ends_with("_kernel");
      const std::string key = is_kernel ? weight.name.substr(0, weight.name.size() - 7)
                              : class_name == "DepthwiseConv2D" && weight.name == "kernel" ? "depthwise"
                                                                                           : weight.name;
      config[key + "_regularizer"] = object("keras.regularizers", "L1L2",
                                            Json{{"l1", detail::short_number(weight.regularizer.l1)},
                                                 {"l2", detail::short_number(weight.regularizer.l2)}});
    }
    // What was taken in has the number of this layer.
    result.layers.push_back({"", class_name, &layer, std::move(sources), std::move(config)});
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
