// The executor: runs the operations of a graph on micro-batches, each in the memory that the plan gave it.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/graph/memory_plan.hpp"

namespace digitnet::detail {

/// What runs a graph, one function an operation; backward has none where nothing has a gradient.
template <class T>
struct GraphCode {
  std::span<const RunOperation<T>> forward, backward;
  /// to += from; only backward calls it
  void (*add)(std::size_t count, T* to, const T* from);
};

/// A micro-batch on its way through a graph: memory and what its operations get.
template <class T>
struct MicroBatch {
  std::size_t samples = 0;
  std::byte* lasting = nullptr;
  std::byte* passing = nullptr;
  /// The graph's input and its gradient, where that is wanted.
  const T* x = nullptr;
  T* dx = nullptr;
  const T* parameters = nullptr;
  T* gradients = nullptr;
  const T* packed_forward = nullptr;
  const T* packed_backward = nullptr;
  RandomKey random{};
  std::size_t first_sample = 0;
  DeferredBatch<T> deferred{};
  BatchStatistics forward_statistics{}, backward_statistics{};
};

/// Some of the sums that cross barriers, which lie together.
struct ColumnRange {
  std::size_t first = 0, count = 0;
};

/// What is packed for one pass: where each operation's part begins, in bytes, and at the end the size.
DIGITNET_INLINE std::vector<std::size_t> packed_places(const Schedule& schedule, Purpose pass);

/// Runs a graph in training or in inference, up to so many samples at once. Many threads may use one.
template <class T>
class Executor {
 public:
  Executor(const GraphFacts& graph, GraphCode<T> code, Mode mode, std::size_t samples);
  Executor(const Executor&) = delete;

  const Schedule& schedule() const { return schedule_; }
  const MemoryPlan& plan() const { return plan_; }
  std::size_t forward_segments() const { return schedule_.forward.size(); }
  std::size_t backward_segments() const { return schedule_.backward.size(); }
  bool has_barriers() const { return forward_segments() > 1 || backward_segments() > 1; }
  /// Sums that cross barriers, in one direction.
  std::size_t statistics() const { return statistics_; }
  /// Those that a segment leaves to the next one.
  ColumnRange forward_columns(std::size_t segment) const { return columns(schedule_.forward[segment]); }
  ColumnRange backward_columns(std::size_t segment) const { return columns(schedule_.backward[segment]); }
  /// Gradients that backward leaves to the end of the batch, and elements a sample that they keep.
  std::span<const DeferredWeightGradient> deferred() const { return deferred_; }
  std::size_t deferred_size() const { return deferred_size_; }
  std::size_t packed_forward() const { return packed_forward_.back() / sizeof(T); }
  std::size_t packed_backward() const { return packed_backward_.back() / sizeof(T); }

  /// Packs what one operation needs. `layers` are the objects of all nodes.
  void pack_forward(std::size_t operation, std::span<const PackOperation<T>> packs, const void* const* layers,
                    const T* parameters, T* to) const {
    packs[operation](layers + graph_.first[operation], parameters + parameters_[operation],
                     at(to, packed_forward_[operation]));
  }
  void pack_backward(std::size_t operation, std::span<const PackOperation<T>> packs,
                     const void* const* layers, const T* parameters, T* to) const {
    packs[operation](layers + graph_.first[operation], parameters + parameters_[operation],
                     at(to, packed_backward_[operation]));
  }

  /// Where the input may be put, where the output is after forward, and where its gradient goes before
  /// backward.
  T* input(const MicroBatch<T>& batch) const { return find(plan_.input, batch); }
  const T* output(const MicroBatch<T>& batch) const { return value(schedule_.output(), batch); }
  T* output_gradient(const MicroBatch<T>& batch) const {
    return find(plan_.gradient[schedule_.output()], batch);
  }

  void forward(std::size_t segment, const void* const* layers, const MicroBatch<T>& batch) const;
  void backward(std::size_t segment, const void* const* layers, const MicroBatch<T>& batch) const;

  /// At the barrier behind a segment of forward: the statistics of a micro-batch join those of the ones
  /// before.
  void merge(std::size_t segment, const MergedStatistics& merge) const;

 private:
  template <class U>
  static U* at(U* from, std::size_t bytes) {
    return from ? from + bytes / sizeof(T) : nullptr;
  }
  std::size_t size_of(std::size_t value) const {
    return value == 0 ? graph_.input : schedule_.facts(value - 1).output;
  }
  static T* find(const MemoryPlace& place, const MicroBatch<T>& batch);
  // The caller's input is only read: nothing but itself under another shape lies in it.
  T* value(std::size_t value, const MicroBatch<T>& batch) const {
    const MemoryPlace& place = plan_.value[value];
    return place.where == MemoryPlace::caller ? const_cast<T*>(batch.x) : find(place, batch);
  }

