// Conv2D, DepthwiseConv2D and SeparableConv2D as ONNX, which has the output channels of a kernel first.
#pragma once
#include <vector>

#include "digitnet/onnx/operator.hpp"
#include "digitnet/onnx/operators/window.hpp"

namespace digitnet::onnx_operators {

// A kernel (height, width, channels, filters), or of each channel by itself (height, width, channels,
// multiplier), and where it has one a bias behind it. One that slides takes the layer's kernel size.
struct Convolution {
  std::size_t kernel;
  bool by_channel, with_bias, slides;
};

inline void add_convolution(OnnxGraph& graph, const LayerDescription& layer, Convolution what) {
  const WeightDescription& weight = layer.weights[what.kernel];
  const std::vector<std::size_t>& shape = weight.shape;
  const std::span<const float> kernel = graph.values(weight);
  const std::size_t taps = shape[0] * shape[1];
  std::vector<float> turned(kernel.size());
  for (std::size_t tap = 0; tap < taps; ++tap)
    for (std::size_t c = 0; c < shape[2]; ++c)
      for (std::size_t f = 0; f < shape[3]; ++f) {
        const std::size_t row = what.by_channel ? c * shape[3] + f : f * shape[2] + c;
        turned[row * taps + tap] = kernel[(tap * shape[2] + c) * shape[3] + f];
      }
  const std::vector<std::size_t> order =
      what.by_channel ? std::vector<std::size_t>{shape[2] * shape[3], 1, shape[0], shape[1]}
                      : std::vector<std::size_t>{shape[3], shape[2], shape[0], shape[1]};
  std::vector<std::string> more{graph.tensor(weight.name, order, turned)};
  if (what.with_bias) more.push_back(graph.weight(layer.weights.back()));
  OnnxNode node = graph.step("Conv", more);
  if (what.slides) set_window(node, layer, layer.attribute<std::vector<std::int64_t>>("kernel_size"));
  if (what.by_channel) node.set("group", shape[2]);
}

inline const Entry convolution({"Conv2D", "DepthwiseConv2D"},
                               [](OnnxGraph& graph, const LayerDescription& layer) {
                                 graph.channels_first();
                                 add_convolution(graph, layer,
                                                 {.kernel = 0,
                                                  .by_channel = layer.class_name == "DepthwiseConv2D",
                                                  .with_bias = layer.attribute<bool>("use_bias"),
                                                  .slides = true});
                               });

inline const Entry separable({"SeparableConv2D"}, [](OnnxGraph& graph, const LayerDescription& layer) {
  graph.channels_first();
  add_convolution(graph, layer, {.kernel = 0, .by_channel = true, .with_bias = false, .slides = true});
  add_convolution(
      graph, layer,
      {.kernel = 1, .by_channel = false, .with_bias = layer.attribute<bool>("use_bias"), .slides = false});
});

}  // namespace digitnet::onnx_operators
