// How a model runs: its operations, what was fused, and the memory of one thread, as text.
#pragma once
#include <string>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/entry.hpp"
#include "digitnet/graph/memory_plan.hpp"
#include "digitnet/model/sequential.hpp"

namespace digitnet {

/// One operation of a plan.
struct PlannedOperation {
  /// Names of the layers that it computes: "conv2d + re_lu + max_pooling2d"
  std::string layers;
  /// How they are computed: "Winograd F(2x2, 3x3)", "OpenBLAS", ...; empty: a loop
  std::string method;
  /// Extents of one sample
  std::vector<std::size_t> output;
  /// Where its result lies in the workspace
  std::string place;
  /// Of the direct method, forward, for one sample
  std::size_t multiply_adds;
};

/// The table of the operations and the sizes of the workspace: what stays of a micro-batch from forward to
/// backward, which is so much for each of the batch's if layers need sums over it, and scratch.
DIGITNET_INLINE std::string plan_table(const std::vector<PlannedOperation>& operations,
                                       std::size_t micro_batch, std::size_t lasting_bytes,
                                       std::size_t scratch_bytes, bool for_the_batch,
                                       std::size_t packed_bytes);

namespace detail {

/// The plan of a training, and what plan() says of it.
struct InspectedPlan {
  InspectedPlan(const GraphFacts& graph_of, std::span<const std::span<const std::size_t>> outputs);

  std::string text(Processor processor) const;

  std::string place(std::size_t operation) const;

  GraphFacts graph;
  Schedule schedule;
  std::size_t micro_batch;
  MemoryPlan memory;
  std::vector<PlannedOperation> operations;
};

template <class Model>
InspectedPlan inspect_plan() {
  using Graph = detail::Graph<typename Model::Body, typename Model::InputShape>;
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    const std::array<std::span<const std::size_t>, Graph::count> outputs{
        Graph::template Operation<I>::Output::extents...};
    return InspectedPlan(Graph::template facts<float>(), outputs);
  }
  (std::make_index_sequence<Graph::count>{});
}

}  // namespace detail

/// The operations of a model's plan, in order; see Sequential::operations.
template <std::size_t... Extents, class... Layers>
std::vector<PlannedOperation> operations_of(const Sequential<Input<Extents...>, Layers...>&) {
  return detail::inspect_plan<Sequential<Input<Extents...>, Layers...>>().operations;
}

/// The plan as text; see Sequential::plan.
template <std::size_t... Extents, class... Layers>
std::string plan_of(const Sequential<Input<Extents...>, Layers...>&) {
  return detail::inspect_plan<Sequential<Input<Extents...>, Layers...>>().text(compiled_for);
}

}  // namespace digitnet

#if DIGITNET_BODIES
#include <algorithm>

#include "digitnet/graph/executor.hpp"
#include "digitnet/graph/micro_batch.hpp"
#include "digitnet/inspect/summary.hpp"

namespace digitnet {

DIGITNET_INLINE std::string plan_table(const std::vector<PlannedOperation>& operations,
                                       std::size_t micro_batch, std::size_t lasting_bytes,
                                       std::size_t scratch_bytes, bool for_the_batch,
                                       std::size_t packed_bytes) {
  std::size_t widths[4] = {9, 6, 6, 9}, multiply_adds = 0;
  std::vector<std::string> shapes;
  for (const PlannedOperation& operation : operations) {
    std::string shape;
    for (const std::size_t extent : operation.output)
      shape += (shape.empty() ? "" : "x") + std::to_string(extent);
    shapes.push_back(shape);
    widths[0] = std::max(widths[0], operation.layers.size());
    widths[1] = std::max(widths[1], operation.method.size());
    widths[2] = std::max(widths[2], shape.size());
    widths[3] = std::max(widths[3], operation.place.size());
    multiply_adds += operation.multiply_adds;
  }
  const auto line = [&](const std::string(&cells)[4], const std::string& last) {
    std::string result;
    for (int i = 0; i < 4; ++i) result += cells[i] + std::string(widths[i] - cells[i].size() + 2, ' ');
    return result + last + "\n";
  };
  std::string text = line({"Operation", "Method", "Output", "Result at"}, "Multiply-adds a sample");
  for (std::size_t i = 0; i < operations.size(); ++i)
    text += line({operations[i].layers, operations[i].method, shapes[i], operations[i].place},
                 detail::with_thousands(operations[i].multiply_adds));
  return text + "Multiply-adds: " + detail::with_thousands(multiply_adds) +
         " a sample\nMicro-batch: " + std::to_string(micro_batch) + " samples in " +
         detail::memory_text(lasting_bytes) + " of activations and gradients" +
         (for_the_batch ? ", which stay for the whole batch," : "") + " and " +
         detail::memory_text(scratch_bytes) + " of scratch a thread\n" +
         "Packed from the parameters: " + detail::memory_text(packed_bytes) + "\n";
}

namespace detail {

DIGITNET_INLINE InspectedPlan::InspectedPlan(const GraphFacts& graph_of,
                                             std::span<const std::span<const std::size_t>> outputs)
    : graph(graph_of),
      schedule(graph, Mode::training),
      micro_batch(training_micro_batch(graph)),
      memory(plan_memory(schedule, micro_batch, sizeof(float))) {
  const std::vector<std::string> names = names_of(graph.outline);
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const OperationFacts& facts = schedule.facts(i);
    std::string layers;
    for (std::size_t node = graph.first[i]; node < graph.first[i + 1]; ++node)
      layers += (node > graph.first[i] ? " + " : "") + names[node];
    operations.push_back({.layers = layers,
                          .method = std::string(facts.traits.method),
                          .output = {outputs[i].begin(), outputs[i].end()},
                          .place = place(i),
                          .multiply_adds = facts.traits.multiply_adds});
  }
}

DIGITNET_INLINE std::string InspectedPlan::text(Processor processor) const {
  const bool barriers = schedule.segments.size() > 1;
  const std::size_t scratch = memory.passing_bytes - (barriers ? 0 : memory.scratch.offset);
  return plan_table(operations, micro_batch, memory.lasting_bytes + memory.passing_bytes - scratch, scratch,
                    barriers,
                    packed_places(schedule, Purpose::forward).back() +
                        packed_places(schedule, Purpose::weight_gradients).back()) +
         "Compiled for: " + std::string(name_of(processor)) + "\n";
}

DIGITNET_INLINE std::string InspectedPlan::place(std::size_t operation) const {
  const MemoryPlace& here = memory.value[operation + 1];
  for (const std::size_t input : schedule.inputs[operation])
    if (memory.value[input] == here) return "same place";
  if (memory.rematerialized[operation + 1].where != MemoryPlace::nowhere) return "not kept";
  return here == memory.value[schedule.output()] ? "output" : "byte " + with_thousands(here.offset);
}

}  // namespace detail

}  // namespace digitnet
#endif