  ColumnRange columns(std::span<const ScheduledStage> segment) const;
  OperationIo<T> common(std::size_t operation, const void* const* layers, const MicroBatch<T>& batch) const;
  void run_forward(const ScheduledStage& here, const void* const* layers, const MicroBatch<T>& batch, T* y,
                   Mode mode) const;
  // What an operation reads and what did not stay.
  void rematerialize(std::size_t operation, const void* const* layers, const MicroBatch<T>& batch) const;

  GraphFacts graph_;
  GraphCode<T> code_;
  Schedule schedule_;
  MemoryPlan plan_;
  std::vector<std::size_t> packed_forward_, packed_backward_;
  std::vector<std::vector<std::size_t>> random_;
  std::vector<std::size_t> parameters_, statistics_at_, deferred_at_;
  std::vector<DeferredWeightGradient> deferred_;
  std::size_t statistics_ = 0, deferred_size_ = 0;
};

// Of gradient checks, and of all else.
#if defined(DIGITNET_COMPILED)
extern template class Executor<double>;
extern template class Executor<float>;
#endif

}  // namespace digitnet::detail

#if DIGITNET_BODIES
#include <algorithm>
#include <array>

#include "digitnet/core/arena.hpp"

namespace digitnet::detail {

DIGITNET_INLINE std::vector<std::size_t> packed_places(const Schedule& schedule, Purpose pass) {
  std::vector<std::size_t> result{0};
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    bool wants_dx = false;
    for (const std::size_t value : schedule.inputs[i]) wants_dx = wants_dx || schedule.wanted[value];
    const OperationFacts& facts = schedule.facts(i);
    result.push_back(result.back() +
                     round_up(facts.packed_bytes(purpose_of(pass, facts.traits, wants_dx)), alignment_bytes));
  }
  return result;
}

// Pointers to so many values: on the stack, except where a merge has many.
template <class P>
class Pointers {
 public:
  explicit Pointers(std::size_t count) {
    if (count > few_.size()) many_.resize(count);
  }
  P*& operator[](std::size_t i) { return many_.empty() ? few_[i] : many_[i]; }
  P** data() { return many_.empty() ? few_.data() : many_.data(); }

 private:
  std::array<P*, 4> few_{};
  std::vector<P*> many_;
};

template <class T>
Executor<T>::Executor(const GraphFacts& graph, GraphCode<T> code, Mode mode, std::size_t samples)
    : graph_(graph),
      code_(code),
      schedule_(graph_, mode),
      plan_(plan_memory(schedule_, samples, sizeof(T))),
      packed_forward_(
          packed_places(schedule_, mode == Mode::inference ? Purpose::inference : Purpose::forward)),
      packed_backward_(packed_places(schedule_, Purpose::weight_gradients)) {
  const auto keys = random_places(graph_.outline, graph_.node_count(), graph_.group_first);
  for (std::size_t i = 0; i < schedule_.size(); ++i) {
    const OperationFacts& facts = schedule_.facts(i);
    const NodePlace node = graph_.outline.nodes[graph_.first[i]];
    random_.push_back(keys[graph_.first[i]]);
    parameters_.push_back(node.parameters);
    statistics_at_.push_back(statistics_);
    statistics_ += facts.traits.statistics;
    DeferredWeightGradient deferred = facts.traits.deferred_gradient;
    deferred_at_.push_back(deferred_size_);
    if (!deferred.multiply) continue;
    deferred.deferred_before = deferred_size_;
    deferred.parameter += node.parameters;
    deferred_.push_back(deferred);
    deferred_size_ += deferred.size();
  }
}

template <class T>
void Executor<T>::forward(std::size_t segment, const void* const* layers, const MicroBatch<T>& batch) const {
  for (const ScheduledStage& here : schedule_.forward[segment])
    run_forward(here, layers, batch, value(here.operation + 1, batch), schedule_.mode);
}

