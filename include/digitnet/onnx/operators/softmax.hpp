// Softmax over the last axis as ONNX.
#pragma once
#include "digitnet/onnx/operator.hpp"

namespace digitnet::onnx_operators {

inline const Entry softmax({"Softmax"}, [](OnnxGraph& graph, const LayerDescription&) {
  graph.channels_last();
  graph.step("Softmax").set("axis", -1);
});

}  // namespace digitnet::onnx_operators
