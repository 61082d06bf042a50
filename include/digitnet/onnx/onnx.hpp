// save_onnx: writes a model as an ONNX file, which other runtimes read. Layers of your own:
// onnx/operator.hpp.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "digitnet/core/atomic_file.hpp"
#include "digitnet/inspect/describe.hpp"
#include "digitnet/onnx/operators.hpp"

namespace digitnet {

/// Writes a model for inference as ONNX, opset 13: "input" (batch, ...input shape), channels last, to
/// "output" (batch, ...). Layers that act in training only are left out. Throws an Error for a layer that
/// nothing is known of, by name and with the cure; the file appears whole or not at all.
inline void save_onnx(const ModelDescription& model, std::span<const float> parameters,
                      const std::string& path) {
  check_settings_are_said(model);
  OnnxGraph graph(model.input, parameters);
  std::vector<OnnxGraph::Value> results{graph.current()};
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    std::vector<OnnxGraph::Value> sources;
    for (const std::size_t source : model.sources(i)) sources.push_back(results[source]);
    graph.begin_layer(model.layers[i].name, std::move(sources));
    onnx_operators::write(graph, model.layers[i]);
    results.push_back(graph.current());
  }
  const std::string bytes = graph.finish(model.layers.empty() ? model.input : model.layers.back().output);
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}
template <class Model>
void save_onnx(const Model& model, const std::string& path) {
  save_onnx(describe(model), model.parameters(), path);
}

}  // namespace digitnet
