// The memory plan: where every value, gradient, cache and scratch of a graph lies while it runs.
#pragma once
#include <cstddef>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/graph/schedule.hpp"

namespace digitnet::detail {

/// Where something lies: nowhere, at the caller's, in what lasts of a micro-batch, or in a thread's memory.
struct MemoryPlace {
  enum Where : unsigned char { nowhere, caller, lasting, passing };
  Where where = nowhere;
  std::size_t offset = 0;
  bool operator==(const MemoryPlace&) const = default;
};

/// Where an operation writes the gradient of one thing that it reads, and where that is then added to; the
/// latter is nowhere if the gradient is complete, or begins, with this.
struct GradientPlace {
  MemoryPlace dx, sum;
};

/// Of each value or operation of a Schedule.
struct MemoryPlan {
  /// Where the caller may put the graph's input; values that lie in it are the caller's.
  MemoryPlace input;
  std::vector<MemoryPlace> value;
  /// Where values that do not stay until backward are rematerialized, just before their reader runs.
  std::vector<MemoryPlace> rematerialized;
  std::vector<MemoryPlace> gradient;
  std::vector<std::vector<GradientPlace>> dx;
  std::vector<MemoryPlace> cache;
  MemoryPlace scratch;
  std::size_t lasting_bytes = 0, passing_bytes = 0;
};

/// The plan for so many samples of numbers of that size.
DIGITNET_INLINE MemoryPlan plan_memory(const Schedule& schedule, std::size_t samples,
                                       std::size_t scalar_bytes);

}  // namespace digitnet::detail

#if DIGITNET_BODIES
#include <algorithm>

#include "digitnet/graph/memory_layout.hpp"

namespace digitnet::detail {

class MemoryPlanner {
 public:
  MemoryPlanner(const Schedule& schedule, std::size_t samples, std::size_t scalar_bytes)
      : s_(schedule), samples_(samples), scalar_(scalar_bytes) {
    const std::size_t values = s_.size() + 1;
    root_.resize(values);
    gradient_root_.assign(values, none);
    value_.resize(values);
    rematerialized_.assign(values, none);
  }

  MemoryPlan make() {
    share_values();
    live_values();
    if (training()) gradients();
    caches();
    return lay();
  }

 private:
  static constexpr std::size_t none = ~std::size_t{0};
  // The gradient of a graph's input, which the caller has a place for.
  static constexpr std::size_t callers = none - 1;

  bool training() const { return s_.mode == Mode::training; }
  std::size_t size_of(std::size_t value) const {
    return samples_ * scalar_ * (value == 0 ? s_.graph->input : s_.facts(value - 1).output);
  }
  static std::size_t reads(std::size_t step) { return 2 * step; }
  static std::size_t writes(std::size_t step) { return 2 * step + 1; }
  bool reads_x(std::size_t operation) const {
    return s_.runs_backward[operation] && s_.facts(operation).traits.backward_reads_x;
  }
  bool reads_y(std::size_t operation) const {
    return s_.runs_backward[operation] && s_.facts(operation).traits.backward_reads_y;
  }
  std::size_t add(std::size_t bytes, std::size_t birth, std::size_t death) {
    buffers_.push_back({.bytes = bytes, .birth = birth, .death = death});
    return buffers_.size() - 1;
  }
  void lives_until(std::size_t buffer, std::size_t time) {
    buffers_[buffer].death = std::max(buffers_[buffer].death, time);
  }

  // A value may be overwritten by its only reader if nobody looks at it, or at what shares its memory, later.
  bool may_overwrite(std::size_t value) const {
    if (value == 0 || s_.readers[value].size() != 1 || value == s_.output()) return false;
    if (reads_x(s_.readers[value][0]) || reads_y(value - 1)) return false;
    for (const std::size_t input : s_.inputs[value - 1])
      if (root_[input] == root_[value] && !may_overwrite(input)) return false;
    return true;
  }

  void share_values() {
    root_[0] = 0;
    for (std::size_t i = 0; i < s_.size(); ++i) {
      const OperationFacts& facts = s_.facts(i);
      root_[i + 1] = i + 1;
      if (facts.is_merge) {
        for (std::size_t j = 0; j < std::min(facts.merge.overwrites, s_.inputs[i].size()); ++j)
          if (root_[i + 1] == i + 1 && may_overwrite(s_.inputs[i][j])) root_[i + 1] = root_[s_.inputs[i][j]];
      } else if (facts.traits.is_view || (facts.traits.in_place && may_overwrite(s_.inputs[i][0]))) {
        root_[i + 1] = root_[s_.inputs[i][0]];
      }
    }
  }
  bool shares(std::size_t value) const {
    return root_[value] != value || std::count(root_.begin(), root_.end(), value) > 1;
  }

