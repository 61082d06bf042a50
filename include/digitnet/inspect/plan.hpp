// How a model runs: its operations, what was fused, and the memory of one thread, as text.
#pragma once
#include <cstdio>
#include <string>
#include <vector>

#include "digitnet/core/for_each_index.hpp"
#include "digitnet/inspect/summary.hpp"
#include "digitnet/model/sequential.hpp"

namespace digitnet {

/// One operation of a plan.
struct PlannedOperation {
  std::string layers;  ///< names of the layers that it computes: "conv2d + re_lu + max_pooling2d"
  std::string method;  ///< how: "Winograd F(2x2, 3x3)", "OpenBLAS", ...; empty: a loop
  std::vector<std::size_t> output;  ///< of one sample
  std::string place;                ///< where its result lies in the workspace
  std::size_t multiply_adds;        ///< of the direct method, forward, for one sample
};

namespace detail {

template <class On>
void plan_chain(const std::string& prefix, bool outermost, std::size_t micro_batch,
                std::vector<PlannedOperation>& to);

/// The operations of a layer; of one that consists of layers, theirs.
template <class On, class Layer>
void plan_layer(const std::string& name, PlannedOperation operation, std::size_t micro_batch,
                std::vector<PlannedOperation>& to) {
  if constexpr (requires { On::operation_count; }) {
    plan_chain<On>(name.empty() ? "" : name + "/", false, micro_batch, to);
  } else if constexpr (requires { typename On::MergeOn; }) {
    LayerNames names;
    const std::string prefix = name.empty() ? "" : name + "/";
    for_each_index<On::count>([&]<std::size_t I>() {
      const std::string own = Layer::template branch_name<I>(names);
      using BranchOn = typename On::template BranchOn<I>;
      if constexpr (I != On::view)
        plan_layer<BranchOn, typename On::template Step<I>::Layer>(
            own.empty() ? name : prefix + own,
            {.layers = prefix + own,
             .method = std::string(BranchOn::method),
             .output = {BranchOn::Output::extents.begin(), BranchOn::Output::extents.end()},
             .place = I == On::at_output ? "output" : "inside",
             .multiply_adds = BranchOn::multiply_adds},
            micro_batch, to);
    });
    operation.layers = prefix + snake_case(On::Steps::merge_name);
    operation.multiply_adds = 0;
    to.push_back(std::move(operation));
  } else {
    to.push_back(std::move(operation));
  }
}

template <class On>
void plan_chain(const std::string& prefix, bool outermost, std::size_t micro_batch,
                std::vector<PlannedOperation>& to) {
  LayerNames names;
  for_each_index<On::operation_count>([&]<std::size_t I>() {
    using Operation = typename On::template Operation<I>;
    std::string layers;
    for_each_index<Operation::length>([&]<std::size_t J>() {
      layers +=
          (J ? " + " : "") + prefix + names.next(On::template Step<Operation::first + J>::Layer::class_name);
    });
    using Output = typename Operation::On::Output;
    const auto place = On::place_of(I);
    plan_layer<typename Operation::On, typename Operation::Layer>(
        layers,
        {.layers = layers,
         .method = std::string(Operation::On::method),
         .output = {Output::extents.begin(), Output::extents.end()},
         .place = place == On::Place::in_place  ? "same place"
                  : place == On::Place::output  ? "output"
                  : place == On::Place::scratch ? "not kept"
                  : outermost ? "byte " + with_thousands(On::template result_offset<float>(I, micro_batch))
                              : "inside",
         .multiply_adds = Operation::On::multiply_adds},
        micro_batch, to);
  });
}

}  // namespace detail

/// The table of the operations and the sizes of the workspace: what stays of a micro-batch from forward to
/// backward, which is so much for each of the batch's if layers need sums over it, and scratch.
[[gnu::cold]] inline std::string plan_table(const std::vector<PlannedOperation>& operations,
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
         "Prepared from the parameters: " + detail::memory_text(packed_bytes) + "\n";
}

/// The operations of a model's plan, in order; see Sequential::operations.
template <std::size_t... Extents, class... Layers>
std::vector<PlannedOperation> operations_of(const Sequential<Input<Extents...>, Layers...>&) {
  using Model = Sequential<Input<Extents...>, Layers...>;
  using Memory = TrainingWorkspace<typename Model::On, typename Model::InputShape>;
  std::vector<PlannedOperation> operations;
  detail::plan_chain<typename Model::On>("", true, Memory::micro_batch, operations);
  return operations;
}

/// The plan as text; see Sequential::plan.
template <std::size_t... Extents, class... Layers>
std::string plan_of(const Sequential<Input<Extents...>, Layers...>& model) {
  using Model = Sequential<Input<Extents...>, Layers...>;
  using On = typename Model::On;
  using Memory = TrainingWorkspace<On, typename Model::InputShape>;
  constexpr std::size_t lasting = Memory::lasting_bytes(Memory::micro_batch);
  return plan_table(operations_of(model), Memory::micro_batch, lasting,
                    Memory::bytes(Memory::micro_batch) - lasting, On::barriers > 0,
                    On::template packed_bytes<float, Purpose::forward>() +
                        On::template packed_bytes<float, Purpose::weight_gradients>());
}

}  // namespace digitnet
