// Quantized: a model whose products run on bytes, made by quantize(); see docs/quantization.md.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/graph/int8_plan.hpp"
#include "digitnet/model/inference.hpp"
#include "digitnet/model/sequential.hpp"

namespace digitnet {

namespace detail {

inline namespace DIGITNET_PROCESSOR {

/// result (samples, outputs). Parts of the samples go to threads; which ones does not depend on their number.
inline void predict_int8(const Int8Plan& plan, const Samples& samples, const void* const* layers,
                         float* result) {
  const std::size_t count = samples.count();
  if (count == 0) return;
  const std::size_t parts = (count + plan.micro_batch() - 1) / plan.micro_batch(),
                    size = (count + parts - 1) / parts;
  const auto run = [&](std::size_t index, std::size_t) {
    const std::size_t first = index * size;
    if (first >= count) return;
    const std::size_t here = std::min(size, count - first);
    thread_local Arena<std::byte> memory;
    if (memory.size() < plan.bytes(here)) memory = Arena<std::byte>(plan.bytes(here));
    plan.run(samples, first, here, layers, memory.data(), result + first * plan.outputs());
  };
  SharedTeam& shared = SharedTeam::instance();
  std::unique_lock lock(shared.mutex, std::defer_lock);
  if (parts > 1 && hardware_threads() > 1 && lock.try_lock()) {
    if (!shared.team) shared.team = std::make_unique<ThreadTeam>();
    shared.team->for_each(parts, run);
  } else {
    const FlushDenormals flush;
    for (std::size_t index = 0; index < parts; ++index) run(index, 0);
  }
}

/// How well answers fit their targets. `distribution`: rows are probabilities of classes.
struct Fit {
  /// The part of labels that are right; for rows of numbers, the part of their variance that is explained.
  double score = 0;
  /// The mean squared difference from other answers, where there are some.
  double difference = 0;
};
inline Fit fit_of(const Matrix& answers, const Targets& targets, float half, bool distribution,
                  const Matrix* others = nullptr) {
  const std::size_t count = answers.shape()[0], size = answers.shape()[1];
  Fit result;
  if (others)
    for (std::size_t i = 0; i < count * size; ++i) {
      const double difference = double{answers.data()[i]} - double{others->data()[i]};
      result.difference += difference * difference / static_cast<double>(count * size);
    }
  if (targets.are_labels() || distribution) {
    std::size_t right = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t wanted =
          targets.are_labels() ? targets.label(i) : predicted_class(targets.size(), targets.row(i), half);
      right += predicted_class(size, answers.data() + i * size, half) == wanted ? 1 : 0;
    }
    result.score = static_cast<double>(right) / static_cast<double>(count);
    return result;
  }
  double unexplained = 0, variance = 0;
  for (std::size_t column = 0; column < size; ++column) {
    double mean = 0;
    for (std::size_t i = 0; i < count; ++i)
      mean += double{targets.row(i)[column]} / static_cast<double>(count);
    for (std::size_t i = 0; i < count; ++i) {
      const double wanted = targets.row(i)[column],
                   missed = wanted - double{answers.data()[i * size + column]};
      unexplained += missed * missed;
      variance += (wanted - mean) * (wanted - mean);
    }
  }
  result.score = variance > 0 ? 1 - unexplained / variance : 0;
  return result;
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace detail

/// What `quantize` measured on its data, both in float32 and on bytes: the accuracy, or, where targets are
/// numbers, the part of their variance that the answers explain. NaN where there was none.
struct QuantizedAccuracy {
  double float32 = std::numeric_limits<double>::quiet_NaN();
  double int8 = std::numeric_limits<double>::quiet_NaN();
};

/// A model for inference whose dense layers and convolutions multiply uint8 activations by int8 weights and
/// add up in int32. Each output channel has a scale of its own, each activation one, with a zero point.
/// Normalizations are folded into the product before them; ReLU, poolings and sums of branches work on
/// bytes, too; everything else runs in float32. Sums are the same on every processor. Jacob and others:
/// Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference (2018).
template <class Model>
class Quantized {
 public:
  using Body = typename Model::Body;
  using InputShape = typename Model::InputShape;
  using OutputShape = typename Model::OutputShape;

  /// From the layers, and the numbers that quantize() or a file gives.
  Quantized(Body body, detail::Int8Numbers numbers, QuantizedAccuracy measured = {})
      : body_(std::move(body)), numbers_(std::move(numbers)), plan_(graph(), numbers_), measured_(measured) {}

  const Body& body() const { return body_; }
  const detail::Int8Numbers& numbers() const { return numbers_; }
  const detail::Int8Plan& plan() const { return plan_; }
  static detail::Int8Graph graph() { return detail::Int8GraphOf<Body, InputShape>::value(); }
  /// What quantize() found; nothing in a model from a file.
  const QuantizedAccuracy& measured() const { return measured_; }
  /// Bytes of the weights in memory.
  std::size_t bytes() const { return plan_.weight_bytes(); }

  /// As the model's predict, and safe to call from several threads at once.
  Matrix predict(const Samples& samples) const {
    Matrix result(std::array<std::size_t, 2>{samples.count(), OutputShape::size});
    predict(samples, result.data());
    return result;
  }
  /// The same, into memory of samples.count() * outputs floats.
  void predict(const Samples& samples, float* result) const {
    samples.check_shape(InputShape::extents);
    detail::predict_int8(plan_, samples, detail::objects_of<InputShape>(body_).data(), result);
  }
  /// As the model's predict_classes.
  Labels predict_classes(const Samples& samples) const {
    return classes_of(predict(samples), detail::half_of<Body>);
  }
  /// The part of the labels that it finds, or, of targets that are numbers, the part of their variance that
  /// its answers explain.
  double accuracy(const DataView& data) const {
    data.targets.check(OutputShape::size);
    return detail::fit_of(predict(data.samples), data.targets, detail::half_of<Body>, is_distribution).score;
  }

  /// A table of layers, how each runs, and its bytes. Needs digitnet/inspect/quantized.hpp.
  template <class Self = Quantized>
  std::string summary(const std::string& model_name = "quantized") const {
    static_assert(
        requires(const Self& self) { summary_of(self, model_name); },
        "summary() needs #include <digitnet/inspect/quantized.hpp>");
    return summary_of(static_cast<const Self&>(*this), model_name);
  }

  static constexpr bool is_distribution =
      detail::OutputOriginOf<Body>::value.kind == OutputKind::distribution;

 private:
  Body body_;
  detail::Int8Numbers numbers_;
  detail::Int8Plan plan_;
  QuantizedAccuracy measured_;
};

}  // namespace digitnet
