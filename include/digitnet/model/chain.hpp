// The layers of a chain, each on the shape that reaches it, with their names and parameters.
#pragma once
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
