// Keras' operations on results, such as x / 255 or relu(x), as layers.
#pragma once
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "digitnet/keras/read_call.hpp"
#include "digitnet/keras/read_layer.hpp"

namespace digitnet::keras::detail {

// The layers' names for operations of keras.ops, and of TensorFlow where a model is made of its functions.
struct OperationName {
  const char* operation;
  const char* layer;
};
inline constexpr OperationName operation_names[] = {{"__operators__.add", "Add"},
                                                    {"math.add", "Add"},
                                                    {"math.subtract", "Subtract"},
                                                    {"math.multiply", "Multiply"},
                                                    {"math.truediv", "Divide"},
                                                    {"math.divide", "Divide"},
                                                    {"math.negative", "Negative"},
                                                    {"nn.relu", "ReLU"},
                                                    {"nn.elu", "ELU"},
                                                    {"math.sigmoid", "Sigmoid"},
                                                    {"math.tanh", "Tanh"},
                                                    {"math.softplus", "Softplus"},
                                                    {"nn.silu", "SiLU"},
                                                    {"TrueDivide", "Divide"},
                                                    {"Relu", "ReLU"},
                                                    {"Elu", "ELU"},
                                                    {"LeakyRelu", "LeakyReLU"},
                                                    {"Silu", "SiLU"},
                                                    {"Gelu", "GELU"},
                                                    {"HardSilu", "HardSwish"}};

// The class that a layer of a file has here: an operation's is that of the layer which does the same.
inline std::string class_here(const Json& layer) {
  const auto name = layer.at("class_name").get<std::string>();
  std::string operation = name;
  if (name == "TFOpLambda") {
    const Json function = layer.at("config").value("function", Json());
    operation = function.is_string() ? function.get<std::string>() : name;
  }
  for (const auto& [known, here] : operation_names)
    if (operation == known) return here;
  return operation;
}

// A number and a result: y = scale x + offset, or nothing if it is not of that kind.
inline std::optional<Described> described_line(const std::string& class_name, const Settings& settings,
                                               const Call& call) {
  if (call.arguments.size() != 2) return {};
  const bool first = call.arguments[0].layer.empty();
  const double number = call.arguments[first ? 0 : 1].number;
  const auto line = [&](double scale, double offset) {
    return Described{rescaling(settings.name(), scale, offset)};
  };
  if (class_name == "Add") return line(1, number);
  if (class_name == "Subtract") return first ? line(-1, number) : line(1, -number);
  if (class_name == "Multiply") return line(number, 0);
  if (class_name == "Divide" && !first && std::isfinite(static_cast<float>(1 / number)))
    return line(1 / number, 0);
  return {};
}

// Operations that Keras has no layer of.
inline std::optional<Described> described_operation(const std::string& class_name, const Settings& settings) {
  if (class_name == "Negative") return Described{rescaling(settings.name(), -1, 0)};
  for (const std::string_view plain : {"Sigmoid", "Tanh", "Softplus", "SiLU", "HardSwish"})
    if (class_name == plain) return Described{plain_layer(class_name, settings.name())};
  if (class_name == "GELU")
    return Described{
        plain_layer("GELU", settings.name(), {{"approximate", settings.flag("approximate", true)}})};
  return described_layer(class_name, settings);
}

}  // namespace digitnet::keras::detail
