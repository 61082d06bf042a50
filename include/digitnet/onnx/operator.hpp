// OnnxOperator: how a layer is written as ONNX. The library's layers have entries in one table, in which a
// class is found by its name. A layer of your own says it in a function beside it.
#pragma once
#include <functional>
#include <initializer_list>
#include <map>
#include <string>

#include "digitnet/core/error.hpp"
#include "digitnet/onnx/graph.hpp"

namespace digitnet {

/// What a layer of your own says for ONNX: a function that adds its nodes to the graph.
///
///     inline void write_swish(OnnxGraph& graph, const LayerDescription& layer) {
///       const std::string x = graph.value();
///       graph.step("Mul", {graph.number(layer.attribute<double>("beta"))});
///       graph.step("Sigmoid");
///       graph.step("Mul", {x});
///     }
///     inline std::vector<std::any> file_entries(const Swish&) { return {OnnxOperator{write_swish}}; }
struct OnnxOperator {
  void (*write)(OnnxGraph& graph, const LayerDescription& layer);
};

namespace onnx_operators {

// By the class's name. The entries enter before main begins.
inline std::map<std::string, OnnxOperator, std::less<>>& table() {
  static std::map<std::string, OnnxOperator, std::less<>> entries;
  return entries;
}

// One layer of the library, or a family: `inline const Entry relu({"ReLU"}, [](OnnxGraph&, ...) {...});`.
struct Entry {
  Entry(std::initializer_list<const char*> class_names, decltype(OnnxOperator::write) write) {
    for (const char* const name : class_names) table().emplace(name, OnnxOperator{write});
  }
};

// Throws an Error for a layer that nothing is known of.
inline void write(OnnxGraph& graph, const LayerDescription& layer) {
  if (const OnnxOperator* const own = layer.file_entry<OnnxOperator>()) return own->write(graph, layer);
  const auto found = table().find(layer.class_name);
  if (found == table().end())
    fail("The layer \"" + layer.name + "\" cannot be written as ONNX: there is no rule for " + layer.text() +
         ". Say how with a function file_entries(const " + layer.class_name +
         "&) that returns an OnnxOperator (digitnet/onnx/operator.hpp)");
  found->second.write(graph, layer);
}

}  // namespace onnx_operators

}  // namespace digitnet
