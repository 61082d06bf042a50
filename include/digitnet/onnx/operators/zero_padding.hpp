// ZeroPadding2D as ONNX: a Pad, whose constant is 0.
#pragma once
#include "digitnet/onnx/operator.hpp"

namespace digitnet::onnx_operators {

inline const Entry zero_padding({"ZeroPadding2D"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  graph.channels_last();
  const auto border = layer.attribute<std::vector<std::int64_t>>("padding");
  graph.step("Pad", {graph.list({0, border[0], border[1], 0, 0, border[0], border[1], 0})});
});

}  // namespace digitnet::onnx_operators
