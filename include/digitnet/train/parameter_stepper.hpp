// Takes one optimizer step: sums the shards' gradients, clips them and moves the parameters, on all threads.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/processor.hpp"
#include "digitnet/core/thread_team.hpp"
#include "digitnet/kernels/optimizer_step.hpp"
#include "digitnet/model/sequential.hpp"
#include "digitnet/train/communicator.hpp"
#include "digitnet/train/gradients.hpp"
#include "digitnet/train/optimizers.hpp"

namespace digitnet {
inline namespace DIGITNET_PROCESSOR {

/// Holds an optimizer's slots for an arena of parameters, and steps them. `products`, which must outlive it,
/// are the gradients that are not in the shards; `threads` is the size of the largest team that it is used
/// with. With a communicator, of several ranks, each steps its share and keeps the slots of that alone; the
/// numbers are the same as with one.
class ParameterStepper : detail::StepPieces {
 public:
  template <class Model>
  explicit ParameterStepper(const Model& model, std::span<const DeferredWeightGradient> products = {},
                            std::size_t threads = 1, Communicator* communicator = nullptr)
      : ParameterStepper(Model::arena_size, parameters_of(model), products, threads, communicator) {}

  ParameterStepper(std::size_t arena_size, const std::vector<ParameterInfo>& parameters,
                   std::span<const DeferredWeightGradient> products, std::size_t threads,
                   Communicator* communicator)
      : arena_size_(arena_size) {
    std::size_t parameter = 0, largest = 0;
    for (const ParameterInfo& info : parameters) {
      if (!info.trainable) {
        moving_.push_back({info.offset, info.size()});
        continue;
      }
      const auto product =
          std::find_if(products.begin(), products.end(),
                       [&](const DeferredWeightGradient& p) { return p.parameter == info.offset; });
      std::size_t length = piece;
      if (product != products.end()) {
        length = product_rows(*product) * product->outputs;
        largest = std::max(largest, length);
      }
      for (std::size_t done = 0, size = round_up(info.size(), alignment_elements); done < size;
           done += length)
        segments_.push_back({.begin = info.offset + done,
                             .size = std::min(length, size - done),
                             .parameter = parameter,
                             .product = product == products.end() ? nullptr : &*product,
                             .regularizer = info.regularizer,
                             .sums = {}});
      ++parameter;
    }
    norms_.resize(parameter);
    for (std::size_t thread = 0; thread < threads; ++thread)
      product_memory_.emplace_back(round_up(largest, alignment_elements));
    // Small parameters share a task.
    for (std::size_t i = 0, filled = piece; i < segments_.size(); ++i) {
      if (filled + segments_[i].size > piece) {
        tasks_.push_back(i);
        filled = 0;
      }
      filled += segments_[i].size;
    }
    tasks_.push_back(segments_.size());
    own_tasks_ = tasks_.size() - 1;
    for (const Segment& segment : segments_) regularizes_ = regularizes_ || segment.regularizer.active();
    if (communicator) share(*communicator);
  }

  /// One step: the shards of `gradients` are zero afterwards; `step` counts from 1. Returns the penalty of
  /// the parameters before the step. The result does not depend on the number of threads.
  template <class Optimizer>
  double step(ThreadTeam& team, const Optimizer& optimizer, std::uint64_t step, float rate,
              std::span<float> parameters, const Gradients& gradients) {
    const std::span<float* const> shards = gradients.shards;
    const GradientTreatment treatment = optimizer.treatment();
    const bool by_norm = treatment.clipnorm > 0 || treatment.global_clipnorm > 0;
    if (exchange_) exchange_->collect(gradients);
    double penalty = 0;
    if (by_norm) {
      for_each_segment(team, [&](Segment& segment, std::size_t) {
        const bool product = segment.product && gradients.deferred;
        if (product) multiply(gradients, segment, shards[0] + segment.begin);
        segment.sums = kernels::reduce_gradients(segment.size, parameters.data() + segment.begin,
                                                 LanesAt(product ? shards.first(1) : shards, segment.begin),
                                                 settings_of(segment));
      });
      gather_sums();
      measure_norms();
      penalty = total_penalty();
    }
    optimizer.with_formula(step, rate, [&](const auto& formula) {
      prepare_slots(formula.slots, formula.initial);
      for_each_segment(team, [&](Segment& segment, std::size_t thread) {
        kernels::SweepSettings settings = settings_of(segment);
        settings.clipvalue = treatment.clipvalue;
        settings.shrink = 1 - rate * treatment.weight_decay;
        if (by_norm) {
          // They are in the sum already, which lies in the first shard.
          settings.l1 = settings.l2 = 0;
          settings.scale = norm_scale(treatment, segment.parameter);
        }
        LanesAt here(by_norm ? shards.first(1) : shards, segment.begin);
        if (segment.product && gradients.deferred && !by_norm) {
          // A product goes from the cache into the parameters: no arena sees it.
          float* const product = product_memory_[thread].data();
          multiply(gradients, segment, product);
          here = LanesAt(product);
        }
        segment.sums = kernels::step_parameters(segment.size, parameters.data() + segment.begin, here,
                                                slots_.size() == 0 ? nullptr : slots_.data() + segment.begin,
                                                arena_size_, formula, settings);
      });
    });
    move(parameters, shards);
    if (exchange_) exchange_->spread(parameters);
    if (by_norm) return penalty;
    if (regularizes_) gather_sums();
    return total_penalty();
  }

  /// Moves only what is not trained; the shards of `gradients` are zero afterwards.
  void move_statistics(std::span<float> parameters, const Gradients& gradients) {
    if (exchange_) exchange_->collect(gradients);
    move(parameters, gradients.shards);
    if (exchange_) exchange_->spread(parameters);
    for (float* const shard : gradients.shards) std::fill_n(shard, arena_size_, 0.0f);
  }

  /// The slots, one arena after the other; none before the first step.
  Arena<float> copy_of_slots() const {
    Arena<float> slots = slots_;
    for (std::size_t slot = 0; exchange_ && slot * arena_size_ < slots.size(); ++slot)
      exchange_->spread(slots.span().subspan(slot * arena_size_, arena_size_));
    return slots;
  }
  /// Goes on with slots that another stepper left.
  void restore_slots(Arena<float> slots) { slots_ = std::move(slots); }

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
  // Elements: 32 KiB of each array, which is a first-level cache.
  static constexpr std::size_t piece = 8192;
  struct Segment {
    std::size_t begin, size, parameter;
    // Null: the gradient is in the shards.
    const DeferredWeightGradient* product;
    Regularizer regularizer;
    kernels::SweepSums sums;
  };

  // Pointers to one place in each shard's arena.
  class LanesAt {
   public:
    LanesAt(std::span<float* const> shards, std::size_t begin) : count_(shards.size()) {
      for (std::size_t shard = 0; shard < count_; ++shard) pointers_[shard] = shards[shard] + begin;
    }
    explicit LanesAt(float* only) : pointers_{only}, count_(1) {}
    operator std::span<float* const>() const { return {pointers_.data(), count_}; }

   private:
    std::array<float*, Gradients::most_shards> pointers_;
    std::size_t count_;
  };

  template <class Model>
  static std::vector<ParameterInfo> parameters_of(const Model& model) {
    std::vector<ParameterInfo> parameters;
    model.for_each_parameter([&](const ParameterInfo& info) { parameters.push_back(info); });
    return parameters;
  }

  // Rows of a product that one task computes; a multiple of 16 keeps pieces aligned.
  static std::size_t product_rows(const DeferredWeightGradient& product) {
    return round_up(std::max<std::size_t>(1, product.pieces * piece / product.outputs), alignment_elements);
  }
  // The part of the product that is the segment's gradient.
  static void multiply(const Gradients& gradients, const Segment& segment, float* to) {
    const DeferredWeightGradient& product = *segment.product;
    const std::size_t first = (segment.begin - product.parameter) / product.outputs;
    const std::size_t rows = std::min(segment.size / product.outputs, product.inputs - first);
    const float* const x = gradients.deferred + gradients.batch * product.deferred_before;
    product.multiply(gradients.batch, rows, x + first, x + gradients.batch * product.inputs, to);
    std::fill(to + rows * product.outputs, to + segment.size, 0.0f);
  }

  static kernels::SweepSettings settings_of(const Segment& segment) {
    return {.l1 = segment.regularizer.l1, .l2 = segment.regularizer.l2};
  }

  // Of several ranks each steps some tasks; what only moves is rank 0's.
  void share(Communicator& communicator) {
    exchange_ = communicator.gradient_exchange(*this);
    first_own_task_ = exchange_->first_task;
    own_tasks_ = exchange_->tasks;
    moves_ = communicator.rank() == 0;
  }
  std::size_t task_count() const override { return tasks_.size() - 1; }
  std::size_t first_piece(std::size_t task) const override { return tasks_[task]; }
  std::size_t piece_count() const override { return segments_.size() + moving_.size(); }
  detail::StepPiece piece_at(std::size_t number) const override {
    if (number < segments_.size())
      return {segments_[number].begin, segments_[number].size, segments_[number].product};
    const auto& [begin, size] = moving_[number - segments_.size()];
    return {begin, size, nullptr};
  }
  // Everybody gets the sums of all segments.
  void gather_sums() {
    if (exchange_)
      exchange_->spread_found(reinterpret_cast<std::byte*>(&segments_.data()->sums), sizeof(Segment),
                              sizeof(kernels::SweepSums));
  }

  // Parameters that are not trained move by what layers have left as their gradients.
  void move(std::span<float> parameters, std::span<float* const> shards) const {
    if (!moves_) return;
    for (const auto& [begin, size] : moving_)
      for (float* const shard : shards)
        for (std::size_t i = begin; i < begin + size; ++i) parameters[i] += std::exchange(shard[i], 0.0f);
  }

  template <class Sweep>
  void for_each_segment(ThreadTeam& team, Sweep&& sweep) {
    team.for_each(own_tasks_, [&](std::size_t number, std::size_t thread) {
      const std::size_t task = first_own_task_ + number;
      for (std::size_t i = tasks_[task]; i < tasks_[task + 1]; ++i) sweep(segments_[i], thread);
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
  // Begin and size of what is not trained.
  std::vector<std::pair<std::size_t, std::size_t>> moving_;
  // The first segment of each task, and the end.
  std::vector<std::size_t> tasks_;
  // What this process steps.
  std::size_t first_own_task_ = 0, own_tasks_ = 0;
  bool moves_ = true, regularizes_ = false;
  // Null: this process is alone.
  std::unique_ptr<detail::GradientExchange> exchange_;
  // Where products are computed, one a thread.
  std::vector<Arena<float>> product_memory_;
  std::vector<double> norms_;
  double global_norm_ = 0;
  Arena<float> slots_;
};

}  // namespace DIGITNET_PROCESSOR
}  // namespace digitnet
