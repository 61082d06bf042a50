// Computes gradients and losses of a model: its graph and its loss, on a team of threads.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <tuple>
#include <vector>

#include "digitnet/model/sequential.hpp"
#include "digitnet/train/batch_runner.hpp"
#include "digitnet/train/losses.hpp"

namespace digitnet {

namespace detail {

template <class Body>
struct LastLayer;
template <class... Layers>
struct LastLayer<Sequential<Layers...>> {
  using Type = std::tuple_element_t<sizeof...(Layers) - 1, std::tuple<Layers...>>;
};

}  // namespace detail

template <class Model, class Loss>
class GradientEngine final : detail::OutputJudge {
 public:
  /// The last layer is computed with the loss where that is more exact (softmax and cross-entropy).
  static constexpr bool last_with_loss =
      Model::layer_count > 1 &&
      detail::computed_together<typename detail::LastLayer<typename Model::Body>::Type, Loss>;
  using Graph = detail::Graph<typename Model::Body, typename Model::InputShape, last_with_loss ? 1 : 0>;
  static constexpr std::size_t outputs = Graph::template Node<Graph::node_count - 1>::Output::size;

  // Inlined, as are its like: a name that said the model twice would be thousands of letters long.
  [[gnu::always_inline]] GradientEngine(const Model& model, const Loss& loss, ThreadTeam& team,
                                        std::size_t shards = 0, Communicator* communicator = nullptr)
      : body_(model.body()),
        objects_(detail::objects_of<typename Model::InputShape>(body_)),
        loss_(loss),
        runner_(
            {.facts = Graph::template facts<float>(),
             .code = {Graph::template forward<float>, Graph::template backward<float>, detail::add_to<float>},
             .pack_forward = Graph::template packs<float, Purpose::forward>,
             .pack_backward = Graph::template packs<float, Purpose::weight_gradients>,
             .pack_inference = Graph::template packs<float, Purpose::inference>,
             .layers = objects_,
             .parameters = model.parameters(),
             .parameter_count = Model::parameter_count},
            *this, team, shards, communicator),
        other_gradients_(team.size(), std::vector<float>(outputs)) {
    if constexpr (last_with_loss) loss_.from_logits = true;
    if constexpr (requires { loss_.from_logits; }) half_ = loss_.from_logits ? 0.0f : 0.5f;
  }

  /// Adds the gradients of the batch's mean loss to the shards' arenas. `key` belongs to (seed, epoch, step).
  /// If the batch is a part of a larger step, `step_samples` tells its number of samples, over which the mean
  /// is then taken, and every gradient is in the arenas.
  BatchResult accumulate(const Batch& batch, RandomKey key, std::size_t step_samples = 0) {
    return runner_.accumulate(batch, key, step_samples);
  }

  /// The loss and the number of right answers, without training.
  BatchResult evaluate(const DataView& data) {
    std::vector<std::uint32_t> all(data.count());
    std::iota(all.begin(), all.end(), std::uint32_t{0});
    return evaluate(Batch{data, all, {}});
  }
  BatchResult evaluate(const Batch& batch) { return runner_.evaluate(batch); }

  /// Gradients of the last batch: the shards' arenas, to be summed, and the products that are not in them.
  Gradients gradients() { return runner_.gradients(); }

 private:
  BatchResult measure(const Batch& batch, std::size_t first, std::size_t count, const float* all_outputs,
                      float* gradients, float scale, std::size_t thread) override {
    BatchResult result{.samples = count};
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t index = batch.indices[first + i];
      const Target target(batch.data.targets, index);
      const float* const output = all_outputs + i * outputs;
      float* const gradient = gradients ? gradients + i * outputs : nullptr;
      const float weight = batch.weights.empty() ? 1.0f : batch.weights[index];
      double loss{loss_(outputs, output, target, gradient)};
      if (const Mixture mixture = mixture_of(batch, first + i); mixture.part != 1) {
        // The loss is that of both targets, by their parts.
        float* const other = other_gradients_[thread].data();
        const double other_loss{loss_(outputs, output, Target(batch.data.targets, mixture.partner), other)};
        loss += double{1 - mixture.part} * (other_loss - loss);
        for (std::size_t j = 0; gradient && j < outputs; ++j)
          gradient[j] += (1 - mixture.part) * (other[j] - gradient[j]);
      }
      result.loss += double{weight} * loss;
      judge(result, output, target);
      for (std::size_t j = 0; gradient && j < outputs; ++j) gradient[j] *= weight * scale;
    }
    return result;
  }

  BatchResult test(const Batch& batch, std::size_t first, std::size_t count,
                   const float* all_outputs) const override {
    BatchResult result{.samples = count};
    for (std::size_t i = 0; i < count; ++i) {
      const Target target(batch.data.targets, batch.indices[first + i]);
      const float* const output = all_outputs + i * outputs;
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

  // The layers as they were when the training began.
  typename Model::Body body_;
  std::array<const void*, Graph::Nodes::size> objects_;
  Loss loss_;
  detail::BatchRunner runner_;
  // Of a mixture's second target; one a thread.
  std::vector<std::vector<float>> other_gradients_;
  // An output above says yes.
  float half_ = 0.5f;
};

}  // namespace digitnet
