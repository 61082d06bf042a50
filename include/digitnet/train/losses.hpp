// Losses: how far an output is from its target, and the gradient of that. Each works on one sample.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "digitnet/core/processor.hpp"
#include "digitnet/core/samples.hpp"
#include "digitnet/kernels/softmax.hpp"
#include "digitnet/layers/activations.hpp"
#include "digitnet/layers/softmax.hpp"

namespace digitnet {
inline namespace DIGITNET_PROCESSOR {

/// The target of one sample: a class, or a row of numbers.
struct Target {
  /// The wanted outputs; null: the target is the class `label`.
  const float* row = nullptr;
  std::size_t label = 0;

  Target() = default;
  Target(const Targets& targets, std::size_t index)
      : row(targets.are_labels() ? nullptr : targets.row(index)),
        label(targets.are_labels() ? targets.label(index) : 0) {}

  /// The wanted value of output `i` of `outputs`: one-hot for a class; for a single output, the label itself.
  template <class T>
  T value(std::size_t i, std::size_t outputs) const {
    if (row) return static_cast<T>(row[i]);
    if (outputs == 1) return static_cast<T>(label);
    return i == label ? T{1} : T{0};
  }
  /// The class it stands for.
  std::size_t predicted_class(std::size_t outputs) const {
    return row ? digitnet::predicted_class(outputs, row) : label;
  }
};

/// @page loss_contract What a loss is
///
/// An aggregate of settings with
///
///     template <class T>
///     T operator()(std::size_t outputs, const T* output, const Target& target, T* gradient) const;
///
/// which returns the loss of one sample and, unless gradient is null, assigns its derivative by each
/// output; and `classifies`: whether accuracy means something beside it. One whose outputs are several
/// answers, each yes or no, says `judges_each_output`: given rows, accuracy is then the part of all outputs
/// that are right. A member `from_logits` says that the outputs are not yet probabilities, and yes begins
/// above 0 instead of one half.

/// Probabilities are kept this far from 0 and 1 before a logarithm, as in Keras.
inline constexpr double probability_epsilon = 1e-7;

/// - sum t log p over the classes: Keras' CategoricalCrossentropy and, given labels,
/// SparseCategoricalCrossentropy. Outputs are probabilities, divided by their sum first as in Keras, or
/// (from_logits) numbers of any size. Label smoothing moves that part of each target to all classes equally.
struct CategoricalCrossentropy {
  static constexpr bool classifies = true;
  bool from_logits = false;
  float label_smoothing = 0;

  template <class T>
  T operator()(std::size_t outputs, const T* output, const Target& target, T* gradient) const {
    const T smooth = static_cast<T>(label_smoothing);
    const auto wanted = [&](std::size_t i) {
      return target.value<T>(i, outputs) * (T{1} - smooth) + smooth / static_cast<T>(outputs);
    };
    T loss{0};
    if (from_logits) {
      const T shift = kernels::largest(outputs, output);
      T sum{0}, total{0};
      for (std::size_t i = 0; i < outputs; ++i) {
        const T exponential = std::exp(output[i] - shift);
        sum += exponential;
        total += wanted(i);
        loss -= wanted(i) * (output[i] - shift);
        if (gradient) gradient[i] = exponential;
      }
      if (gradient)
        for (std::size_t i = 0; i < outputs; ++i) gradient[i] = total * (gradient[i] / sum) - wanted(i);
      return loss + total * std::log(sum);
    }
    const T epsilon = static_cast<T>(probability_epsilon);
    T sum{0};
    for (std::size_t i = 0; i < outputs; ++i) sum += output[i];
    sum = std::max(sum, epsilon);
    T product{0};
    for (std::size_t i = 0; i < outputs; ++i) {
      const T share = output[i] / sum;
      const T probability = std::clamp(share, epsilon, T{1} - epsilon);
      loss -= wanted(i) * std::log(probability);
      if (!gradient) continue;
      gradient[i] = share == probability ? -wanted(i) / probability : T{0};
      product += gradient[i] * share;
    }
    if (gradient)
      for (std::size_t i = 0; i < outputs; ++i) gradient[i] = (gradient[i] - product) / sum;
    return loss;
  }
};

}  // namespace DIGITNET_PROCESSOR

namespace detail {

// The mean over the outputs of a loss that looks at each output by itself.
template <class T, class Each>
T mean_over_outputs(std::size_t outputs, const Target& target, T* gradient, Each each) {
  const T share = T{1} / static_cast<T>(outputs);
  T loss{0};
  for (std::size_t i = 0; i < outputs; ++i) {
    T slope{0};
    loss += each(i, target.value<T>(i, outputs), slope);
    if (gradient) gradient[i] = slope * share;
  }
  return loss * share;
}

}  // namespace detail

inline namespace DIGITNET_PROCESSOR {

/// - t log p - (1 - t) log(1 - p), the mean over the outputs: Keras' BinaryCrossentropy. Given rows, accuracy
/// is Keras' BinaryAccuracy: the part of all outputs that are on the right side.
struct BinaryCrossentropy {
  static constexpr bool classifies = true;
  static constexpr bool judges_each_output = true;
  bool from_logits = false;
  float label_smoothing = 0;

  template <class T>
  T operator()(std::size_t outputs, const T* output, const Target& target, T* gradient) const {
    const T smooth = static_cast<T>(label_smoothing);
    return detail::mean_over_outputs(outputs, target, gradient, [&](std::size_t i, T value, T& slope) {
      const T wanted = value * (T{1} - smooth) + smooth / T{2};
      const T x = output[i];
      if (from_logits) {
        const T small = std::exp(-std::abs(x));
        slope = (x < 0 ? small : T{1}) / (T{1} + small) - wanted;
        return std::max(x, T{0}) - x * wanted + std::log1p(small);
      }
      const T epsilon = static_cast<T>(probability_epsilon);
      const T p = std::clamp(x, epsilon, T{1} - epsilon);
      slope = p == x ? (p - wanted) / (p * (T{1} - p)) : T{0};
      return -wanted * std::log(p) - (T{1} - wanted) * std::log(T{1} - p);
    });
  }
};

/// (y - t)^2, the mean over the outputs.
struct MeanSquaredError {
  static constexpr bool classifies = false;

  template <class T>
  T operator()(std::size_t outputs, const T* output, const Target& target, T* gradient) const {
    return detail::mean_over_outputs(outputs, target, gradient, [&](std::size_t i, T wanted, T& slope) {
      const T error = output[i] - wanted;
      slope = 2 * error;
      return error * error;
    });
  }
};

/// |y - t|, the mean over the outputs.
struct MeanAbsoluteError {
  static constexpr bool classifies = false;

  template <class T>
  T operator()(std::size_t outputs, const T* output, const Target& target, T* gradient) const {
    return detail::mean_over_outputs(outputs, target, gradient, [&](std::size_t i, T wanted, T& slope) {
      const T error = output[i] - wanted;
      slope = error > 0 ? T{1} : error < 0 ? T{-1} : T{0};
      return std::abs(error);
    });
  }
};

/// Half the squared error up to `delta`, linear beyond, the mean over the outputs.
/// Huber: Robust Estimation of a Location Parameter (1964).
struct Huber {
  static constexpr bool classifies = false;
  float delta = 1;

  template <class T>
  T operator()(std::size_t outputs, const T* output, const Target& target, T* gradient) const {
    const T limit = static_cast<T>(delta);
    return detail::mean_over_outputs(outputs, target, gradient, [&](std::size_t i, T wanted, T& slope) {
      const T error = output[i] - wanted;
      slope = std::clamp(error, -limit, limit);
      return std::abs(error) <= limit ? error * error / 2 : limit * (std::abs(error) - limit / 2);
    });
  }
};

}  // namespace DIGITNET_PROCESSOR

namespace detail {

/// Whether the loss and the model's last layer are computed together, from the numbers before that layer:
/// log(softmax) and log(sigmoid) are exact there where the probability itself is 0 or 1 in floating point.
template <class LastLayer, class Loss>
inline constexpr bool computed_together = (std::is_same_v<LastLayer, Softmax> &&
                                           std::is_same_v<Loss, CategoricalCrossentropy>) ||
                                          (std::is_same_v<LastLayer, Sigmoid> &&
                                           std::is_same_v<Loss, BinaryCrossentropy>);

}  // namespace detail

}  // namespace digitnet
