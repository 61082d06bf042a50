// Layers that act in training only, and Identity, as ONNX: they add no nodes.
#pragma once
#include "digitnet/onnx/operator.hpp"

namespace digitnet::onnx_operators {

inline const Entry training_only({"Dropout", "SpatialDropout2D", "GaussianNoise", "RandomFlip",
                                  "RandomRotation", "RandomTranslation", "RandomZoom", "Identity"},
                                 [](OnnxGraph&, const LayerDescription&) {});

}  // namespace digitnet::onnx_operators
