// Runs batches through a model: shards of micro-batches, forward and backward, on a team of threads.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "digitnet/core/blas.hpp"
#include "digitnet/core/for_each_index.hpp"
#include "digitnet/core/samples.hpp"
#include "digitnet/core/thread_team.hpp"
#include "digitnet/layers/stages.hpp"
#include "digitnet/model/sequential.hpp"
#include "digitnet/train/batch.hpp"
#include "digitnet/train/gradients.hpp"
#include "digitnet/train/losses.hpp"

namespace digitnet {

namespace detail {

template <class Sequence, class Indices>
struct FirstLayers;
template <class... Layers, std::size_t... I>
struct FirstLayers<Sequential<Layers...>, std::index_sequence<I...>> {
  using Type = Sequential<std::tuple_element_t<I, std::tuple<Layers...>>...>;
  static Type of(const Sequential<Layers...>& body) {
    return Type(std::tuple<std::tuple_element_t<I, std::tuple<Layers...>>...>(std::get<I>(body.layers)...));
  }
};

template <class Body>
struct LastLayer;
template <class... Layers>
struct LastLayer<Sequential<Layers...>> {
  using Type = std::tuple_element_t<sizeof...(Layers) - 1, std::tuple<Layers...>>;
};

}  // namespace detail

/// Computes gradients and losses of a model. A batch is cut into shards, whose number depends on the model
/// and the batch but not on the threads; each shard sums the gradients of its samples in order, and shards
/// are summed in order: so the result is the same, bit for bit, with any number of threads.
template <class Model, class Loss>
class GradientEngine {
 public:
  /// The last layer is computed with the loss where that is more exact (softmax and cross-entropy).
  static constexpr bool last_with_loss =
      Model::layer_count > 1 &&
      detail::computed_together<typename detail::LastLayer<typename Model::Body>::Type, Loss>;
  using Input = typename Model::InputShape;
  using First = detail::FirstLayers<typename Model::Body,
                                    std::make_index_sequence<Model::layer_count - (last_with_loss ? 1 : 0)>>;
  using Body = typename First::Type;
  using On = typename Body::template On<Input>;
  using Memory = Workspace<On, Input>;
  using StageMemory = TrainingWorkspace<On, Input>;
  static constexpr std::size_t outputs = On::Output::size;

  /// Shards of a full batch: the more, the better threads share the work, but each one's gradients must be
  /// summed. What is left to products is not in the shards.
  static constexpr std::size_t in_shards = [] {
    std::size_t size = Model::arena_size;
    On::for_each_deferred(0, 0, [&](const DeferredWeightGradient& p) { size -= p.inputs * p.outputs; });
    return size;
  }();
  static constexpr std::size_t most_shards = in_shards <= 32 * 1024 ? 8 : in_shards <= 256 * 1024 ? 4 : 2;
  static_assert(most_shards <= 16);

  [[gnu::cold]] GradientEngine(const Model& model, const Loss& loss, ThreadTeam& team)
      : model_(model),
        body_(First::of(model.body())),
        loss_(loss),
        team_(team),
        workspaces_(team.size()),
        packed_forward_(std::max(On::template packed_bytes<float, Purpose::forward>(),
                                 On::template packed_bytes<float, Purpose::inference>()) /
                        sizeof(float)),
        packed_backward_(On::template packed_bytes<float, Purpose::weight_gradients>() / sizeof(float)),
        reader_(Input::size, team.size()) {
    if constexpr (last_with_loss) loss_.from_logits = true;
    if constexpr (requires { loss_.from_logits; }) half_ = loss_.from_logits ? 0.0f : 0.5f;
    for (std::size_t shard = 0; shard < most_shards; ++shard) {
      gradients_.emplace_back(Model::arena_size);
      shards_.push_back(gradients_.back().data());
    }
    for (Memory& workspace : workspaces_) workspace.reserve();
    for (std::size_t thread = 0; thread < team.size(); ++thread) other_gradients_.emplace_back(outputs);
    if constexpr (On::barriers > 0)
      for (std::size_t thread = 0; thread < team.size(); ++thread)
        stage_scratch_.emplace_back(On::template scratch_bytes<float>(StageMemory::micro_batch) /
                                    sizeof(float));
    On::for_each_deferred(0, 0, [&](const DeferredWeightGradient& product) { products_.push_back(product); });
  }

