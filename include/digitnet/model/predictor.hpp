// Predictor: a model made ready to answer many small questions quickly.
#pragma once
#include <concepts>
#include <utility>

#include "digitnet/core/arena.hpp"
#include "digitnet/model/sequential.hpp"

namespace digitnet {

/// Predicts as the model does, but computes once what follows from the parameters alone (such as Winograd's
/// transformed kernels), which single images gain from most; `predict` on many images does the same by
/// itself. Refers to the model, which must outlive it; call `refresh` after the model's parameters have
/// changed.
template <class Model>
class Predictor {
 public:
  explicit Predictor(const Model& model) : model_(model), packed_(Model::packed_size()) { refresh(); }
  template <std::same_as<Model> Temporary>
  explicit Predictor(Temporary&& model) : Predictor(std::as_const(model)) {
    static_assert(!std::same_as<Temporary, Model>,
                  "A Predictor refers to its model: give the model a name, so that it lives as long");
  }
  // Moving copies, so that no Predictor is without what it packed.
  Predictor(const Predictor&) = default;
  ~Predictor() = default;

  void refresh() { model_.pack(packed_.data()); }

  /// As the model's predict. Safe to call from several threads at once.
  Matrix predict(const Samples& samples) const {
    Matrix result(std::array<std::size_t, 2>{samples.count(), Model::OutputShape::size});
    predict(samples, result.data());
    return result;
  }
  void predict(const Samples& samples, float* result) const {
    model_.predict_packed(samples, packed_.data(), result);
  }

 private:
  const Model& model_;
  Arena<float> packed_;
};

}  // namespace digitnet