  // The only reader of a value that costs less to compute again than to keep; else none.
  std::size_t rematerializes_for(std::size_t value) const {
    if (!training() || value == 0 || value == s_.output() || shares(value) || s_.readers[value].size() != 1)
      return none;
    const LayerTraits& traits = s_.facts(value - 1).traits;
    const std::size_t reader = s_.readers[value][0];
    const LayerTraits& reading = s_.facts(reader).traits;
    const bool once = reading.reads_x_once || reading.barriers == 0;
    if (!traits.rematerializes_y || !once || !reads_x(reader)) return none;
    // To compute it again, its producer may look at what it reads.
    if (!traits.reads_x_once)
      for (const std::size_t input : s_.inputs[value - 1])
        if (rematerialized_[input] != none) return none;
    return reader;
  }

  void live_values() {
    for (std::size_t v = 0; v < value_.size(); ++v) {
      const std::size_t birth = v == 0 ? 0 : reads(s_.forward_steps[v - 1].last);
      value_[v] = root_[v] == v ? add(size_of(v), birth, birth) : value_[root_[v]];
      buffers_[value_[v]].bytes = std::max(buffers_[value_[v]].bytes, size_of(v));
      if (v > 0) lives_until(value_[v], writes(s_.forward_steps[v - 1].last));
    }
    for (std::size_t v = 0; v < value_.size(); ++v) {
      const std::size_t rematerializing = rematerializes_for(v);
      if (v == s_.output()) lives_until(value_[v], writes(s_.loss_step));
      if (v > 0 && reads_y(v - 1)) lives_until(value_[v], writes(s_.backward_steps[v - 1].last));
      for (const std::size_t reader : s_.readers[v]) {
        const bool once = s_.facts(reader).traits.reads_x_once;
        const Steps steps = s_.forward_steps[reader];
        lives_until(value_[v], writes(once && !training() ? steps.last : once ? steps.first : steps.last));
        if (reads_x(reader) && rematerializing == none)
          lives_until(value_[v], writes(s_.backward_steps[reader].last));
      }
      if (rematerializing == none) continue;
      const std::size_t step = s_.backward_steps[rematerializing].last;
      rematerialized_[v] = add(size_of(v), reads(step), writes(step));
      if (!s_.facts(v - 1).traits.reads_x_once)
        for (const std::size_t input : s_.inputs[v - 1]) lives_until(value_[input], writes(step));
    }
  }

  // How often backward adds to the gradient of a value, and when the second time is.
  std::size_t parts(std::size_t value, std::size_t* second = nullptr) const {
    std::vector<std::size_t> steps;
    for (const std::size_t reader : s_.readers[value])
      if (s_.runs_backward[reader]) steps.push_back(s_.backward_steps[reader].last);
    std::sort(steps.begin(), steps.end());
    if (second && steps.size() > 1) *second = steps[1];
    return steps.size();
  }

  void gradients() {
    dx_.resize(s_.size());
    dx_sum_.resize(s_.size());
    if (s_.wanted[0]) gradient_root_[0] = callers;
    std::vector<std::size_t> order;
    for (const auto& stages : s_.backward)
      for (const ScheduledStage& here : stages)
        if (here.stage == s_.facts(here.operation).traits.barriers) order.push_back(here.operation);
    const std::size_t output = s_.output();
    std::vector<unsigned char> begun(s_.size() + 1);
    if (output > 0 && s_.wanted[output]) {
      gradient_root_[output] = add(size_of(output), reads(s_.loss_step), writes(s_.loss_step));
      begun[output] = true;
    }
    for (const std::size_t i : order) gradients_of(i, begun);
  }

  void gradients_of(std::size_t i, std::vector<unsigned char>& begun) {
    const OperationFacts& facts = s_.facts(i);
    const Steps steps = s_.backward_steps[i];
    const std::size_t dy = gradient_root_[i + 1];
    if (dy < callers) lives_until(dy, facts.traits.dx_in_place ? reads(steps.last) : writes(steps.last));
    const std::size_t count = s_.inputs[i].size();
    dx_[i].assign(count, none);
    dx_sum_[i].assign(count, none);
    const std::vector<unsigned char> passed = passed_on(i, begun);
    for (std::size_t j = 0; j < count; ++j) {
      const std::size_t value = s_.inputs[i][j];
      if (!s_.wanted[value]) continue;
      if (begun[value]) {
        // A part of the gradient, which is then added.
        dx_[i][j] = add(size_of(value), reads(steps.last), writes(steps.last));
        dx_sum_[i][j] = gradient_root_[value];
        if (gradient_root_[value] < callers) lives_until(gradient_root_[value], writes(steps.last));
        continue;
      }
      begun[value] = true;
      if (passed[j])
        gradient_root_[value] = dy;
      else if (gradient_root_[value] != callers)
        gradient_root_[value] =
            add(size_of(value), facts.traits.dx_in_place ? writes(steps.last) : reads(steps.last),
                writes(steps.last));
      dx_[i][j] = gradient_root_[value];
    }
  }

