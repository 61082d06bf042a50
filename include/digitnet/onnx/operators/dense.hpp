// Dense as ONNX: one node, Gemm, which multiplies by the kernel and adds the bias.
#pragma once
#include <vector>

#include "digitnet/onnx/operator.hpp"

namespace digitnet::onnx_operators {

inline const Entry dense({"Dense"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  std::vector<std::string> more;
  for (const WeightDescription& weight : layer.weights) more.push_back(graph.weight(weight));
  graph.step("Gemm", more);
});

}  // namespace digitnet::onnx_operators
