// GroupNormalization as ONNX. Opset 13 can normalize each channel by itself (InstanceNormalization): each
// group is made one channel for it.
#pragma once
#include <vector>

#include "digitnet/onnx/operator.hpp"

namespace digitnet::onnx_operators {

inline const Entry group_normalization({"GroupNormalization"}, [](OnnxGraph& graph,
                                                                  const LayerDescription& layer) {
  const std::size_t rank = layer.input.size(), channels = layer.input.back();
  // Channels go to the front, the other axes behind them.
  std::vector<std::int64_t> shape{-1, static_cast<std::int64_t>(channels)}, forth{0}, back{0};
  forth.push_back(static_cast<std::int64_t>(rank));
  std::vector<std::size_t> by_channel{channels};
  for (std::size_t axis = 1; axis < rank; ++axis) {
    shape.push_back(static_cast<std::int64_t>(layer.input[axis - 1]));
    forth.push_back(static_cast<std::int64_t>(axis));
    back.push_back(static_cast<std::int64_t>(axis + 1));
    by_channel.push_back(1);
  }
  back.push_back(1);
  if (rank == 3)
    graph.channels_first();
  else if (rank > 1)
    graph.step("Transpose").set("perm", forth);
  const auto count = static_cast<std::size_t>(layer.attribute<std::int64_t>("groups"));
  graph.step("Reshape", {graph.list({0, static_cast<std::int64_t>(count), -1})});
  graph
      .step("InstanceNormalization", {graph.tensor("ones", {count}, std::vector<float>(count, 1.0f)),
                                      graph.tensor("zeros", {count}, std::vector<float>(count, 0.0f))})
      .set("epsilon", layer.attribute<double>("epsilon"));
  graph.step("Reshape", {graph.list(shape)});
  for (const WeightDescription& weight : layer.weights)
    graph.step(weight.name == "gamma" ? "Mul" : "Add",
               {graph.tensor(weight.name, by_channel, graph.values(weight))});
  if (rank > 1 && rank != 3) graph.step("Transpose").set("perm", back);
});

}  // namespace digitnet::onnx_operators
