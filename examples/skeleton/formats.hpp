// Entries for file formats to copy: how the skeleton's layers are written as ONNX.
#pragma once
#include <any>
#include <digitnet/onnx/operator.hpp>
#include <string>
#include <vector>

#include "activation.hpp"
#include "layer.hpp"

namespace digitnet::skeleton {

inline void write_swish(OnnxGraph& graph, const LayerDescription& layer) {
  const std::string x = graph.value();
  graph.step("Mul", {graph.number(layer.attribute<double>("beta"))});
  graph.step("Sigmoid");
  graph.step("Mul", {x});
}
inline void write_layer_scale(OnnxGraph& graph, const LayerDescription& layer) {
  // ONNX has an image's channels first between its layers: gamma is for those at the end.
  graph.channels_last();
  graph.step("Mul", {graph.weight(layer.weights[0])});
}

// Found beside the layer, in its namespace. A layer without such a function is refused by name.
inline std::vector<std::any> file_entries(const Swish&) { return {OnnxOperator{write_swish}}; }
inline std::vector<std::any> file_entries(const LayerScale&) { return {OnnxOperator{write_layer_scale}}; }

}  // namespace digitnet::skeleton
