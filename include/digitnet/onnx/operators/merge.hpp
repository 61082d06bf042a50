// Add, Multiply and Concatenate as ONNX: what puts the results of branches together.
#pragma once
#include <vector>

#include "digitnet/onnx/operator.hpp"

namespace digitnet::onnx_operators {

// The names of the values that meet; of images, all with their channels first.
inline std::vector<std::string> alike(OnnxGraph& graph, const LayerDescription& layer) {
  std::vector<std::string> names;
  for (const OnnxGraph::Value& source : graph.sources()) {
    graph.go_to(source);
    if (layer.output.size() == 3) graph.channels_first();
    names.push_back(graph.value());
  }
  return names;
}

inline const Entry add({"Add"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  graph.go_to(graph.node("Sum", alike(graph, layer)));
});

inline const Entry multiply({"Multiply"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  graph.go_to(graph.node("Mul", alike(graph, layer)));
});

inline const Entry concatenate({"Concatenate"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  OnnxNode node = graph.node("Concat", alike(graph, layer));
  node.set("axis", layer.output.size() == 3 ? 1 : -1);
  graph.go_to(node);
});

}  // namespace digitnet::onnx_operators
