// The elementwise activations as ONNX. The order of axes does not matter to them.
#pragma once
#include <cmath>
#include <numbers>

#include "digitnet/onnx/operator.hpp"

namespace digitnet::onnx_operators {

inline const Entry relu({"ReLU"}, [](OnnxGraph& graph, const LayerDescription&) { graph.step("Relu"); });

inline const Entry same_name({"Sigmoid", "Tanh", "Softplus"},
                             [](OnnxGraph& graph, const LayerDescription& layer) {
                               graph.step(layer.class_name);
                             });

inline const Entry leaky_relu({"LeakyReLU"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  graph.step("LeakyRelu").set("alpha", layer.attribute<double>("negative_slope"));
});

inline const Entry elu({"ELU"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  graph.step("Elu").set("alpha", layer.attribute<double>("alpha"));
});

inline const Entry silu({"SiLU"}, [](OnnxGraph& graph, const LayerDescription&) {
  const std::string x = graph.value();
  graph.step("Sigmoid");
  graph.step("Mul", {x});
});

inline const Entry hard_swish({"HardSwish"}, [](OnnxGraph& graph, const LayerDescription&) {
  const std::string x = graph.value();
  graph.step("HardSigmoid").set("alpha", 1.0f / 6).set("beta", 0.5f);
  graph.step("Mul", {x});
});

inline const Entry gelu({"GELU"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  const std::string x = graph.value();
  if (layer.attribute<bool>("approximate")) {
    // tanh(sqrt(2 / pi) (x + 0.044715 x^3))
    graph.step("Mul", {x});
    graph.step("Mul", {graph.number(0.044715)});
    graph.step("Add", {graph.number(1)});
    graph.step("Mul", {x});
    graph.step("Mul", {graph.number(std::sqrt(2 * std::numbers::inv_pi))});
    graph.step("Tanh");
  } else {
    graph.step("Mul", {graph.number(std::numbers::sqrt2 / 2)});
    graph.step("Erf");
  }
  graph.step("Add", {graph.number(1)});
  graph.step("Mul", {x});
  graph.step("Mul", {graph.number(0.5)});
});

}  // namespace digitnet::onnx_operators
