// MaxPooling2D, AveragePooling2D and GlobalAveragePooling2D as ONNX.
#pragma once
#include "digitnet/onnx/operator.hpp"
#include "digitnet/onnx/operators/window.hpp"

namespace digitnet::onnx_operators {

inline void add_pooling(OnnxGraph& graph, const LayerDescription& layer, const char* operation) {
  graph.channels_first();
  set_window(graph.step(operation), layer, layer.attribute<std::vector<std::int64_t>>("pool_size"));
}
inline const Entry max_pooling({"MaxPooling2D"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  add_pooling(graph, layer, "MaxPool");
});
inline const Entry average_pooling({"AveragePooling2D"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  add_pooling(graph, layer, "AveragePool");
});

inline const Entry global_pooling({"GlobalAveragePooling2D"}, [](OnnxGraph& graph, const LayerDescription&) {
  graph.channels_first();
  graph.step("ReduceMean").set("axes", {2, 3}).set("keepdims", 0);
  graph.forget_channels_first();
});

}  // namespace digitnet::onnx_operators
