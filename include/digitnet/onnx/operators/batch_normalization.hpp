// BatchNormalization as ONNX: each channel of an image, or each number of a flat sample.
#pragma once
#include <array>
#include <vector>

#include "digitnet/onnx/operator.hpp"

namespace digitnet::onnx_operators {

inline const Entry batch_normalization({"BatchNormalization"}, [](OnnxGraph& graph,
                                                                  const LayerDescription& layer) {
  if (layer.input.size() == 3)
    graph.channels_first();
  else if (layer.input.size() != 1)
    fail("The layer \"" + layer.name +
         "\" cannot be written as ONNX: it normalizes neither images nor flat samples");
  // ONNX wants all four, in this order.
  std::array<std::string, 4> names;
  for (const WeightDescription& weight : layer.weights)
    names[weight.name == "gamma"         ? 0
          : weight.name == "beta"        ? 1
          : weight.name == "moving_mean" ? 2
                                         : 3] = graph.weight(weight);
  const std::size_t channels = layer.input.back();
  if (names[0].empty()) names[0] = graph.tensor("gamma", {channels}, std::vector<float>(channels, 1.0f));
  if (names[1].empty()) names[1] = graph.tensor("beta", {channels}, std::vector<float>(channels, 0.0f));
  graph.step("BatchNormalization", {names[0], names[1], names[2], names[3]})
      .set("epsilon", layer.attribute<double>("epsilon"));
});

}  // namespace digitnet::onnx_operators