template <class T>
void Executor<T>::backward(std::size_t segment, const void* const* layers, const MicroBatch<T>& batch) const {
  for (const ScheduledStage& here : schedule_.backward[segment]) {
    const std::size_t i = here.operation, count = schedule_.inputs[i].size();
    if (here.stage == schedule_.facts(i).traits.barriers) rematerialize(i, layers, batch);
    OperationIo<T> io = common(i, layers, batch);
    Pointers<const T> x(count);
    Pointers<T> dx(count);
    for (std::size_t j = 0; j < count; ++j) {
      const std::size_t input = schedule_.inputs[i][j];
      x[j] = plan_.rematerialized[input].where == MemoryPlace::nowhere
                 ? value(input, batch)
                 : find(plan_.rematerialized[input], batch);
      dx[j] = find(plan_.dx[i][j].dx, batch);
    }
    io.x = x.data();
    io.dx = dx.data();
    io.y = value(i + 1, batch);
    io.dy = find(plan_.gradient[i + 1], batch);
    io.gradients = batch.gradients + parameters_[i];
    io.packed = at(batch.packed_backward, packed_backward_[i]);
    if (batch.deferred.memory && schedule_.facts(i).traits.deferred_gradient.multiply)
      io.deferred = {batch.deferred.memory + batch.deferred.batch * deferred_at_[i],
                     batch.deferred.first_sample, batch.deferred.batch};
    io.statistics = batch.backward_statistics.from(statistics_at_[i]);
    io.forward_totals =
        batch.forward_statistics.total ? batch.forward_statistics.total + statistics_at_[i] : nullptr;
    code_.backward[i](here.stage, io);
    if (here.stage != schedule_.facts(i).traits.barriers) continue;
    for (std::size_t j = 0; j < count; ++j)
      if (T* const sum = find(plan_.dx[i][j].sum, batch))
        code_.add(batch.samples * size_of(schedule_.inputs[i][j]), sum, dx[j]);
  }
}

template <class T>
ColumnRange Executor<T>::columns(std::span<const ScheduledStage> segment) const {
  ColumnRange result;
  for (const ScheduledStage& here : segment) {
    const LayerTraits& traits = schedule_.facts(here.operation).traits;
    if (here.stage == traits.barriers || traits.statistics == 0) continue;
    const std::size_t first = statistics_at_[here.operation], end = first + traits.statistics;
    if (result.count == 0) result = {first, 0};
    const std::size_t last = std::max(result.first + result.count, end);
    result.first = std::min(result.first, first);
    result.count = last - result.first;
  }
  return result;
}

template <class T>
void Executor<T>::merge(std::size_t segment, const MergedStatistics& merge) const {
  for (const ScheduledStage& here : schedule_.forward[segment])
    if (here.stage < schedule_.facts(here.operation).traits.barriers)
      schedule_.facts(here.operation)
          .merge_statistics(here.stage, merge.from(statistics_at_[here.operation]));
}

template <class T>
T* Executor<T>::find(const MemoryPlace& place, const MicroBatch<T>& batch) {
  switch (place.where) {
    case MemoryPlace::nowhere:
      return nullptr;
    case MemoryPlace::caller:
      return batch.dx;
    case MemoryPlace::lasting:
      return reinterpret_cast<T*>(batch.lasting + place.offset);
    case MemoryPlace::passing:
      return reinterpret_cast<T*>(batch.passing + place.offset);
  }
  return nullptr;
}

template <class T>
OperationIo<T> Executor<T>::common(std::size_t i, const void* const* layers,
                                   const MicroBatch<T>& batch) const {
  OperationIo<T> io;
  io.samples = batch.samples;
  io.layers = layers + graph_.first[i];
  io.parameters = batch.parameters + parameters_[i];
  io.cache = reinterpret_cast<std::byte*>(find(plan_.cache[i], batch));
  io.scratch = find(plan_.scratch, batch);
  io.mode = schedule_.mode;
  return io;
}

template <class T>
void Executor<T>::run_forward(const ScheduledStage& here, const void* const* layers,
                              const MicroBatch<T>& batch, T* y, Mode mode) const {
  const std::size_t i = here.operation;
  OperationIo<T> io = common(i, layers, batch);
  Pointers<const T> x(schedule_.inputs[i].size());
  for (std::size_t j = 0; j < schedule_.inputs[i].size(); ++j) x[j] = value(schedule_.inputs[i][j], batch);
  io.x = x.data();
  io.y = y;
  io.packed = at(batch.packed_forward, packed_forward_[i]);
  io.mode = mode;
  io.random = batch.random;
  for (const std::size_t place : random_[i]) io.random = io.random.child(place);
  io.first_sample = batch.first_sample;
  io.statistics = batch.forward_statistics.from(statistics_at_[i]);
  code_.forward[i](here.stage, io);
}

template <class T>
void Executor<T>::rematerialize(std::size_t i, const void* const* layers, const MicroBatch<T>& batch) const {
  for (const std::size_t input : schedule_.inputs[i])
    if (T* const y = find(plan_.rematerialized[input], batch))
      run_forward({input - 1, schedule_.facts(input - 1).traits.barriers}, layers, batch, y, Mode::training);
}

}  // namespace digitnet::detail
#endif
