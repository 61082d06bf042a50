// Sequential: layers one after the other. With an Input in front it is a model, without one it is a layer.
#pragma once
#include <array>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "digitnet/core/samples.hpp"
#include "digitnet/graph/graph.hpp"
#include "digitnet/layers/input.hpp"
#include "digitnet/model/inference.hpp"
#include "digitnet/model/outputs.hpp"
#include "digitnet/model/parameter_info.hpp"

namespace digitnet {

namespace detail {

template <class... Layers>
void needs_input() {
  static_assert(sizeof...(Layers) == ~std::size_t{0},
                "A model begins with the shape of a sample: Sequential<Input<28, 28, 1>, ...>");
}

template <class Model>
void needs_name() {
  static_assert(!sizeof(Model*),
                "The parameters of a temporary model are gone at once: give the model a name");
}

}  // namespace detail

/// A chain of layers as a layer: it nests in other chains and combinators.
template <class... Layers>
struct Sequential {
  static constexpr std::string_view class_name = "Sequential";

  std::tuple<Layers...> layers;

  constexpr Sequential() = default;
  constexpr Sequential(Layers... values) requires(sizeof...(Layers) > 0) : layers(std::move(values)...) {}
  constexpr explicit Sequential(std::tuple<Layers...> values) : layers(std::move(values)) {}

  // What a model has and a layer has not says so, instead of being unknown.
  explicit Sequential(Seed) { detail::needs_input<Layers...>(); }
  Sequential(Seed, Layers...) requires(sizeof...(Layers) > 0) { detail::needs_input<Layers...>(); }
  Matrix predict(const Samples&) const { return detail::needs_input<Layers...>(), Matrix{}; }
  Labels predict_classes(const Samples&) const { return detail::needs_input<Layers...>(), Labels{}; }
  std::string summary() const { return detail::needs_input<Layers...>(), ""; }
  std::string plan() const { return detail::needs_input<Layers...>(), ""; }

  using LayerList = TypeList<Layers...>;
  template <class In>
  struct On : LayersOn<Sequential, In> {};
};

/// A model: layers, and the memory of their parameters (float32, in one arena). Copying copies the
/// parameters, and so does moving, so that no model is ever without any. `Sequential<Input<784>, Dense<10>,
/// Softmax> model{Seed{42}};` or, when a layer carries a value that decides no shape, `auto model =
/// Sequential{Seed{42}, Input<784>{}, Dropout{0.2f}, Dense<10>{}, Softmax{}};`
template <std::size_t... Extents, class... Layers>
class Sequential<Input<Extents...>, Layers...> {
 public:
  // What Input refuses it says by itself.
  using InputShape = Shape<(Extents > 0 ? Extents : 1)...>;
  using Body = Sequential<Layers...>;
  using On = typename Body::template On<InputShape>;
  using OutputShape = typename On::Output;

  static constexpr std::size_t parameter_count = On::Parameters::parameter_count;
  static constexpr std::size_t trainable_count = On::Parameters::trainable_count;
  static constexpr std::size_t layer_count = sizeof...(Layers);
  static constexpr std::size_t arena_size = On::Parameters::arena_size;

  /// Layers with their defaults; initial parameters follow from the seed.
  explicit Sequential(Seed seed = {}) : Sequential(seed, Input<Extents...>{}, Layers{}...) {}
  explicit Sequential(Input<Extents...>, Layers... layers) requires(sizeof...(Layers) > 0)
      : Sequential(Seed{}, Input<Extents...>{}, std::move(layers)...) {}
  // Inlined: a name that said all layers twice would be thousands of letters long.
  [[gnu::always_inline]] Sequential(Seed seed, Input<Extents...>, Layers... layers)
      : body_(std::tuple<Layers...>(std::move(layers)...)), parameters_(arena_size) {
    initialize(seed);
  }

  Sequential(const Sequential&) = default;
  Sequential& operator=(const Sequential&) = default;
  ~Sequential() = default;

  /// Gives every parameter a fresh initial value.
  void initialize(Seed seed) {
    detail::initialize(detail::parameters_of<InputShape>(body_), seed, parameters_.data());
  }

  const Body& body() const { return body_; }
  /// The arena: all parameters, in the order of the layers, padded to multiples of 16 elements. A temporary
  /// model has none to give: they would be gone at once.
  std::span<float> parameters() & { return parameters_.span(); }
  std::span<const float> parameters() const& { return parameters_.span(); }
  template <class Body = Sequential::Body>
  std::span<float> parameters() const&& {
    return detail::needs_name<Body>(), std::span<float>{};
  }

