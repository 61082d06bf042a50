// How a layer of a functional model is called, in Keras 2's or 3's notation: on which results and numbers.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "digitnet/keras/settings.hpp"

namespace digitnet::keras::detail {

/// What a layer is called with: the result of another layer, or a number.
struct Argument {
  /// The layer whose result it is; empty for a number
  std::string layer;
  double number = 0;
  /// Whether it is made of whole numbers, which wrap where they end.
  bool whole = false;
  /// The result's shape, where the file says it
  const Json* shape = nullptr;
};

struct Call {
  std::vector<Argument> arguments;
  /// Whether it always behaves as in training
  bool training = false;

  bool has_numbers() const {
    for (const Argument& argument : arguments)
      if (argument.layer.empty()) return true;
    return false;
  }
};

class CallReader {
 public:
  CallReader(const Settings& layer, Call& call) : layer_(layer), call_(call) {}

  /// Reads one of a layer's inbound_nodes.
  void node(const Json& node) {
    if (node.is_array()) {
      if (is_old_tensor(node)) {
        old_tensor(node);
        return;
      }
      for (const Json& part : node) this->node(part);
    } else if (node.is_object() && node.contains("args")) {
      // The second argument of a layer on one tensor says whether it trains.
      const Json& arguments = node["args"];
      for (std::size_t i = 0; arguments.is_array() && i < arguments.size(); ++i) {
        if (i > 0 && arguments[i].is_boolean())
          setting("training", arguments[i]);
        else
          argument(arguments[i]);
      }
      if (node.contains("kwargs")) settings(node["kwargs"]);
    }
  }
  /// Reads a model's output_layers: ["name", 0, 0], a list or a dictionary of them.
  void outputs(const Json& layers) {
    if (is_old_tensor(layers))
      tensor(layers[0], layers[2], false);
    else if (layers.is_structured())
      for (const Json& part : layers) outputs(part);
  }

 private:
  // Keras 2's ["name", 0, 0], and ["name", 0, 0, {"training": true}].
  static bool is_old_tensor(const Json& node) {
    return node.is_array() && node.size() >= 3 && node.size() <= 4 && node[0].is_string() &&
           node[1].is_number_integer();
  }
  // Keras 3's constant of one number.
  static bool is_single_tensor(const Json& value) {
    return value.is_object() && value.contains("config") && value["config"].is_object() &&
           value["config"].contains("value") && value["config"]["value"].is_number();
  }
  void tensor(const Json& name, const Json& output, bool whole, const Json* shape = nullptr) {
    if (output.is_number_integer() && output != 0)
      layer_.problem("it gets output " + output.dump() + " of " + shown(name) +
                     ", but layers have one output here");
    call_.arguments.push_back({name.is_string() ? name.get<std::string>() : shown(name), 0, whole, shape});
  }
  void old_tensor(const Json& node) {
    if (node[0] == "_CONSTANT_VALUE")
      argument(node[2]);
    else
      tensor(node[0], node[2], false);
    // Each tensor of a list repeats them.
    if (node.size() == 4 && call_.arguments.size() <= 1) settings(node[3]);
  }
  void argument(const Json& value) {
    if (value.is_null()) return;
    if (is_old_tensor(value)) {
      old_tensor(value);
    } else if (value.is_array()) {
      for (const Json& part : value) argument(part);
    } else if (value.is_object() && value.contains("config") && value["config"].is_object() &&
               value["config"].contains("keras_history") && value["config"]["keras_history"].is_array() &&
               value["config"]["keras_history"].size() == 3) {
      const Json& history = value["config"]["keras_history"];
      const Json type = value["config"].value("dtype", Json("float32"));
      const std::string word = type.is_string() ? type.get<std::string>() : "";
      const auto shape = value["config"].find("shape");
      tensor(history[0], history[2], word.find("int") != std::string::npos || word == "bool",
             shape == value["config"].end() ? nullptr : &*shape);
    } else if (is_single_tensor(value)) {
      argument(value["config"]["value"]);
    } else if (const auto number = finite_number(value)) {
      call_.arguments.push_back({"", *number, value.is_number_integer(), nullptr});
    } else {
      layer_.problem("it is called with " + shown(value) +
                     ", but only layers' results and numbers are known");
    }
  }
  void setting(const std::string& key, const Json& value) {
    if (value.is_null() || key == "name") return;
    if (key == "training") {
      call_.training = call_.training || (value.is_boolean() ? value.get<bool>() : value != 0);
    } else if (key == "inputs" || key == "x" || key == "y" || key == "x1" || key == "x2") {
      argument(value);
    } else {
      layer_.problem("it is called with " + key + "=" + shown(value) + ", which does not exist here");
    }
  }
  void settings(const Json& values) {
    if (!values.is_object()) return;
    for (const auto& [key, value] : values.items()) setting(key, value);
  }

  const Settings& layer_;
  Call& call_;
};

}  // namespace digitnet::keras::detail
