// Inference: samples through a graph, micro-batch by micro-batch.
#pragma once
#include <cstddef>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/samples.hpp"
#include "digitnet/graph/executor.hpp"

namespace digitnet::detail {

/// How a model predicts: in micro-batches, or, with less memory between what it touches, a single sample.
class InferencePlan {
 public:
  InferencePlan(const GraphFacts& graph, std::span<const RunOperation<float>> code);

  std::size_t packed_size() const { return many_.packed_forward(); }
  /// From so many samples on, packing costs less than it saves. A Dense kernel is as much work to pack as
  /// some samples are to multiply; that of a convolution is used at many positions.
  std::size_t packed_from() const { return packed_from_; }
  const Executor<float>& executor() const { return many_; }

  void pack(std::span<const PackOperation<float>> packs, const void* const* layers, const float* parameters,
            float* packed) const {
    for (std::size_t i = 0; i < packs.size(); ++i) many_.pack_forward(i, packs, layers, parameters, packed);
  }

  /// result (samples, outputs); `packed` is what pack wrote, or null.
  void predict(const Samples& samples, const void* const* layers, const float* parameters,
               const float* packed, float* result) const;

 private:
  void predict_part(const Samples& samples, std::size_t first, std::size_t count, const void* const* layers,
                    const float* parameters, const float* packed, float* result) const;

  std::size_t micro_batch_;
  Executor<float> many_, one_;
  std::size_t input_, output_, packed_from_ = 16;
};

}  // namespace digitnet::detail

#if DIGITNET_BODIES
#include <algorithm>
#include <memory>
#include <mutex>

#include "digitnet/core/thread_team.hpp"
#include "digitnet/graph/micro_batch.hpp"

namespace digitnet::detail {

// The team that `predict` uses. One caller at a time has it; others meanwhile compute on their own thread.
struct SharedTeam {
  std::mutex mutex;
  std::unique_ptr<ThreadTeam> team;

  static SharedTeam& instance() {
    static SharedTeam shared;
    return shared;
  }
};

DIGITNET_INLINE InferencePlan::InferencePlan(const GraphFacts& graph,
                                             std::span<const RunOperation<float>> code)
    : micro_batch_(micro_batch_of(graph)),
      many_(graph, {code, {}, nullptr}, Mode::inference, micro_batch_),
      one_(graph, {code, {}, nullptr}, Mode::inference, 1),
      input_(graph.input),
      output_(graph.operations.empty() ? graph.input : graph.operations.back()->output) {
  std::size_t multiply_adds = 1;
  for (const OperationFacts* operation : graph.operations) multiply_adds += operation->traits.multiply_adds;
  packed_from_ = std::max(packed_from_, 64 * packed_size() / multiply_adds);
}

DIGITNET_INLINE void InferencePlan::predict(const Samples& samples, const void* const* layers,
                                            const float* parameters, const float* packed,
                                            float* result) const {
  const std::size_t micro_batches = (samples.count() + micro_batch_ - 1) / micro_batch_;
  const auto run = [&](std::size_t index, std::size_t) {
    const std::size_t first = index * micro_batch_;
    const std::size_t count = std::min(micro_batch_, samples.count() - first);
    predict_part(samples, first, count, layers, parameters, packed, result + first * output_);
  };
  SharedTeam& shared = SharedTeam::instance();
  std::unique_lock lock(shared.mutex, std::defer_lock);
  if (micro_batches > 1 && hardware_threads() > 1 && lock.try_lock()) {
    if (!shared.team) shared.team = std::make_unique<ThreadTeam>();
    shared.team->for_each(micro_batches, run);
  } else {
    const FlushDenormals flush;
    for (std::size_t index = 0; index < micro_batches; ++index) run(index, 0);
  }
}

DIGITNET_INLINE void InferencePlan::predict_part(const Samples& samples, std::size_t first, std::size_t count,
                                                 const void* const* layers, const float* parameters,
                                                 const float* packed, float* result) const {
  const Executor<float>& executor = count == 1 ? one_ : many_;
  thread_local Arena<std::byte> memory;
  if (memory.size() < executor.plan().passing_bytes) memory = Arena<std::byte>(executor.plan().passing_bytes);
  MicroBatch<float> batch{
      .samples = count, .passing = memory.data(), .parameters = parameters, .packed_forward = packed};
  samples.check_finite(first, count);
  batch.x = samples.in_place(first, count);
  if (!batch.x) {
    float* const x = executor.input(batch);
    for (std::size_t i = 0; i < count; ++i) samples.copy(first + i, x + i * input_);
    batch.x = x;
  }
  executor.forward(0, layers, batch);
  std::copy_n(executor.output(batch), count * output_, result);
}

}  // namespace digitnet::detail
#endif
