// Ensemble: several models that answer together.
#pragma once
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include "digitnet/core/samples.hpp"
#include "digitnet/core/tensor.hpp"
#include "digitnet/model/sequential.hpp"

namespace digitnet {

/// Models with one shape of inputs and outputs, which they own; they answer with the mean of their outputs
/// (probabilities, where they end in Softmax). `Ensemble{cnn, resnet}`, `Ensemble<Cnn, Cnn, Cnn>`. Hansen,
/// Salamon: Neural Network Ensembles (1990).
template <class First, class... Rest>
class Ensemble {
  static_assert((std::is_same_v<typename First::InputShape, typename Rest::InputShape> && ...),
                "The models of an Ensemble need the same Input");
  static_assert((std::is_same_v<typename First::OutputShape, typename Rest::OutputShape> && ...),
                "The models of an Ensemble need outputs of the same shape");

 public:
  using InputShape = typename First::InputShape;
  using OutputShape = typename First::OutputShape;
  static constexpr std::size_t size = 1 + sizeof...(Rest);
  static constexpr std::size_t parameter_count = (First::parameter_count + ... + Rest::parameter_count);

  explicit Ensemble(First first, Rest... rest) : models_(std::move(first), std::move(rest)...) {}

  template <std::size_t I>
  auto& model() {
    return std::get<I>(models_);
  }
  template <std::size_t I>
  const auto& model() const {
    return std::get<I>(models_);
  }

  /// (n, outputs); see Sequential's predict.
  Matrix predict(const Samples& samples) const {
    Matrix sum(std::array<std::size_t, 2>{samples.count(), OutputShape::size});
    sum.fill(0);
    const auto add = [&](const auto& model) {
      const Matrix answers = model.predict(samples);
      for (std::size_t i = 0; i < sum.size(); ++i) sum.data()[i] += answers.data()[i];
    };
    std::apply([&](const auto&... models) { (add(models), ...); }, models_);
    for (float& value : sum) value /= static_cast<float>(size);
    return sum;
  }
  /// The most probable class of each sample; see Sequential's predict_classes.
  Labels predict_classes(const Samples& samples) const {
    return classes_of(predict(samples), detail::half_of<typename First::Body>);
  }

 private:
  std::tuple<First, Rest...> models_;
};

}  // namespace digitnet
