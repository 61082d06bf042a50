// Entries for file formats to copy: what the skeleton's layers and its optimizer are in Keras' and ONNX
// files.
#pragma once
#include <any>
#include <digitnet/keras/keras.hpp>
#include <digitnet/onnx/operator.hpp>
#include <string>
#include <vector>

#include "activation.hpp"
#include "layer.hpp"
#include "optimizer.hpp"

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

// Found beside the class, in its namespace; what has no such function is refused by name. Keras gets the
// settings that the class declares, and knows it as "digitnet>Swish": in Python a class is registered under
// that name. import_keras includes the header that is named.
inline std::vector<std::any> file_entries(const Swish&) {
  return {OnnxOperator{write_swish}, keras::own_layer<Swish>("digitnet", "skeleton/activation.hpp")};
}
inline std::vector<std::any> file_entries(const LayerScale&) {
  return {OnnxOperator{write_layer_scale}, keras::own_layer<LayerScale>("digitnet", "skeleton/layer.hpp")};
}
// Names of the slots, in their order.
inline std::vector<std::any> file_entries(const Signum&) {
  return {keras::OptimizerEntry{.registered_name = "digitnet>Signum", .slots = {{{"mean", 0}}}}};
}

}  // namespace digitnet::skeleton
