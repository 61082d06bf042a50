// How many samples run together: as many as keep what they need in the cache. The number decides the order of
// sums, and so the bits of a training; therefore it follows from a rule of its own and not from what the
// memory plan saves.
#pragma once
#include <cstddef>

#include "digitnet/core/compiled.hpp"
#include "digitnet/graph/graph.hpp"

namespace digitnet {

/// What a micro-batch may occupy: most of the second-level cache of current cores (1 MiB and more).
inline constexpr std::size_t cache_budget_bytes = 896 * 1024;

/// Samples beyond which a larger micro-batch gains nothing.
inline constexpr std::size_t largest_micro_batch = 64;

namespace detail {

/// The largest number of samples whose working set stays in the cache budget, but not less than `fewest`.
DIGITNET_INLINE std::size_t micro_batch_of(const GraphFacts& graph, std::size_t fewest = 1);

/// Of a training. With batch barriers only what one segment touches need stay in the cache, and some samples
/// together share what layers do once a call: ResNet-20 trains 1.25 times as fast with eight as with one, and
/// no faster with sixteen.
DIGITNET_INLINE std::size_t training_micro_batch(const GraphFacts& graph);

}  // namespace detail

}  // namespace digitnet

#if DIGITNET_BODIES
#include <algorithm>
#include <array>
#include <vector>

#include "digitnet/core/arena.hpp"

namespace digitnet::detail {

// A part of a model as the rule sees it.
struct WorkingPart {
  bool is_view = false, in_place = false, reads_x = false, reads_y = false;
  bool rematerializes = false, reads_x_once = false, dx_in_place = false;
  std::size_t output = 0, barriers = 0, cache_bytes = 0, scratch_bytes = 0;
};

// Counts the bytes that so many samples of a graph work on: chain by chain, branching by branching, as if
// each had memory of its own for its results and two buffers in turn for its gradients.
class WorkingSet {
 public:
  WorkingSet(const GraphFacts& graph, std::size_t samples) : graph_(graph), samples_(samples) {}

  std::size_t bytes() {
    const std::size_t group_count = graph_.groups.size();
    const std::size_t output = group_count > 0 ? graph_.groups[group_count - 1]->output : 0;
    const WorkingPart all = graph_.outline.entries.size() == 1 ? group() : structure(graph_.input);
    return of(graph_.input) + 2 * of(output) + all.cache_bytes + all.scratch_bytes;
  }

 private:
  std::size_t of(std::size_t elements) const {
    return round_up(samples_ * elements * sizeof(float), alignment_bytes);
  }

  // The group that the next entry begins.
  WorkingPart group() {
    const OperationFacts& facts = *graph_.groups[next_group_];
    const std::size_t end = graph_.group_first[++next_group_];
    while (entry_ < graph_.outline.entries.size() && graph_.outline.entries[entry_].kind == Entry::node &&
           graph_.outline.entries[entry_].at < end)
      ++entry_;
    const LayerTraits& t = facts.traits;
    return {t.is_view,
            t.in_place,
            t.backward_reads_x,
            t.backward_reads_y,
            t.rematerializes_y,
            t.reads_x_once || t.barriers == 0,
            t.dx_in_place,
            facts.output,
            t.barriers,
            facts.cache_bytes(samples_),
            facts.scratch_bytes(samples_)};
  }

  // The chain or branching that the next entry opens.
  WorkingPart structure(std::size_t input) {
    const bool is_chain = graph_.outline.entries[entry_].kind == Entry::chain;
    const std::size_t close = graph_.outline.entries[entry_++].at;
    std::vector<WorkingPart> parts;
    const OperationFacts* merge = nullptr;
    while (entry_ < close && next_group_ < graph_.groups.size()) {
      const Entry& entry = graph_.outline.entries[entry_];
      const std::size_t here = is_chain && !parts.empty() ? parts.back().output : input;
      if (entry.kind == Entry::pass) {
        parts.emplace_back();
        parts.back().is_view = true;
        parts.back().output = input;
        ++entry_;
      } else if (entry.kind != Entry::node) {
        parts.push_back(structure(here));
      } else if (graph_.nodes[entry.at]->is_merge) {
        merge = graph_.nodes[entry.at];
        group();
      } else {
        parts.push_back(group());
      }
    }
    entry_ = close + 1;
    return is_chain ? chain(parts) : branching(parts, *merge, input);
  }

