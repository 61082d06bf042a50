// From the lanes' gradients to new parameters: which parts of the arena are swept how, shared out over the
// team.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/thread_team.hpp"
#include "digitnet/kernels/optimizer_step.hpp"
#include "digitnet/model/sequential_on.hpp"
#include "digitnet/train/optimizers.hpp"

namespace digitnet {

/// Holds an optimizer's slots for an arena of parameters, and steps them.
class ParameterStepper {
 public:
  template <class Model>
  explicit ParameterStepper(const Model& model) : arena_size_(Model::arena_size) {
    std::size_t parameter = 0;
    model.for_each_parameter([&](const ParameterInfo& info) {
      if (!info.trainable) return;
      for (std::size_t done = 0, size = round_up(info.size(), alignment_elements); done < size; done += piece)
        segments_.push_back({.begin = info.offset + done,
                             .size = std::min(piece, size - done),
                             .parameter = parameter,
                             .regularizer = info.regularizer,
                             .sums = {}});
      ++parameter;
    });
    norms_.resize(parameter);
    // Small parameters share a task.
    for (std::size_t i = 0, filled = piece; i < segments_.size(); ++i) {
      if (filled + segments_[i].size > piece) {
        tasks_.push_back(i);
        filled = 0;
      }
      filled += segments_[i].size;
    }
    tasks_.push_back(segments_.size());
  }

  /// One step: `lanes` are gradient arenas, zero afterwards; `step` counts from 1. Returns the penalty of the
  /// parameters before the step. The result does not depend on the number of threads.
  template <class Optimizer>
  double step(ThreadTeam& team, const Optimizer& optimizer, std::uint64_t step, float rate,
              std::span<float> parameters, std::span<float* const> lanes) {
    const GradientTreatment treatment = optimizer.treatment();
    const bool by_norm = treatment.clipnorm > 0 || treatment.global_clipnorm > 0;
    double penalty = 0;
    if (by_norm) {
      for_each_segment(team, [&](Segment& segment) {
        segment.sums = kernels::reduce_gradients(segment.size, parameters.data() + segment.begin,
                                                 LanesAt(lanes, segment.begin), settings_of(segment));
      });
      measure_norms();
      penalty = total_penalty();
    }
    optimizer.with_formula(step, rate, [&](const auto& formula) {
      prepare_slots(formula.slots, formula.initial);
      for_each_segment(team, [&](Segment& segment) {
        kernels::SweepSettings settings = settings_of(segment);
        settings.clipvalue = treatment.clipvalue;
        settings.shrink = 1 - rate * treatment.weight_decay;
        if (by_norm) {
          settings.l1 = settings.l2 = 0;  // already in the sum, which lies in the first lane
          settings.scale = norm_scale(treatment, segment.parameter);
        }
        segment.sums = kernels::step_parameters(segment.size, parameters.data() + segment.begin,
                                                LanesAt(by_norm ? lanes.first(1) : lanes, segment.begin),
                                                slots_.size() == 0 ? nullptr : slots_.data() + segment.begin,
                                                arena_size_, formula, settings);
      });
    });
    return by_norm ? penalty : total_penalty();
  }

  /// The penalty of the parameters as they are.
  double penalty(std::span<const float> parameters) const {
    double result = 0;
    for (const Segment& segment : segments_) {
      if (!segment.regularizer.active()) continue;
      double absolute = 0, square = 0;
      for (std::size_t i = segment.begin; i < segment.begin + segment.size; ++i) {
        absolute += std::abs(double{parameters[i]});
        square += double{parameters[i]} * parameters[i];
      }
      result += segment.regularizer.l1 * absolute + segment.regularizer.l2 * square;
    }
    return result;
  }

 private:
  static constexpr std::size_t piece = 8192;  // elements: 32 KiB, a first-level cache, of each array
  static constexpr std::size_t most_lanes = 16;

  struct Segment {
    std::size_t begin, size, parameter;
    Regularizer regularizer;
    kernels::SweepSums sums;
  };

  // Pointers to one place in each lane's arena.
  class LanesAt {
   public:
    LanesAt(std::span<float* const> lanes, std::size_t begin) : count_(lanes.size()) {
      for (std::size_t lane = 0; lane < count_; ++lane) pointers_[lane] = lanes[lane] + begin;
    }
    operator std::span<float* const>() const { return {pointers_.data(), count_}; }

   private:
    std::array<float*, most_lanes> pointers_;
    std::size_t count_;
  };

  static kernels::SweepSettings settings_of(const Segment& segment) {
    return {.l1 = segment.regularizer.l1, .l2 = segment.regularizer.l2};
  }

  template <class Sweep>
  void for_each_segment(ThreadTeam& team, Sweep&& sweep) {
    team.for_each(tasks_.size() - 1, [&](std::size_t task, std::size_t) {
      for (std::size_t i = tasks_[task]; i < tasks_[task + 1]; ++i) sweep(segments_[i]);
    });
  }
  void prepare_slots(std::size_t count, float initial) {
    if (slots_.size() == count * arena_size_) return;
    slots_ = Arena<float>(count * arena_size_);
    // Padding keeps zero slots: its gradient is zero, so it does not move.
    slots_.fill(initial);
  }
  void measure_norms() {
    std::fill(norms_.begin(), norms_.end(), 0.0);
    for (const Segment& segment : segments_) norms_[segment.parameter] += segment.sums.square_norm;
    global_norm_ = 0;
    for (double& norm : norms_) {
      global_norm_ += norm;
      norm = std::sqrt(norm);
    }
    global_norm_ = std::sqrt(global_norm_);
  }
  float norm_scale(const GradientTreatment& treatment, std::size_t parameter) const {
    const bool global = treatment.global_clipnorm > 0;
    const double bound = global ? treatment.global_clipnorm : treatment.clipnorm;
    const double norm = global ? global_norm_ : norms_[parameter];
    return norm > bound ? static_cast<float>(bound / norm) : 1.0f;
  }
  double total_penalty() const {
    double penalty = 0;
    for (const Segment& segment : segments_) penalty += segment.sums.penalty;
    return penalty;
  }

  std::size_t arena_size_;
  std::vector<Segment> segments_;
  std::vector<std::size_t> tasks_;  // first segment of each task, and the end
  std::vector<double> norms_;
  double global_norm_ = 0;
  Arena<float> slots_;
};

}  // namespace digitnet
