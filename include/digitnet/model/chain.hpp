// The layers of a chain, each on the shape that reaches it, with their names and parameters.
#pragma once
#include <array>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// What is known of one parameter of a model.
struct ParameterInfo {
  std::string name;  ///< "conv2d/kernel"; nested: "residual_1/conv2d/kernel"
  std::span<const std::size_t> extents;
  std::size_t offset;  ///< elements from the start of the arena
  bool trainable;
  Initializer initializer;
  Regularizer regularizer;

  std::size_t size() const { return ParameterExtents{extents}.size(); }
};

namespace detail {

/// Stands in for what is no layer, so that saying so is the only error.
struct NoLayer {
  static constexpr std::string_view class_name = "NoLayer";
  template <class In>
  struct On : LayerDefaults {
    using Output = In;
  };
};

/// The layer at a position, on the shape that reaches it. Compilers show this type when a shape is refused.
template <std::size_t Position, class LayerType, class In>
struct Step {
  static_assert(digitnet::Layer<LayerType>,
                "A layer needs class_name and On<In> with Output, forward and backward: derive On "
                "from LayerDefaults (see layers/layer.hpp)");
  static constexpr std::size_t position = Position;
  using Layer = std::conditional_t<digitnet::Layer<LayerType>, LayerType, NoLayer>;
  using Input = In;
  using On = typename Layer::template On<In>;
  using Output = typename On::Output;
};

template <class Out, class... Steps>
struct Chain {
  using Output = Out;
  using All = std::tuple<Steps...>;
};
template <class In, class... Steps, class Layer>
auto operator|(Chain<In, Steps...>, std::type_identity<Layer>)
    -> Chain<typename Step<sizeof...(Steps), Layer, In>::Output, Steps..., Step<sizeof...(Steps), Layer, In>>;

/// All parameters of several layers, one layer's after the other's.
template <class... Ons>
struct JoinedParameters {
  static constexpr std::size_t arena_size = (std::size_t{0} + ... + Ons::Parameters::arena_size);
  static constexpr std::size_t parameter_count = (std::size_t{0} + ... + Ons::Parameters::parameter_count);
  static constexpr std::size_t trainable_count = (std::size_t{0} + ... + Ons::Parameters::trainable_count);
  /// Where those of each layer begin.
  static constexpr std::array<std::size_t, sizeof...(Ons)> offsets = [] {
    const std::array<std::size_t, sizeof...(Ons)> sizes{Ons::Parameters::arena_size...};
    std::array<std::size_t, sizeof...(Ons)> result{};
    for (std::size_t i = 1; i < sizes.size(); ++i) result[i] = result[i - 1] + sizes[i - 1];
    return result;
  }();
};

/// The parameters of a tuple of steps.
template <class Steps>
struct ParametersOf;
template <class... Steps>
struct ParametersOf<std::tuple<Steps...>> {
  using Type = JoinedParameters<typename Steps::On...>;
};

/// Calls visit(ParameterInfo) for every parameter of a chain or combinator, in the order of the arena.
template <class On, class Layer, class Visit>
void for_each_parameter(const Layer& chain, const Visit& visit) {
  On::for_each_layer(chain, "", 0,
                     [&]<class Here>(std::type_identity<Here>, const auto& layer, const std::string& name,
                                     std::size_t begin) {
                       Here::On::Parameters::for_each([&]<class P>(std::size_t offset_in_layer) {
                         visit(ParameterInfo{.name = name + "/" + std::string(P::name.view()),
                                             .extents = P::Shape::extents,
                                             .offset = begin + offset_in_layer,
                                             .trainable = P::trainable,
                                             .initializer = layer.*P::initializer,
                                             .regularizer = regularizer_of<P>(layer)});
                       });
                     });
}

/// Calls visit for a layer of a chain or combinator or, if it consists of layers itself, for those.
template <class Step, class Layer, class Visit>
void visit_layer(const Layer& layer, const std::string& name, std::size_t begin, const Visit& visit) {
  if constexpr (requires { Step::On::for_each_layer(layer, name, begin, visit); })
    Step::On::for_each_layer(layer, name + "/", begin, visit);
  else
    visit(std::type_identity<Step>{}, layer, name, begin);
}

/// Keras' names for layers in order: "conv2d", "conv2d_1", ...
class LayerNames {
 public:
  std::string next(std::string_view class_name) {
    std::string name = snake_case(class_name);
    const std::size_t used = used_[name]++;
    if (used > 0) name.append("_").append(std::to_string(used));
    return name;
  }

 private:
  std::map<std::string, std::size_t> used_;
};

}  // namespace detail

}  // namespace digitnet