  /// Every shard streams all parameters past its samples, so a model that uses each parameter once a sample
  /// wants many samples in a shard, and one that uses it at many positions does with few.
  static std::size_t shard_count(std::size_t batch) {
    const std::size_t uses = 1 + On::multiply_adds / std::max<std::size_t>(1, Model::parameter_count);
    return std::min(batch, std::clamp<std::size_t>(batch * uses / 64, 2, most_shards));
  }

  /// Adds the gradients of the batch's mean loss to the shards' arenas. `key` belongs to (seed, epoch, step).
  /// If the batch is a part of a larger step, `step_samples` tells its number of samples, over which the mean
  /// is then taken, and every gradient is in the arenas.
  BatchResult accumulate(const Batch& batch, RandomKey key, std::size_t step_samples = 0) {
    pack<Purpose::forward, Purpose::weight_gradients>();
    const std::size_t count = batch.indices.size();
    const std::size_t shards = shard_count(count);
    batch_ = count;
    scale_ = 1.0f / static_cast<float>(std::max(count, step_samples));
    defers_ = On::deferred > 0 && step_samples <= count;
    if (defers_ && deferred_.size() < count * On::deferred) deferred_ = Arena<float>(count * On::deferred);
    std::fill_n(results_.begin(), shards, BatchResult{});
    if constexpr (On::barriers > 0)
      accumulate_in_stages(batch, shards, key);
    else
      team_.for_each(shards, [&](std::size_t shard, std::size_t thread) {
        const std::size_t end = (shard + 1) * count / shards;
        for (std::size_t first = shard * count / shards; first < end; first += Memory::micro_batch) {
          const MicroBatch here{shard, first, std::min(Memory::micro_batch, end - first)};
          Memory& memory = workspaces_[thread];
          gather(batch, first, here.count, memory, thread);
          run_forward<On>(forward_io(memory, memory.scratch(), here.count, Mode::training, key, first));
          results_[shard] += measure(batch, here, memory, thread);
          run_backward<On>(backward_io(memory, memory.scratch(), here));
        }
      });
    return total(shards);
  }

  /// The loss and the number of right answers, without training.
  BatchResult evaluate(const DataView& data) {
    std::vector<std::uint32_t> all(data.count());
    std::iota(all.begin(), all.end(), std::uint32_t{0});
    return evaluate(Batch{data, all, {}});
  }
  BatchResult evaluate(const Batch& batch) {
    const std::size_t count = batch.indices.size();
    const std::size_t parts =
        std::min<std::size_t>((count + Memory::micro_batch - 1) / Memory::micro_batch, 256);
    std::vector<BatchResult> results(parts);
    pack<Purpose::inference>();
    team_.for_each(parts, [&](std::size_t part, std::size_t thread) {
      const std::size_t end = (part + 1) * count / parts;
      for (std::size_t first = part * count / parts; first < end; first += Memory::micro_batch)
        results[part] += test(batch, first, std::min(Memory::micro_batch, end - first), workspaces_[thread]);
    });
    BatchResult sum;
    for (const BatchResult& result : results) sum += result;
    return sum;
  }

  /// Gradients of the last batch: the shards' arenas, to be summed, and the products that are not in them.
  Gradients gradients() const {
    return {.shards = shards_,
            .products = products_,
            .deferred = defers_ ? deferred_.data() : nullptr,
            .batch = batch_};
  }

 private:
  ParameterViews<const float, typename On::Parameters> parameters() const {
    return {model_.parameters().data()};
  }

  template <Purpose... purposes>
  void pack() {
    team_.for_each(On::operation_count * sizeof...(purposes), [&](std::size_t index, std::size_t) {
      std::size_t turn = 0;
      ((index / On::operation_count == turn++
            ? On::template pack_operation<float, purposes>(
                  index % On::operation_count, body_, parameters(),
                  (purposes == Purpose::weight_gradients ? packed_backward_ : packed_forward_).data())
            : void()),
       ...);
    });
  }

  // Some samples of a shard that run together.
  struct MicroBatch {
    std::size_t shard, first, count;
  };

