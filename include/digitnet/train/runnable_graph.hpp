// What a BatchRunner runs: a model's graph, and what the loss says of its outputs.
#pragma once
#include <cstddef>
#include <span>

#include "digitnet/graph/executor.hpp"
#include "digitnet/train/batch.hpp"

namespace digitnet::detail {

/// What a loss says of a model's outputs.
class OutputJudge {
 public:
  /// The loss of the samples at positions first, first + 1, ... of the batch, and, in `gradients` unless that
  /// is null, its gradient times `scale`.
  virtual BatchResult measure(const Batch& batch, std::size_t first, std::size_t count, const float* outputs,
                              float* gradients, float scale, std::size_t thread) = 0;
  /// The loss of their targets alone, without weights.
  virtual BatchResult test(const Batch& batch, std::size_t first, std::size_t count,
                           const float* outputs) const = 0;

 protected:
  ~OutputJudge() = default;
};

/// The graph of a model, the functions that run it, and where its layers and parameters are.
struct RunnableGraph {
  GraphFacts facts;
  GraphCode<float> code;
  std::span<const PackOperation<float>> pack_forward, pack_backward, pack_inference;
  std::span<const void* const> layers;
  std::span<const float> parameters;
  std::size_t parameter_count;
};

}  // namespace digitnet::detail
