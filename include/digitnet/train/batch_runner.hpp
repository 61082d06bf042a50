// Runs batches through a graph: shards of micro-batches, forward and backward, on a team of threads.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/compiled.hpp"
#include "digitnet/core/thread_team.hpp"
#include "digitnet/graph/executor.hpp"
#include "digitnet/train/batch.hpp"
#include "digitnet/train/gradients.hpp"
#include "digitnet/train/rank_shares.hpp"
#include "digitnet/train/runnable_graph.hpp"

namespace digitnet::detail {

/// A batch is cut into shards, whose number depends on the model and the batch but not on the threads; each
/// shard sums the gradients of its samples in order, and shards are summed in order: so the result is the
/// same, bit for bit, with any number of threads. Of several ranks each has its own shards.
class BatchRunner {
 public:
  /// `shards`: the most that a batch is cut into; 0: as many as suit the model. `communicator` may be null.
  BatchRunner(const RunnableGraph& graph, OutputJudge& judge, ThreadTeam& team, std::size_t shards = 0,
              Communicator* communicator = nullptr);

  /// Every shard streams all parameters past its samples, so a model that uses each parameter once a sample
  /// wants many samples in a shard, and one that uses it at many positions does with few.
  std::size_t shard_count(std::size_t batch) const;

  BatchResult accumulate(const Batch& batch, RandomKey key, std::size_t step_samples);

  BatchResult evaluate(const Batch& batch);

  Gradients gradients() {
    return {.shards = shards_,
            .products = training_.deferred(),
            .deferred = defers_ ? deferred_.data() : nullptr,
            .batch = batch_,
            .rank_shards = ranks_.step_shards(),
            .rank_samples = ranks_.samples()};
  }

 private:
  // Some samples of a shard that run together.
  struct Part {
    std::size_t shard, first, count;
  };
  // The sums of one direction, of each micro-batch and of all.
  struct Statistics {
    std::vector<double> partial, total;
    BatchStatistics of(std::size_t i, std::size_t batch) {
      return {partial.data() + i * total.size(), total.data(), batch, i == 0};
    }
  };

  void cut(std::size_t count, bool whole_step);

  // Those of this rank.
  template <class Run>
  void for_each_shard(const Run& run);
  template <class Run>
  void for_each_part(const Run& run);
  // Every rank gets what the others have found.
  void share(Statistics& statistics, ColumnRange columns);

  // Where layers need sums over the batch, every micro-batch keeps what lasts, and all of them finish a
  // segment before any begins the next. Sums are added in the order of the micro-batches, so they do not
  // depend on the threads.
  void run_segments(const Batch& batch, RandomKey key);
  void merge(std::size_t segment);
  void add_up();

  std::size_t first_part(std::size_t rank) const { return first_of_shard_[ranks_.shards()[rank]]; }
  MicroBatch<float> micro_batch(std::size_t i, std::size_t thread, RandomKey key);
  void read(const Batch& batch, std::size_t i, const MicroBatch<float>& here, std::size_t thread);
  void measure(const Batch& batch, std::size_t i, const MicroBatch<float>& here, std::size_t thread);
  BatchResult test(const Batch& batch, std::size_t first, std::size_t count, std::size_t thread);

  RunnableGraph graph_;
  OutputJudge& judge_;
  ThreadTeam& team_;
  std::size_t micro_batch_, training_micro_batch_;
  Executor<float> training_, inference_;
  std::size_t passing_bytes_;
  Arena<float> packed_forward_, packed_backward_;
  BatchReader reader_;
  std::size_t least_shards_ = 2, most_shards_ = 2, multiply_adds_ = 0;
  // One a shard.
  std::vector<Arena<float>> gradients_;
  std::vector<float*> shards_;
  std::vector<BatchResult> results_;
  RankShares ranks_;
  // One a thread; what lasts is one a micro-batch where there are barriers.
  std::vector<Arena<std::byte>> passing_, lasting_;
  // What deferred gradients need of the batch.
  Arena<float> deferred_;
  std::size_t batch_ = 0;
  // Of the gradients: one over the samples of a step.
  float scale_ = 1;
  // Whether gradients are left to the stepper.
  bool defers_ = false;
  std::vector<Part> parts_;
  std::vector<std::size_t> first_of_shard_;
  Statistics forward_statistics_, backward_statistics_;
};

}  // namespace digitnet::detail