  auto forward_io(auto& memory, float* scratch, std::size_t count, Mode mode, RandomKey key,
                  std::size_t first, BatchStatistics statistics = {}) const {
    return ForwardIo<float, Body, Input>{.layer = body_,
                                         .x = {memory.x(), count},
                                         .y = {memory.y(), count},
                                         .parameters = parameters(),
                                         .packed = packed_forward_.data(),
                                         .cache = memory.cache(),
                                         .scratch = scratch,
                                         .mode = mode,
                                         .random = key,
                                         .first_sample = first,
                                         .statistics = statistics};
  }
  auto backward_io(auto& memory, float* scratch, const MicroBatch& here, BatchStatistics statistics = {}) {
    return BackwardIo<float, Body, Input, false>{
        .layer = body_,
        .x = {memory.x(), here.count},
        .y = {memory.y(), here.count},
        .dx = {nullptr, here.count},
        .dy = {memory.dy(), here.count},
        .parameters = parameters(),
        .gradients = {shards_[here.shard]},
        .packed = packed_backward_.data(),
        .cache = memory.cache(),
        .scratch = scratch,
        .deferred = {defers_ ? deferred_.data() : nullptr, here.first, batch_},
        .statistics = statistics,
        .forward_totals = forward_statistics_.total.data()};
  }

  // Where layers need sums over the batch, every micro-batch keeps its own workspace, and all of them finish
  // a stage before any begins the next. Sums are added in the order of the micro-batches, so they do not
  // depend on the threads.
  void accumulate_in_stages(const Batch& batch, std::size_t shards, RandomKey key) {
    micro_batches_.clear();
    std::array<std::size_t, most_shards + 1> first_of_shard{};
    for (std::size_t shard = 0; shard < shards; ++shard) {
      const std::size_t end = (shard + 1) * batch_ / shards;
      for (std::size_t first = shard * batch_ / shards; first < end; first += StageMemory::micro_batch)
        micro_batches_.push_back({shard, first, std::min(StageMemory::micro_batch, end - first)});
      first_of_shard[shard + 1] = micro_batches_.size();
    }
    while (stage_workspaces_.size() < micro_batches_.size()) stage_workspaces_.emplace_back().reserve();
    forward_statistics_.reserve(micro_batches_.size());
    backward_statistics_.reserve(micro_batches_.size());
    const auto each = [&](const auto& run) {
      team_.for_each(shards, [&](std::size_t shard, std::size_t thread) {
        for (std::size_t i = first_of_shard[shard]; i < first_of_shard[shard + 1]; ++i)
          run(micro_batches_[i], stage_workspaces_[i], i, thread);
      });
    };
    for_each_index<On::barriers + 1>([&]<std::size_t stage>() {
      const auto each_in_turn = [&](const auto& run) {
        // Nothing is summed before the last stage, so every micro-batch may go to any thread.
        if (stage == On::barriers)
          each(run);
        else
          team_.for_each(micro_batches_.size(), [&](std::size_t i, std::size_t thread) {
            run(micro_batches_[i], stage_workspaces_[i], i, thread);
          });
      };
      each_in_turn([&](const MicroBatch& here, StageMemory& memory, std::size_t i, std::size_t thread) {
        if (stage == 0) gather(batch, here.first, here.count, memory, thread);
        float* const scratch = stage_scratch_[thread].data();
        run_forward_stage<On, stage>(forward_io(memory, scratch, here.count, Mode::training, key, here.first,
                                                forward_statistics_.of(i, batch_)));
        if constexpr (stage == On::barriers) {
          results_[here.shard] += measure(batch, here, memory, thread);
          run_backward_stage<On, 0>(backward_io(memory, scratch, here, backward_statistics_.of(i, batch_)));
        }
      });
      if constexpr (stage < On::barriers) forward_statistics_.template merge<stage>(micro_batches_);
    });
    for_each_index<On::barriers>([&]<std::size_t before>() {
      constexpr std::size_t stage = before + 1;
      backward_statistics_.add_up(micro_batches_.size());
      each([&](const MicroBatch& here, StageMemory& memory, std::size_t i, std::size_t thread) {
        run_backward_stage<On, stage>(
            backward_io(memory, stage_scratch_[thread].data(), here, backward_statistics_.of(i, batch_)));
      });
    });
  }

  void gather(const Batch& batch, std::size_t first, std::size_t count, auto& memory, std::size_t thread) {
    reader_.read(batch, first, count, memory.x(), thread);
  }

