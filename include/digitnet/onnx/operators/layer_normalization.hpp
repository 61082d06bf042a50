// LayerNormalization as ONNX. Opset 13 has no node for it: means, differences and products make it.
#pragma once
#include "digitnet/onnx/operator.hpp"

namespace digitnet::onnx_operators {

// (x - mean) / sqrt(mean((x - mean)^2) + epsilon) of the current value, over an axis.
inline void normalize(OnnxGraph& graph, std::int64_t axis, double epsilon) {
  const std::string x = graph.value();
  graph.step("ReduceMean").set("axes", {axis});
  const std::string centred = graph.node("Sub", {x, graph.value()}).output();
  graph.go_to(graph.node("Mul", {centred, centred}));
  graph.step("ReduceMean").set("axes", {axis});
  graph.step("Add", {graph.number(epsilon)});
  graph.step("Sqrt");
  graph.go_to(graph.node("Div", {centred, graph.value()}));
}

// Times gamma, plus beta, where the layer has them.
inline void scale_and_shift(OnnxGraph& graph, const LayerDescription& layer) {
  for (const WeightDescription& weight : layer.weights)
    graph.step(weight.name == "gamma" ? "Mul" : "Add", {graph.weight(weight)});
}

inline const Entry layer_normalization({"LayerNormalization"},
                                       [](OnnxGraph& graph, const LayerDescription& layer) {
                                         graph.channels_last();
                                         normalize(graph, -1, layer.attribute<double>("epsilon"));
                                         scale_and_shift(graph, layer);
                                       });

}  // namespace digitnet::onnx_operators
