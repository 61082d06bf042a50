// How a model runs: its operations, what was fused, and the memory of one thread, as text.
#pragma once
#include <cstdio>
#include <string>
#include <vector>

#include "digitnet/model/summary.hpp"

namespace digitnet {

/// One operation of a plan.
struct PlannedOperation {
  std::string layers;  ///< names of the layers that it computes: "conv2d + re_lu + max_pooling2d"
  std::string method;  ///< how: "Winograd F(2x2, 3x3)", "OpenBLAS", ...; empty: a loop
  std::vector<std::size_t> output;  ///< of one sample
  std::string place;                ///< where its result lies in the workspace
  std::size_t multiply_adds;        ///< of the direct method, forward, for one sample
};

/// The table of the operations and the sizes of the workspace.
[[gnu::cold]] inline std::string plan_table(const std::vector<PlannedOperation>& operations,
                                            std::size_t micro_batch, std::size_t workspace_bytes,
                                            std::size_t prepared_bytes) {
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
         detail::memory_text(workspace_bytes) + " of activations, gradients and scratch a thread\n" +
         "Prepared from the parameters: " + detail::memory_text(prepared_bytes) + "\n";
}

}  // namespace digitnet
