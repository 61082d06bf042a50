// The schedule: when each operation runs. Between two batch barriers lies a segment, which each micro-batch
// passes at once.
#pragma once
#include <cstddef>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/graph/graph.hpp"

namespace digitnet::detail {

/// One stage of one operation.
struct ScheduledStage {
  std::size_t operation, stage;
};

/// The steps that an operation takes in one direction: the first and the last one's number in time.
struct Steps {
  std::size_t first = 0, last = 0;
};

/// Values as operations see them: 0 is the graph's input, i + 1 the result of operation i.
struct Schedule {
  const GraphFacts* graph;
  Mode mode;
  /// What each operation reads, and which operations read each value.
  std::vector<std::vector<std::size_t>> inputs, readers;
  /// Of each value: whether backward computes its gradient; of each operation: whether it runs in backward.
  std::vector<unsigned char> wanted, runs_backward;
  /// The stages that run in each segment, in order. Backward's first segment is forward's last: between them
  /// comes the loss.
  std::vector<std::vector<ScheduledStage>> forward, backward;
  std::vector<Steps> forward_steps, backward_steps;
  std::size_t loss_step = 0;
  /// The first step of each segment.
  std::vector<std::size_t> segments;

  std::size_t size() const { return inputs.size(); }
  std::size_t output() const { return size(); }
  const OperationFacts& facts(std::size_t operation) const { return *graph->operations[operation]; }
  /// The operation whose result value v is.
  static std::size_t producer(std::size_t value) { return value - 1; }
  /// The number of the segment that a step belongs to.
  std::size_t segment(std::size_t step) const;

  Schedule(const GraphFacts& facts_of, Mode mode_of);

 private:
  void connect();
  std::vector<std::size_t> order_of_backward() const;
  // Each operation's stages, in one segment after the other from that in which those end that it waits for.
  std::vector<std::vector<ScheduledStage>> place(
      const std::vector<std::size_t>& order, const std::vector<std::vector<std::size_t>>& waits_for) const;
  void number_steps();
};

}  // namespace digitnet::detail

#if DIGITNET_BODIES
#include <algorithm>
#include <numeric>

namespace digitnet::detail {

DIGITNET_INLINE std::size_t Schedule::segment(std::size_t step) const {
  return static_cast<std::size_t>(std::upper_bound(segments.begin(), segments.end(), step) -
                                  segments.begin()) -
         1;
}

DIGITNET_INLINE Schedule::Schedule(const GraphFacts& facts_of, Mode mode_of)
    : graph(&facts_of), mode(mode_of) {
  connect();
  std::vector<std::size_t> order(size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<std::vector<std::size_t>> waits_for(size());
  for (std::size_t i = 0; i < size(); ++i)
    for (const std::size_t value : inputs[i])
      if (value > 0) waits_for[i].push_back(producer(value));
  forward = place(order, waits_for);
  if (mode == Mode::training) {
    for (std::size_t i = 0; i < size(); ++i) {
      waits_for[i].clear();
      for (const std::size_t reader : readers[i + 1])
        if (runs_backward[reader]) waits_for[i].push_back(reader);
    }
    backward = place(order_of_backward(), waits_for);
  }
  number_steps();
}

DIGITNET_INLINE void Schedule::connect() {
  const std::size_t count = graph->size();
  std::vector<std::size_t> value_of(graph->node_count() + 1);
  for (std::size_t i = 0; i < count; ++i) value_of[graph->first[i + 1]] = i + 1;
  inputs.resize(count);
  readers.resize(count + 1);
  wanted.assign(count + 1, false);
  wanted[0] = graph->wants_dx;
  runs_backward.assign(count, false);
  for (std::size_t i = 0; i < count; ++i) {
    bool needed = facts(i).parameters > 0;
    for (const std::size_t node_value : graph->outline.inputs(graph->first[i])) {
      const std::size_t value = value_of[node_value];
      inputs[i].push_back(value);
      readers[value].push_back(i);
      needed = needed || wanted[value];
    }
    wanted[i + 1] = needed;
    runs_backward[i] = needed && mode == Mode::training;
  }
}

DIGITNET_INLINE std::vector<std::size_t> Schedule::order_of_backward() const {
  std::vector<const LayerTraits*> traits;
  for (const OperationFacts* node : graph->nodes) traits.push_back(&node->traits);
  traits.resize(graph->outline.nodes.size(), traits.empty() ? nullptr : traits.back());
  std::vector<std::size_t> nodes, result;
  if (graph->outline.entries.size() == 1)
    nodes.push_back(0);
  else
    backward_order(graph->outline, traits, 0, nodes);
  for (const std::size_t node : nodes) {
    const auto at = std::find(graph->first.begin(), graph->first.end() - 1, node);
    if (at == graph->first.end() - 1) continue;
    const auto operation = static_cast<std::size_t>(at - graph->first.begin());
    if (runs_backward[operation]) result.push_back(operation);
  }
  return result;
}

DIGITNET_INLINE std::vector<std::vector<ScheduledStage>> Schedule::place(
    const std::vector<std::size_t>& order, const std::vector<std::vector<std::size_t>>& waits_for) const {
  std::vector<std::size_t> first(size()), end(size());
  std::size_t segment_count = 1;
  for (const std::size_t i : order) {
    for (const std::size_t other : waits_for[i]) first[i] = std::max(first[i], end[other]);
    end[i] = first[i] + (mode == Mode::training ? facts(i).traits.barriers : 0);
    segment_count = std::max(segment_count, end[i] + 1);
  }
  std::vector<std::vector<ScheduledStage>> result(segment_count);
  for (std::size_t segment = 0; segment < segment_count; ++segment)
    for (const std::size_t i : order) {
      // In inference nobody waits.
      if (mode == Mode::inference)
        for (std::size_t stage = 0; stage <= facts(i).traits.barriers; ++stage)
          result[segment].push_back({i, stage});
      else if (first[i] <= segment && segment <= end[i])
        result[segment].push_back({i, segment - first[i]});
    }
  return result;
}

DIGITNET_INLINE void Schedule::number_steps() {
  forward_steps.resize(size());
  backward_steps.resize(size());
  std::size_t step = 0;
  const auto number = [&](const std::vector<ScheduledStage>& stages, std::vector<Steps>& steps) {
    for (const ScheduledStage& here : stages) {
      if (here.stage == 0) steps[here.operation].first = step;
      steps[here.operation].last = step++;
    }
  };
  for (const auto& stages : forward) {
    segments.push_back(step);
    number(stages, forward_steps);
  }
  loss_step = step++;
  for (std::size_t i = 0; i < backward.size(); ++i) {
    if (i > 0) segments.push_back(step);
    number(backward[i], backward_steps);
  }
}

}  // namespace digitnet::detail
#endif