  // [j]: the gradient of input j begins as what dy is, and lies there.
  std::vector<unsigned char> passed_on(std::size_t i, const std::vector<unsigned char>& begun) const {
    const OperationFacts& facts = s_.facts(i);
    const auto& inputs = s_.inputs[i];
    std::vector<unsigned char> result(inputs.size());
    const auto free = [&](std::size_t value) { return s_.wanted[value] && value > 0 && !begun[value]; };
    if (!facts.is_merge) {
      result[0] = (facts.traits.is_view || facts.traits.in_place) && free(inputs[0]) &&
                  parts(inputs[0]) == 1 && size_of(inputs[0]) == size_of(i + 1);
      return result;
    }
    if (!facts.merge.passes_gradient) return result;
    // Those of which the gradient is only read share it, and one more may change it once they are done.
    std::size_t done = 0;
    std::vector<std::size_t> changed;
    for (std::size_t j = 0; j < inputs.size(); ++j) {
      if (!free(inputs[j]) || std::count(inputs.begin(), inputs.end(), inputs[j]) > 1) continue;
      const std::size_t producer = inputs[j] - 1;
      const OperationFacts& producing = s_.facts(producer);
      if (parts(inputs[j]) == 1 && producing.traits.keeps_dy && !producing.is_merge) {
        result[j] = true;
        done = std::max(done, s_.backward_steps[producer].last);
      } else {
        changed.push_back(j);
      }
    }
    std::size_t owner = none, latest = 0;
    for (const std::size_t j : changed) {
      std::size_t change = s_.backward_steps[inputs[j] - 1].first;
      parts(inputs[j], &change);
      if (change <= done || change < latest) continue;
      owner = j;
      latest = change;
    }
    if (owner != none) result[owner] = true;
    return result;
  }

  void caches() {
    cache_.assign(s_.size(), none);
    std::size_t scratch = 0;
    for (std::size_t i = 0; i < s_.size(); ++i) {
      scratch = std::max(scratch, s_.facts(i).scratch_bytes(samples_));
      const std::size_t bytes = training() ? s_.facts(i).cache_bytes(samples_) : 0;
      if (bytes == 0) continue;
      cache_[i] = add(bytes, reads(s_.forward_steps[i].first),
                      writes(s_.runs_backward[i] ? s_.backward_steps[i].last : s_.forward_steps[i].last));
    }
    scratch_bytes_ = round_up(scratch, alignment_bytes);
  }

  MemoryPlan lay() {
    for (PlannedBuffer& buffer : buffers_)
      buffer.lasts = s_.segment(buffer.birth / 2) != s_.segment(buffer.death / 2);
    MemoryPlan plan;
    plan.lasting_bytes = lay_out(buffers_, true);
    const std::size_t passing = lay_out(buffers_, false);
    plan.scratch = {MemoryPlace::passing, passing};
    plan.passing_bytes = passing + scratch_bytes_;
    const auto place = [&](std::size_t buffer) -> MemoryPlace {
      if (buffer == none) return {};
      if (buffer == callers) return {MemoryPlace::caller, 0};
      return {buffers_[buffer].lasts ? MemoryPlace::lasting : MemoryPlace::passing, buffers_[buffer].offset};
    };
    for (std::size_t v = 0; v < value_.size(); ++v) {
      plan.value.push_back(root_[v] == 0 ? MemoryPlace{MemoryPlace::caller, 0} : place(value_[v]));
      plan.rematerialized.push_back(place(rematerialized_[v]));
      plan.gradient.push_back(place(gradient_root_[v]));
    }
    plan.input = place(value_[0]);
    plan.dx.resize(s_.size());
    for (std::size_t i = 0; i < dx_.size(); ++i)
      for (std::size_t j = 0; j < dx_[i].size(); ++j)
        plan.dx[i].push_back({place(dx_[i][j]), place(dx_sum_[i][j])});
    for (const std::size_t cache : cache_) plan.cache.push_back(place(cache));
    return plan;
  }

  const Schedule& s_;
  std::size_t samples_, scalar_;
  std::vector<PlannedBuffer> buffers_;
  // root_[v]: the value in whose memory value v lies. The others are numbers of buffers.
  std::vector<std::size_t> root_, value_, rematerialized_, gradient_root_, cache_;
  std::vector<std::vector<std::size_t>> dx_, dx_sum_;
  std::size_t scratch_bytes_ = 0;
};

DIGITNET_INLINE MemoryPlan plan_memory(const Schedule& schedule, std::size_t samples,
                                       std::size_t scalar_bytes) {
  return MemoryPlanner(schedule, samples, scalar_bytes).make();
}

}  // namespace digitnet::detail
#endif
