// Rescaling as ONNX: a product and a sum.
#pragma once
#include "digitnet/onnx/operator.hpp"

namespace digitnet::onnx_operators {

inline const Entry rescaling({"Rescaling"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  graph.step("Mul", {graph.number(layer.attribute<double>("scale"))});
  graph.step("Add", {graph.number(layer.attribute<double>("offset"))});
});

}  // namespace digitnet::onnx_operators
