// The steps of a quantized model: which nodes run together on bytes, which in float32, and in which of the
// two each value is wanted. Numbers play no part here.
#pragma once
#include <cstddef>
#include <vector>

#include "digitnet/graph/int8_node.hpp"

namespace digitnet::detail {

inline namespace DIGITNET_PROCESSOR {

/// Some nodes as one: a product with the normalization that is folded into it, a ReLU, which is where its
/// bytes are cut off, and a pooling of 2x2; a sum with its ReLU; or a single node.
struct Int8Step {
  static constexpr std::size_t none = ~std::size_t{0};
  std::size_t node = 0;
  Int8Kind kind = Int8Kind::in_float;
  std::size_t normalization = none;
  bool relu = false, pooled = false;
  /// The result's value.
  std::size_t result = 0;
  /// Whether a product gives floats, which nobody wants as bytes.
  bool to_floats = false;

  bool is_product() const { return kind == Int8Kind::product || kind == Int8Kind::depthwise; }
};

/// Value 0 is the input, value i + 1 the result of node i. Views have the value that they get.
struct Int8Steps {
  std::vector<Int8Step> steps{};
  /// [value]: the value that it is; whether it is there as bytes, and as floats; whose scale its bytes have.
  std::vector<std::size_t> root{}, scale_of{};
  std::vector<char> as_bytes{}, as_floats{};

  std::size_t output() const { return root.back(); }
  /// The value that a step's node gets.
  std::size_t input(const Int8Graph& graph, const Int8Step& step, std::size_t which = 0) const {
    return root[graph.inputs(step.node)[which]];
  }
};

/// Sums of so many products of bytes stay within int32, with a bias of up to 2^30.
inline constexpr std::size_t deepest_int8 = 32768;

/// The steps of a model of which some nodes stay in float32.
inline Int8Steps steps_of(const Int8Graph& graph, const std::vector<char>& in_float) {
  const std::size_t count = graph.size();
  Int8Steps result;
  result.root.resize(count + 1);
  result.scale_of.resize(count + 1);
  for (std::size_t v = 0; v <= count; ++v) result.root[v] = result.scale_of[v] = v;
  const auto inputs_of = [&](std::size_t node) {
    std::vector<std::size_t> inputs;
    for (const std::size_t value : graph.inputs(node)) inputs.push_back(result.root[value]);
    return inputs;
  };
  // Nodes that read a value, without views. The model's output has one reader more.
  std::vector<std::vector<std::size_t>> readers(count + 1);
  for (std::size_t i = 0; i < count; ++i) {
    const auto inputs = inputs_of(i);
    if (graph.forms[i].kind == Int8Kind::view)
      result.root[i + 1] = inputs[0];
    else
      for (const std::size_t value : inputs) readers[value].push_back(i);
  }
  readers[result.output()].push_back(count);
  const auto only_reader = [&](std::size_t value) {
    return readers[value].size() == 1 ? readers[value][0] : count;
  };

  std::vector<char> done(count, false), is_bytes(count + 1, false);
  is_bytes[0] = true;
  for (std::size_t i = 0; i < count; ++i) {
    const Int8Facts& form = graph.forms[i];
    if (done[i] || form.kind == Int8Kind::view) continue;
    const auto inputs = inputs_of(i);
    bool from_bytes = true;
    for (const std::size_t value : inputs) from_bytes = from_bytes && is_bytes[value];
    Int8Step step{.node = i, .kind = form.kind, .result = i + 1};
    // Worth its while is a product in any case, and everything else where bytes are there already.
    if (in_float[i] || (form.is_product() ? form.depth() > deepest_int8 : !from_bytes))
      step.kind = Int8Kind::in_float;
    const auto take = [&](auto&& fits) {
      const std::size_t next = only_reader(step.result);
      if (next == count || !fits(graph.forms[next])) return count;
      done[next] = true;
      step.result = next + 1;
      return next;
    };
    if (step.is_product()) {
      const std::size_t next = take([](const Int8Facts& f) { return f.normalization != nullptr; });
      if (next != count) step.normalization = next;
    }
    if (step.is_product() || step.kind == Int8Kind::add)
      step.relu = take([](const Int8Facts& f) { return f.kind == Int8Kind::relu; }) != count;
    if (step.kind == Int8Kind::product)
      step.pooled = take([](const Int8Facts& f) {
                      return f.kind == Int8Kind::max_pooling && f.windows.window == Extent{2} &&
                             f.windows.stride == Extent{2} && f.windows.before == Extent{0} &&
                             f.windows.out_height == f.windows.height / 2 &&
                             f.windows.out_width == f.windows.width / 2;
                    }) != count;
    is_bytes[step.result] = step.kind != Int8Kind::in_float;
    if (step.kind == Int8Kind::max_pooling || step.kind == Int8Kind::relu || step.kind == Int8Kind::padding)
      result.scale_of[step.result] = result.scale_of[inputs[0]];
    result.steps.push_back(step);
  }

  result.as_bytes.assign(count + 1, false);
  result.as_floats.assign(count + 1, false);
  result.as_floats[result.output()] = true;
  for (const Int8Step& step : result.steps)
    for (const std::size_t value : inputs_of(step.node))
      (step.kind == Int8Kind::in_float ? result.as_floats : result.as_bytes)[value] = true;
  for (Int8Step& step : result.steps) {
    step.to_floats = step.is_product() && !step.pooled && !step.relu && !result.as_bytes[step.result];
    const bool gives_floats = step.kind == Int8Kind::in_float || step.to_floats;
    (gives_floats ? result.as_floats : result.as_bytes)[step.result] = true;
  }
  return result;
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::detail