#if DIGITNET_BODIES
#include <algorithm>

#include "digitnet/graph/micro_batch.hpp"

namespace digitnet::detail {

DIGITNET_INLINE BatchRunner::BatchRunner(const RunnableGraph& graph, OutputJudge& judge, ThreadTeam& team,
                                         std::size_t shards, Communicator* communicator)
    : graph_(graph),
      judge_(judge),
      team_(team),
      micro_batch_(micro_batch_of(graph.facts)),
      training_micro_batch_(training_micro_batch(graph.facts)),
      training_(graph.facts, graph.code, Mode::training, training_micro_batch_),
      inference_(graph.facts, graph.code, Mode::inference, micro_batch_),
      passing_bytes_(std::max(training_.plan().passing_bytes, inference_.plan().passing_bytes)),
      packed_forward_(std::max(training_.packed_forward(), inference_.packed_forward())),
      packed_backward_(training_.packed_backward()),
      reader_(graph.facts.input, team.size()),
      ranks_(communicator) {
  if (shards > Gradients::most_shards)
    fail("A batch is cut into 1 to " + std::to_string(Gradients::most_shards) + " shards, but " +
         std::to_string(shards) + " were asked for");
  std::size_t in_shards = graph.parameters.size();
  for (const DeferredWeightGradient& product : training_.deferred())
    in_shards -= product.inputs * product.outputs;
  most_shards_ = in_shards <= 32 * 1024 ? 8 : in_shards <= 256 * 1024 ? 4 : 2;
  if (shards > 0) least_shards_ = most_shards_ = shards;
  results_.resize(most_shards_);
  for (const OperationFacts* operation : graph.facts.operations)
    multiply_adds_ += operation->traits.multiply_adds;
  for (std::size_t shard = 0; shard < most_shards_; ++shard) {
    gradients_.emplace_back(graph.parameters.size());
    shards_.push_back(gradients_.back().data());
  }
  for (std::size_t thread = 0; thread < team.size(); ++thread) {
    passing_.emplace_back(passing_bytes_);
    if (!training_.has_barriers()) lasting_.emplace_back(training_.plan().lasting_bytes);
  }
  for (Statistics* statistics : {&forward_statistics_, &backward_statistics_})
    statistics->total.resize(training_.statistics());
}

DIGITNET_INLINE std::size_t BatchRunner::shard_count(std::size_t batch) const {
  const std::size_t uses = 1 + multiply_adds_ / std::max<std::size_t>(1, graph_.parameter_count);
  return std::min(batch, std::clamp(batch * uses / 64, least_shards_, most_shards_));
}

DIGITNET_INLINE BatchResult BatchRunner::accumulate(const Batch& batch, RandomKey key,
                                                    std::size_t step_samples) {
  const std::size_t operations = graph_.facts.size();
  const auto pack = [&](std::size_t index, std::size_t) {
    if (index < operations)
      training_.pack_forward(index, graph_.pack_forward, graph_.layers.data(), graph_.parameters.data(),
                             packed_forward_.data());
    else
      training_.pack_backward(index - operations, graph_.pack_backward, graph_.layers.data(),
                              graph_.parameters.data(), packed_backward_.data());
  };
  // A little is packed before the other threads would have begun.
  if (packed_forward_.size() + packed_backward_.size() <= 8 * 1024)
    team_.for_each(1, [&](std::size_t, std::size_t thread) {
      for (std::size_t index = 0; index < 2 * operations; ++index) pack(index, thread);
    });
  else
    team_.for_each(2 * operations, pack);
  batch_ = batch.indices.size();
  scale_ = 1.0f / static_cast<float>(std::max(batch_, step_samples));
  defers_ = training_.deferred_size() > 0 && step_samples <= batch_;
  if (defers_ && deferred_.size() < batch_ * training_.deferred_size())
    deferred_ = Arena<float>(batch_ * training_.deferred_size());
  cut(batch_, step_samples <= batch_);
  for (BatchResult& result : results_) result = {};
  if (training_.has_barriers())
    run_segments(batch, key);
  else
    for_each_shard([&](std::size_t i, std::size_t thread) {
      const MicroBatch<float> here = micro_batch(i, thread, key);
      read(batch, i, here, thread);
      training_.forward(0, graph_.layers.data(), here);
      measure(batch, i, here, thread);
      training_.backward(0, graph_.layers.data(), here);
    });
  ranks_.gather(results_.data(), [&](std::size_t rank) { return ranks_.shards()[rank]; });
  BatchResult sum;
  for (std::size_t shard = 0; shard + 1 < first_of_shard_.size(); ++shard) sum += results_[shard];
  return sum;
}

DIGITNET_INLINE BatchResult BatchRunner::evaluate(const Batch& batch) {
  team_.for_each(graph_.facts.size(), [&](std::size_t index, std::size_t) {
    inference_.pack_forward(index, graph_.pack_inference, graph_.layers.data(), graph_.parameters.data(),
                            packed_forward_.data());
  });
  const std::size_t count = batch.indices.size();
  const std::size_t parts = std::min<std::size_t>((count + micro_batch_ - 1) / micro_batch_, 256);
  std::vector<BatchResult> results(parts);
  const auto begin = [&](std::size_t rank) { return ranks_.begin(rank, parts); };
  team_.for_each(begin(ranks_.rank() + 1) - begin(ranks_.rank()), [&](std::size_t own, std::size_t thread) {
    const std::size_t part = begin(ranks_.rank()) + own;
    const std::size_t end = (part + 1) * count / parts;
    for (std::size_t first = part * count / parts; first < end; first += micro_batch_)
      results[part] += test(batch, first, std::min(micro_batch_, end - first), thread);
  });
  ranks_.gather(results.data(), begin);
  BatchResult sum;
  for (const BatchResult& result : results) sum += result;
  return sum;
}

DIGITNET_INLINE void BatchRunner::cut(std::size_t count, bool whole_step) {
  const std::size_t shards = shard_count(count);
  parts_.clear();
  first_of_shard_.assign(1, 0);
  for (std::size_t shard = 0; shard < shards; ++shard) {
    const std::size_t end = (shard + 1) * count / shards;
    for (std::size_t first = shard * count / shards; first < end; first += training_micro_batch_)
      parts_.push_back({shard, first, std::min(training_micro_batch_, end - first)});
    first_of_shard_.push_back(parts_.size());
  }
  ranks_.cut(count, shards, whole_step ? shards : most_shards_);
}

template <class Run>
void BatchRunner::for_each_shard(const Run& run) {
  const std::size_t first = ranks_.shards()[ranks_.rank()];
  team_.for_each(ranks_.shards()[ranks_.rank() + 1] - first, [&](std::size_t own, std::size_t thread) {
    const std::size_t shard = first + own;
    for (std::size_t i = first_of_shard_[shard]; i < first_of_shard_[shard + 1]; ++i) run(i, thread);
  });
}

template <class Run>
void BatchRunner::for_each_part(const Run& run) {
  const std::size_t first = first_part(ranks_.rank());
  team_.for_each(first_part(ranks_.rank() + 1) - first,
                 [&](std::size_t own, std::size_t thread) { run(first + own, thread); });
}

DIGITNET_INLINE void BatchRunner::share(Statistics& statistics, ColumnRange columns) {
  ranks_.gather_columns(statistics.partial.data(), statistics.total.size(), columns.first, columns.count,
                        [&](std::size_t rank) { return first_part(rank); });
}

DIGITNET_INLINE void BatchRunner::run_segments(const Batch& batch, RandomKey key) {
  while (lasting_.size() < first_part(ranks_.rank() + 1) - first_part(ranks_.rank()))
    lasting_.emplace_back(training_.plan().lasting_bytes);
  for (Statistics* statistics : {&forward_statistics_, &backward_statistics_})
    statistics->partial.resize(parts_.size() * training_.statistics());
  const std::size_t last = training_.forward_segments() - 1;
  for (std::size_t segment = 0; segment <= last; ++segment) {
    const auto run = [&](std::size_t i, std::size_t thread) {
      const MicroBatch<float> here = micro_batch(i, thread, key);
      if (segment == 0) read(batch, i, here, thread);
      training_.forward(segment, graph_.layers.data(), here);
      if (segment < last) return;
      measure(batch, i, here, thread);
      training_.backward(0, graph_.layers.data(), here);
    };
    // No gradient is summed before the last segment, so every micro-batch may go to any thread.
    if (segment == last)
      for_each_shard(run);
    else
      for_each_part(run);
    if (segment == last) break;
    share(forward_statistics_, training_.forward_columns(segment));
    merge(segment);
  }
  for (std::size_t segment = 1; segment < training_.backward_segments(); ++segment) {
    share(backward_statistics_, training_.backward_columns(segment - 1));
    add_up();
    for_each_shard([&](std::size_t i, std::size_t thread) {
      training_.backward(segment, graph_.layers.data(), micro_batch(i, thread, key));
    });
  }
}

DIGITNET_INLINE void BatchRunner::merge(std::size_t segment) {
  std::size_t before = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const double* const partial = forward_statistics_.partial.data() + i * training_.statistics();
    training_.merge(segment, {forward_statistics_.total.data(), partial, before, parts_[i].count});
    before += parts_[i].count;
  }
}

