// Quantized models as ONNX: nodes in float32, and beside them QuantizeLinear and DequantizeLinear, which say
// where bytes are. Other runtimes make products of bytes of them.
#pragma once
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/model/quantized.hpp"
#include "digitnet/onnx/onnx.hpp"

namespace digitnet {

namespace detail {

/// Layers with the parameters that a quantized model has, and these in order. A kernel's numbers are its
/// bytes.
inline std::pair<ModelDescription, std::vector<float>> describe_quantized(ModelDescription model,
                                                                          const Int8Graph& graph,
                                                                          const Int8Steps& steps,
                                                                          const Int8Numbers& numbers) {
  std::vector<float> parameters;
  for (const Int8Step& step : steps.steps) {
    LayerDescription& layer = model.layers[step.node];
    if (!step.is_product()) {
      const std::size_t before = graph.facts.outline.nodes[step.node].parameters;
      for (WeightDescription& weight : layer.weights) weight.offset += parameters.size() - before;
      const auto all = numbers.parameters[step.node].span();
      parameters.insert(parameters.end(), all.begin(), all.end());
      continue;
    }
    const Int8Weights& weights = numbers.weights[step.node];
    layer.weights.resize(1);
    layer.weights[0].offset = parameters.size();
    layer.weights.push_back({.name = "bias",
                             .shape = {weights.bias.size()},
                             .offset = parameters.size() + weights.kernel.size()});
    parameters.insert(parameters.end(), weights.kernel.begin(), weights.kernel.end());
    parameters.resize(parameters.size() + weights.bias.size());
    for (Attribute& attribute : layer.attributes)
      if (attribute.name == "use_bias") attribute.value = true;
  }
  return {std::move(model), std::move(parameters)};
}

inline void save_quantized_onnx(const ModelDescription& described, const Int8Graph& nodes,
                                const Int8Steps& steps, const Int8Numbers& numbers, const std::string& path) {
  check_settings_are_said(described);
  const auto [model, parameters] = describe_quantized(described, nodes, steps, numbers);
  const std::size_t count = model.layers.size();
  // Of each node, the step whose first it is, and the step whose result it gives.
  std::vector<const Int8Step*> begins(count, nullptr), ends(count, nullptr);
  std::vector<char> folded(count, false);
  // Of a product with its pooling: what the pooling reads, which is bytes already.
  std::vector<const Int8Step*> pooled(count, nullptr);
  for (const Int8Step& step : steps.steps) {
    begins[step.node] = ends[step.result - 1] = &step;
    if (step.pooled) pooled[steps.root[nodes.inputs(step.result - 1)[0]] - 1] = &step;
    if (step.normalization != Int8Step::none) folded[step.normalization] = true;
  }
  OnnxGraph graph(model.input, parameters);
  // Each value as whoever computes in float32 reads it, and as it is on bytes.
  std::vector<OnnxGraph::Value> exact{graph.current()}, rounded;
  const auto scale = [&](std::size_t value) { return numbers.scales[steps.scale_of[value]]; };
  if (steps.as_bytes[0]) {
    graph.begin_layer("input", {graph.current()});
    graph.round_to_bytes(scale(0).scale, scale(0).zero);
  }
  rounded.push_back(graph.current());
  for (std::size_t i = 0; i < count; ++i) {
    const LayerDescription& layer = model.layers[i];
    const Int8Step* const step = begins[i];
    const auto write = [&](const std::vector<OnnxGraph::Value>& from) {
      std::vector<OnnxGraph::Value> sources;
      for (const std::size_t source : nodes.inputs(i)) sources.push_back(from[source]);
      graph.begin_layer(layer.name, std::move(sources));
      if (step && step->is_product())
        graph.on_bytes({.scales = numbers.weights[i].scales,
                        .input_scale = scale(steps.input(nodes, *step)).scale,
                        .bias = numbers.weights[i].bias});
      if (!folded[i]) onnx_operators::write(graph, layer);
      return graph.current();
    };
    const bool on_bytes = step && step->kind != Int8Kind::in_float;
    OnnxGraph::Value here = write(on_bytes ? rounded : exact), bytes = here;
    if (nodes.forms[i].kind == Int8Kind::view && steps.as_bytes[steps.root[i]]) bytes = write(rounded);
    if (pooled[i]) {
      graph.round_to_bytes(scale(pooled[i]->result).scale, scale(pooled[i]->result).zero);
      here = bytes = graph.current();
    }
    if (ends[i] && steps.as_bytes[i + 1]) {
      graph.round_to_bytes(scale(i + 1).scale, scale(i + 1).zero);
      bytes = graph.current();
      if (ends[i]->kind != Int8Kind::in_float && !ends[i]->to_floats) here = bytes;
    }
    exact.push_back(here);
    rounded.push_back(bytes);
  }
  graph.go_to(exact.back());
  const std::string file_bytes =
      graph.finish(model.layers.empty() ? model.input : model.layers.back().output);
  AtomicFile file(path);
  file.write(file_bytes.data(), file_bytes.size());
  file.commit();
}

}  // namespace detail

/// Writes a quantized model as ONNX, opset 13, as save_onnx does one in float32: kernels in int8 and biases
/// in int32, activations in uint8.
template <class Model>
void save_onnx(const Quantized<Model>& model, const std::string& path) {
  detail::save_quantized_onnx(describe(model), model.graph(), model.plan().steps(), model.numbers(), path);
}

}  // namespace digitnet
