// The attributes of a window that slides over an image. ONNX says "same" padding in numbers.
#pragma once
#include <cstdint>
#include <vector>

#include "digitnet/core/shape.hpp"
#include "digitnet/onnx/graph.hpp"

namespace digitnet::onnx_operators {

inline void set_window(OnnxNode node, const LayerDescription& layer,
                       const std::vector<std::int64_t>& window) {
  const auto strides = layer.attribute<std::vector<std::int64_t>>("strides", {1, 1});
  const Padding padding = layer.attribute<std::string>("padding") == "same" ? Padding::same : Padding::valid;
  std::vector<std::int64_t> pads(4);
  for (std::size_t axis = 0; axis < 2 && padding == Padding::same; ++axis) {
    const Sliding sliding(layer.input[axis], static_cast<std::size_t>(window[axis]),
                          static_cast<std::size_t>(strides[axis]), padding);
    pads[axis] = static_cast<std::int64_t>(sliding.before);
    pads[axis + 2] = static_cast<std::int64_t>(sliding.padded - layer.input[axis] - sliding.before);
  }
  node.set("kernel_shape", window).set("strides", strides).set("pads", pads);
}

}  // namespace digitnet::onnx_operators
