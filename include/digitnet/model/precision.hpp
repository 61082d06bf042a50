// The number format of a model's products, as a part of the model's type.
#pragma once
#include <algorithm>
#include <cstddef>
#include <tuple>
#include <type_traits>

#include "digitnet/core/random.hpp"
#include "digitnet/layers/bfloat16.hpp"
#include "digitnet/layers/input.hpp"
#include "digitnet/model/parallel.hpp"
#include "digitnet/model/sequential.hpp"

namespace digitnet {

/// float32, or products of bfloat16 with sums, parameters and everything else in float32: Keras'
/// "mixed_bfloat16".
enum class Precision { float32, bfloat16 };

namespace detail {

// A layer with bfloat16 products wherever it has products that can be: as a type and as a value.
template <class L>
struct InBfloat16 {
  using Type = std::conditional_t<ProductsOf<L>::exists, Bfloat16<L>, L>;
  static Type of(const L& layer) { return Type(layer); }
};
template <class... Layers>
struct InBfloat16<Sequential<Layers...>> {
  using Type = Sequential<typename InBfloat16<Layers>::Type...>;
  static Type of(const Sequential<Layers...>& chain) {
    return std::apply([](const auto&... layers) { return Type(InBfloat16<Layers>::of(layers)...); },
                      chain.layers);
  }
};
template <class Merge, class... Branches>
struct InBfloat16<Parallel<Merge, Branches...>> {
  using Type = Parallel<Merge, typename InBfloat16<Branches>::Type...>;
  static Type of(const Parallel<Merge, Branches...>& parallel) {
    return std::apply([](const auto&... branches) { return Type(InBfloat16<Branches>::of(branches)...); },
                      parallel.branches);
  }
};
template <class... Layers>
struct InBfloat16<Shortcut<Layers...>> {
  using Type = Shortcut<typename InBfloat16<Layers>::Type...>;
};
template <class... Layers>
struct InBfloat16<Residual<Layers...>> {
  using Type = Residual<typename InBfloat16<Layers>::Type...>;
  static Type of(const Residual<Layers...>& residual) {
    Type result;
    result.body = InBfloat16<typename Residual<Layers...>::Kinds::BodyLayer>::of(residual.body);
    return result;
  }
};
template <std::size_t... Extents, class... Layers>
struct InBfloat16<Sequential<Input<Extents...>, Layers...>> {
  using Type = Sequential<Input<Extents...>, typename InBfloat16<Layers>::Type...>;
  static Type of(const Sequential<Input<Extents...>, Layers...>& model) {
    return std::apply(
        [](const auto&... layers) {
          return Type(Seed{}, Input<Extents...>{}, InBfloat16<Layers>::of(layers)...);
        },
        model.body().layers);
  }
};

template <class Model, Precision precision>
struct ModelIn {
  using Type = Model;
  static Type of(const Model& model) { return model; }
};
template <class Model>
struct ModelIn<Model, Precision::bfloat16> : InBfloat16<Model> {};

}  // namespace detail

/// A model, or a layer, in another precision: `WithPrecision<Model, Precision::bfloat16>` has a Bfloat16 for
/// each Dense and each Conv2D with a kernel and strides of 1, however deep inside; other convolutions are
/// faster by Winograd's transforms, which need float32, and stay. Names, shapes and files are the same, so
/// that one reads what the other wrote.
template <class Model, Precision precision>
using WithPrecision = typename detail::ModelIn<Model, precision>::Type;

/// The model in another precision, with its layers' values and its parameters.
template <Precision precision, class Model>
WithPrecision<Model, precision> with_precision(const Model& model) {
  auto result = detail::ModelIn<Model, precision>::of(model);
  static_assert(decltype(result)::arena_size == Model::arena_size);
  std::copy_n(model.parameters().data(), Model::arena_size, result.parameters().data());
  return result;
}

}  // namespace digitnet
