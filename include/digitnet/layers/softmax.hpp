// Softmax: makes probabilities of numbers of any size.
#pragma once
#include "digitnet/kernels/softmax.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// Keras' Softmax over the last axis: y = e^x / sum e^x. As the last layer before a CategoricalCrossentropy
/// it is computed together with the loss.
struct Softmax {
  static constexpr std::string_view class_name = "Softmax";
  static constexpr OutputKind output_kind = OutputKind::distribution;

  template <class In>
  struct On : LayerDefaults {
    static_assert(
        In::last > 1,
        "Softmax of a single number is always 1: use Sigmoid, or give Dense an output for each class");
    using Output = In;
    static constexpr std::size_t classes = In::last;
    static constexpr LayerTraits traits{.in_place = true, .backward_reads_x = false};

    template <class Io>
    static void forward(const Io& io) {
      for (std::size_t row = 0; row < io.x.size(); row += classes)
        kernels::softmax(classes, io.x.data + row, io.y.data + row);
    }
    template <class Io>
    static void backward(const Io& io) {
      using T = typename Io::Real;
      if constexpr (Io::wants_dx)
        for (std::size_t row = 0; row < io.x.size(); row += classes) {
          const T* const y = io.y.data + row;
          const T* const dy = io.dy.data + row;
          T product{0};
          for (std::size_t i = 0; i < classes; ++i) product += y[i] * dy[i];
          for (std::size_t i = 0; i < classes; ++i) io.dx.data[row + i] = y[i] * (dy[i] - product);
        }
    }
  };
};

}  // namespace digitnet