  WorkingPart chain(const std::vector<WorkingPart>& parts) const {
    const std::size_t count = parts.size();
    std::vector<unsigned char> shares(count), at_output(count), rematerialized(count);
    std::vector<std::size_t> turn(count);
    bool earlier_reads = parts[0].reads_y;
    for (std::size_t i = 1; i < count; ++i) {
      shares[i] = parts[i].is_view || (parts[i].in_place && !parts[i].reads_x && !earlier_reads);
      earlier_reads = parts[i].reads_y || (shares[i] && earlier_reads);
    }
    at_output[count - 1] = true;
    for (std::size_t i = count - 1; i > 0; --i) {
      at_output[i - 1] = at_output[i] && shares[i];
      const bool fits = turn[i] > 0 || parts[i - 1].output <= parts[count - 1].output;
      turn[i - 1] = turn[i] + (shares[i] || (parts[i].dx_in_place && fits) ? 0 : 1);
    }
    for (std::size_t i = 0; i + 1 < count; ++i)
      rematerialized[i] =
          parts[i].rematerializes && !shares[i] && !shares[i + 1] && parts[i + 1].reads_x_once;
    WorkingPart result{};
    std::array<std::size_t, 2> of_turn{}, of_rematerialized{};
    std::size_t slot = 0, scratch = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t bytes = of(parts[i].output);
      if (turn[i] > 0) of_turn[turn[i] % 2] = std::max(of_turn[turn[i] % 2], bytes);
      if (rematerialized[i]) of_rematerialized[slot % 2] = std::max(of_rematerialized[slot % 2], bytes);
      if (rematerialized[i]) ++slot;
      if (!shares[i] && !rematerialized[i] && !at_output[i]) result.cache_bytes += bytes;
      result.cache_bytes += round_up(parts[i].cache_bytes, alignment_bytes);
      result.barriers += parts[i].barriers;
      result.reads_y = result.reads_y || (at_output[i] && parts[i].reads_y);
      scratch = std::max(scratch, parts[i].scratch_bytes);
    }
    (result.barriers > 0 ? result.cache_bytes : result.scratch_bytes) += of_turn[0] + of_turn[1];
    result.scratch_bytes += of_rematerialized[0] + of_rematerialized[1] + round_up(scratch, alignment_bytes);
    result.reads_x = parts[0].reads_x;
    result.reads_x_once =
        (parts[0].reads_x_once && !parts[0].is_view && !parts[0].in_place) || result.barriers == 0;
    result.output = parts[count - 1].output;
    return result;
  }

  WorkingPart branching(const std::vector<WorkingPart>& parts, const OperationFacts& merge,
                        std::size_t input) const {
    const std::size_t count = parts.size();
    std::size_t view = count, at_output = count, takes_gradient = count;
    for (std::size_t i = count; i > 0; --i)
      if (parts[i - 1].is_view) view = i - 1;
    for (std::size_t i = std::min<std::size_t>(2, count); i > 0; --i)
      if (i - 1 != view && merge.merge.passes_gradient && !merge.merge.reads_results && !parts[i - 1].reads_y)
        at_output = i - 1;
    for (std::size_t i = 0; i < count; ++i)
      if (i != view && merge.merge.passes_gradient) takes_gradient = i;
    WorkingPart result{};
    for (const WorkingPart& part : parts) result.barriers = std::max(result.barriers, part.barriers);
    result.reads_x = merge.merge.reads_results && view != count;
    for (std::size_t i = 0; i < count; ++i) {
      const WorkingPart& part = parts[i];
      std::size_t& gradients = result.barriers > 0 ? result.cache_bytes : result.scratch_bytes;
      if (i != view && i != at_output) result.cache_bytes += of(part.output);
      result.cache_bytes += round_up(part.cache_bytes, alignment_bytes);
      if (i != view && i != takes_gradient) gradients += of(part.output);
      if (i != (view == count ? 0 : view)) gradients += of(input);
      result.scratch_bytes += round_up(part.scratch_bytes, alignment_bytes);
      result.reads_x = result.reads_x || part.reads_x;
    }
    result.reads_x_once = result.barriers == 0;
    result.output = merge.output;
    return result;
  }

  const GraphFacts& graph_;
  std::size_t samples_, entry_ = 0, next_group_ = 0;
};

DIGITNET_INLINE std::size_t micro_batch_of(const GraphFacts& graph, std::size_t fewest) {
  std::size_t fitting = fewest, too_many = largest_micro_batch + 1;
  while (fitting + 1 < too_many) {
    const std::size_t middle = (fitting + too_many) / 2;
    (WorkingSet(graph, middle).bytes() <= cache_budget_bytes ? fitting : too_many) = middle;
  }
  return fitting;
}

DIGITNET_INLINE std::size_t training_micro_batch(const GraphFacts& graph) {
  bool barriers = false;
  for (const OperationFacts* operation : graph.operations)
    barriers = barriers || operation->traits.barriers > 0;
  return micro_batch_of(graph, barriers ? 8 : 1);
}

}  // namespace digitnet::detail
#endif
