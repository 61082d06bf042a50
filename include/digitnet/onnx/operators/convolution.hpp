// Conv2D, DepthwiseConv2D and SeparableConv2D as ONNX. ONNX has the output channels of a kernel first, and
// digitnet last, so the kernels are turned.
#pragma once
#include <vector>

#include "digitnet/onnx/operator.hpp"
#include "digitnet/onnx/operators/window.hpp"

namespace digitnet::onnx_operators {

// A convolution that is part of a layer.
struct Convolution {
  // The number of its kernel among the layer's weights: (height, width, channels, filters), or, where each
  // channel is convolved by itself, (height, width, channels, multiplier).
  std::size_t kernel;
  bool by_channel;
  // Whether the layer's last weight is its bias.
  bool with_bias;
  // Whether it moves over the image as the layer's settings say; if not, its kernel is 1 x 1.
  bool slides;
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

inline const Entry convolution({"Conv2D", "DepthwiseConv2D"}, [](OnnxGraph& graph,
                                                                 const LayerDescription& layer) {
  graph.channels_first();
  add_convolution(graph, layer,
                  {.kernel = 0,
                   .by_channel = layer.attribute<std::int64_t>("depth_multiplier") > 0,
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
