// quantized.summary(): which layers run on bytes, and how many bytes their weights have.
#pragma once
#include <string>
#include <vector>

#include "digitnet/inspect/describe.hpp"
#include "digitnet/inspect/summary.hpp"
#include "digitnet/model/quantized.hpp"

namespace digitnet {

namespace detail {

inline namespace DIGITNET_PROCESSOR {

inline std::string quantized_table(const std::string& model_name, const ModelDescription& model,
                                   const Int8Graph& graph, const Int8Plan& plan, const Int8Numbers& numbers) {
  // What is part of a step before it says nothing of its own.
  std::vector<std::string> runs(graph.size());
  std::size_t bytes = 0;
  for (const Int8Step& step : plan.steps().steps) {
    const Int8Weights& weights = numbers.weights[step.node];
    runs[step.node] = step.kind == Int8Kind::in_float ? ", float32" : ", int8";
    bytes += weights.kernel.size() + 4 * (weights.scales.size() + weights.bias.size()) +
             4 * numbers.parameters[step.node].size();
  }
  std::vector<LayerSummary> rows;
  std::size_t trainable = 0, all = model.parameter_count();
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const LayerDescription& layer = model.layers[i];
    std::size_t parameters = 0;
    for (const WeightDescription& weight : layer.weights) {
      parameters += weight.size();
      trainable += weight.trainable ? weight.size() : 0;
    }
    rows.push_back({layer.name, layer.class_name + runs[i], layer.output, parameters});
  }
  return summary_table(model_name, rows, trainable, all - trainable) +
         " On bytes, normalizations folded: " + std::to_string(bytes) + " bytes, in float32 " +
         std::to_string(sizeof(float) * all) +
         "\n Memory of a thread: " + std::to_string(plan.bytes(plan.micro_batch())) + " bytes for " +
         std::to_string(plan.micro_batch()) + " samples at once\n";
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace detail

/// The table of a quantized model; see Quantized::summary.
template <class Model>
std::string summary_of(const Quantized<Model>& model, const std::string& model_name) {
  return detail::quantized_table(model_name, describe(model), model.graph(), model.plan(), model.numbers());
}

}  // namespace digitnet
