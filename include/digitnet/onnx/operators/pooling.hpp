// MaxPooling2D, AveragePooling2D and GlobalAveragePooling2D as ONNX.
#pragma once
#include "digitnet/onnx/operator.hpp"
#include "digitnet/onnx/operators/window.hpp"

namespace digitnet::onnx_operators {

inline const Entry pooling({"MaxPooling2D", "AveragePooling2D"},
                           [](OnnxGraph& graph, const LayerDescription& layer) {
                             graph.channels_first();
                             const bool takes_most = layer.class_name == "MaxPooling2D";
                             set_window(graph.step(takes_most ? "MaxPool" : "AveragePool"), layer,
                                        layer.attribute<std::vector<std::int64_t>>("pool_size"));
                           });

inline const Entry global_pooling({"GlobalAveragePooling2D"}, [](OnnxGraph& graph, const LayerDescription&) {
  graph.channels_first();
  graph.step("ReduceMean").set("axes", {2, 3}).set("keepdims", 0);
  graph.forget_channels_first();
});

}  // namespace digitnet::onnx_operators