DIGITNET_INLINE void BatchRunner::add_up() {
  std::vector<double>& total = backward_statistics_.total;
  std::fill(total.begin(), total.end(), 0.0);
  for (std::size_t i = 0; i < parts_.size(); ++i)
    for (std::size_t j = 0; j < total.size(); ++j)
      total[j] += backward_statistics_.partial[i * total.size() + j];
}

DIGITNET_INLINE MicroBatch<float> BatchRunner::micro_batch(std::size_t i, std::size_t thread, RandomKey key) {
  MicroBatch<float> here{
      .samples = parts_[i].count,
      .lasting = lasting_[training_.has_barriers() ? i - first_part(ranks_.rank()) : thread].data(),
      .passing = passing_[thread].data(),
      .parameters = graph_.parameters.data(),
      .gradients = shards_[parts_[i].shard],
      .packed_forward = packed_forward_.data(),
      .packed_backward = packed_backward_.data(),
      .random = key,
      .first_sample = parts_[i].first,
      .deferred = {defers_ ? deferred_.data() : nullptr, parts_[i].first, batch_},
      .forward_statistics = forward_statistics_.of(i, batch_),
      .backward_statistics = backward_statistics_.of(i, batch_)};
  here.x = training_.input(here);
  return here;
}

DIGITNET_INLINE void BatchRunner::read(const Batch& batch, std::size_t i, const MicroBatch<float>& here,
                                       std::size_t thread) {
  reader_.read(batch, parts_[i].first, parts_[i].count, training_.input(here), thread);
}

DIGITNET_INLINE void BatchRunner::measure(const Batch& batch, std::size_t i, const MicroBatch<float>& here,
                                          std::size_t thread) {
  results_[parts_[i].shard] += judge_.measure(batch, parts_[i].first, parts_[i].count, training_.output(here),
                                              training_.output_gradient(here), scale_, thread);
}

DIGITNET_INLINE BatchResult BatchRunner::test(const Batch& batch, std::size_t first, std::size_t count,
                                              std::size_t thread) {
  MicroBatch<float> here{.samples = count,
                         .passing = passing_[thread].data(),
                         .parameters = graph_.parameters.data(),
                         .packed_forward = packed_forward_.data(),
                         .first_sample = first};
  float* const x = inference_.input(here);
  for (std::size_t i = 0; i < count; ++i)
    batch.data.samples.copy(batch.indices[first + i], x + i * graph_.facts.input);
  here.x = x;
  inference_.forward(0, graph_.layers.data(), here);
  return judge_.test(batch, first, count, inference_.output(here));
}

}  // namespace digitnet::detail
#endif