  /// Calls visit(const ParameterInfo&) for every parameter in the order of the arena.
  template <class Visit>
  void for_each_parameter(const Visit& visit) const {
    for (const ParameterInfo& info : detail::parameters_of<InputShape>(body_)) visit(info);
  }

  /// The parameter of that name, such as "conv2d_1/kernel", as an xtensor view of the model's memory. Throws
  /// an Error that lists the names if there is none.
  auto parameter(const std::string& name) & { return named_view(parameters_.data(), name); }
  auto parameter(const std::string& name) const& { return named_view(parameters_.data(), name); }
  template <class Body = Sequential::Body>
  auto parameter(const std::string& name) const&& {
    return detail::needs_name<Body>(), named_view(parameters_.data(), name);
  }

  /// Keras 3's summary table. Needs digitnet/inspect/summary.hpp, as do plan and operations their header.
  template <class Self = Sequential>
  std::string summary(const std::string& model_name = "sequential") const {
    static_assert(
        requires(const Self& self) { summary_of(self, model_name); },
        "summary() needs #include <digitnet/inspect/summary.hpp>");
    return summary_of(static_cast<const Self&>(*this), model_name);
  }
  /// How the model runs: operations (several layers may be one), methods, multiply-adds, and memory. In
  /// training, softmax or sigmoid at the end is computed with the cross-entropy.
  template <class Self = Sequential>
  std::string plan() const {
    static_assert(
        requires(const Self& self) { plan_of(self); }, "plan() needs #include <digitnet/inspect/plan.hpp>");
    return plan_of(static_cast<const Self&>(*this));
  }
  /// The operations of the plan.
  template <class Self = Sequential>
  auto operations() const {
    static_assert(
        requires(const Self& self) { operations_of(self); },
        "operations() needs #include <digitnet/inspect/plan.hpp>");
    return operations_of(static_cast<const Self&>(*this));
  }

  /// The model's answer to each sample: (n, outputs). Takes bytes (read as value / 255) or floats, (n,
  /// ...input shape) or flat. Safe to call from several threads at once.
  Matrix predict(const Samples& samples) const {
    Matrix result(std::array<std::size_t, 2>{samples.count(), OutputShape::size});
    predict(samples, result.data());
    return result;
  }
  /// The same, into memory of samples.count() * outputs floats.
  void predict(const Samples& samples, float* result) const {
    if (samples.count() < inference().packed_from()) {
      predict_packed(samples, nullptr, result);
      return;
    }
    thread_local Arena<float> packed(packed_size());
    pack(packed.data());
    predict_packed(samples, packed.data(), result);
  }

  /// Elements that `pack` writes.
  static std::size_t packed_size() { return inference().packed_size(); }
  /// Computes from the parameters what makes prediction faster, such as transformed kernels; see Predictor.
  void pack(float* packed) const {
    inference().pack(Graph::template packs<float, Purpose::inference>, objects().data(), parameters_.data(),
                     packed);
  }
  /// `predict` with what `pack` wrote, or with null.
  void predict_packed(const Samples& samples, const float* packed, float* result) const {
    samples.check_shape(InputShape::extents);
    inference().predict(samples, objects().data(), parameters_.data(), packed, result);
  }

  /// The most probable class of each sample; with a single output, whether it is above one half, or, in a
  /// model whose answers are numbers before a sigmoid (it ends in Dense), above 0. Throws an Error if an
  /// output is NaN.
  Labels predict_classes(const Samples& samples) const {
    return classes_of(predict(samples), detail::half_of<Body>);
  }

 private:
  using Graph = detail::Graph<Body, InputShape>;

  static const detail::InferencePlan& inference() {
    static const detail::InferencePlan plan(Graph::template facts<float>(), Graph::template forward<float>);
    return plan;
  }
  auto objects() const { return detail::objects_of<InputShape>(body_); }
  template <class T>
  auto named_view(T* arena, const std::string& name) const {
    std::vector<std::size_t> extents;
    std::size_t offset = 0, size = 0;
    std::string known;
    for_each_parameter([&](const ParameterInfo& info) {
      known += (known.empty() ? "" : ", ") + info.name;
      if (info.name != name) return;
      extents.assign(info.extents.begin(), info.extents.end());
      offset = info.offset;
      size = info.size();
    });
    if (size == 0) fail("The model has no parameter \"" + name + "\"; it has " + known);
    return detail::view_of(arena + offset, size, extents);
  }

  Body body_;
  Arena<float> parameters_;
};

template <class... Items>
Sequential(Items...) -> Sequential<Items...>;
template <class... Items>
Sequential(Seed, Items...) -> Sequential<Items...>;

}  // namespace digitnet