  // The loss of a micro-batch, and its gradient.
  BatchResult measure(const Batch& batch, const MicroBatch& here, auto& memory, std::size_t thread) {
    BatchResult result{.samples = here.count};
    for (std::size_t i = 0; i < here.count; ++i) {
      const std::size_t index = batch.indices[here.first + i];
      const Target target(batch.data.targets, index);
      const float* const output = memory.y() + i * outputs;
      float* const gradient = memory.dy() + i * outputs;
      const float weight = batch.weights.empty() ? 1.0f : batch.weights[index];
      double loss{loss_(outputs, output, target, gradient)};
      if (const Mixture mixture = mixture_of(batch, here.first + i); mixture.part != 1) {
        // The loss is that of both targets, by their parts.
        float* const other = other_gradients_[thread].data();
        const double other_loss{loss_(outputs, output, Target(batch.data.targets, mixture.partner), other)};
        loss += double{1 - mixture.part} * (other_loss - loss);
        for (std::size_t j = 0; j < outputs; ++j)
          gradient[j] += (1 - mixture.part) * (other[j] - gradient[j]);
      }
      result.loss += double{weight} * loss;
      judge(result, output, target);
      for (std::size_t j = 0; j < outputs; ++j) gradient[j] *= weight * scale_;
    }
    return result;
  }

  BatchResult test(const Batch& batch, std::size_t first, std::size_t count, Memory& memory) const {
    for (std::size_t i = 0; i < count; ++i)
      batch.data.samples.copy(batch.indices[first + i], memory.x() + i * Input::size);
    run_forward<On>(forward_io(memory, memory.scratch(), count, Mode::inference, RandomKey{}, first));
    BatchResult result{.samples = count};
    for (std::size_t i = 0; i < count; ++i) {
      const Target target(batch.data.targets, batch.indices[first + i]);
      const float* const output = memory.y() + i * outputs;
      result.loss += double{loss_(outputs, output, target, static_cast<float*>(nullptr))};
      judge(result, output, target);
    }
    return result;
  }

  // What is not a number is right nowhere.
  void judge(BatchResult& result, const float* output, const Target& target) const {
    if constexpr (outputs > 1 && requires { requires Loss::judges_each_output; })
      if (target.row) {
        result.answers += outputs;
        for (std::size_t i = 0; i < outputs; ++i)
          result.correct += target.row[i] > 0.5f ? output[i] > half_ : output[i] <= half_;
        return;
      }
    ++result.answers;
    result.correct += predicted_class(outputs, output, half_) == target.predicted_class(outputs);
  }

  BatchResult total(std::size_t shards) const {
    BatchResult sum;
    for (std::size_t shard = 0; shard < shards; ++shard) sum += results_[shard];
    return sum;
  }

  // The sums of one direction, of each micro-batch and of all.
  struct Statistics {
    std::vector<double> partial, total = std::vector<double>(On::statistics);
    void reserve(std::size_t micro_batches) { partial.resize(micro_batches * On::statistics); }
    BatchStatistics of(std::size_t micro_batch, std::size_t batch) {
      return {partial.data() + micro_batch * On::statistics, total.data(), batch, micro_batch == 0};
    }
    template <std::size_t stage>
    void merge(const std::vector<MicroBatch>& micro_batches) {
      std::size_t before = 0;
      for (std::size_t i = 0; i < micro_batches.size(); ++i) {
        merge_stage_statistics<On, stage>(
            {total.data(), partial.data() + i * On::statistics, before, micro_batches[i].count});
        before += micro_batches[i].count;
      }
    }
    void add_up(std::size_t micro_batches) {
      std::fill(total.begin(), total.end(), 0.0);
      for (std::size_t i = 0; i < micro_batches; ++i)
        for (std::size_t j = 0; j < On::statistics; ++j) total[j] += partial[i * On::statistics + j];
    }
  };

  const Model& model_;
  Body body_;
  Loss loss_;
  ThreadTeam& team_;
  std::vector<Memory> workspaces_;             // one a thread
  std::vector<Arena<float>> other_gradients_;  // of a mixture's second target; one a thread
  Arena<float> packed_forward_;
  Arena<float> packed_backward_;
  std::vector<Arena<float>> gradients_;  // one a shard
  std::vector<float*> shards_;
  std::vector<DeferredWeightGradient> products_;
  Arena<float> deferred_;  // what the products need of the batch
  std::size_t batch_ = 0;
  float scale_ = 1;      // of the gradients: one over the samples of a step
  float half_ = 0.5f;    // an output above says yes
  bool defers_ = false;  // whether products are left to the stepper
  BatchReader reader_;
  std::array<BatchResult, most_shards> results_;
  std::vector<MicroBatch> micro_batches_;  // these are used where stages are
  std::vector<StageMemory> stage_workspaces_;
  std::vector<Arena<float>> stage_scratch_;  // one a thread
  Statistics forward_statistics_, backward_statistics_;
};

}  // namespace digitnet
