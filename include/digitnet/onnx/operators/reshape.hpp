// Flatten and Reshape as ONNX. Images have their channels last when they change shape.
#pragma once
#include <vector>

#include "digitnet/onnx/operator.hpp"

namespace digitnet::onnx_operators {

inline const Entry flatten({"Flatten"}, [](OnnxGraph& graph, const LayerDescription&) {
  graph.channels_last();
  graph.step("Flatten").set("axis", 1);
});

inline const Entry reshape({"Reshape"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  graph.channels_last();
  std::vector<std::int64_t> shape{-1};
  for (const std::size_t extent : layer.output) shape.push_back(static_cast<std::int64_t>(extent));
  graph.step("Reshape", {graph.list(shape)});
});

}  // namespace digitnet::onnx_operators
