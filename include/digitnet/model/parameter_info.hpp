// The parameters of a model, as data.
#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/graph/lower.hpp"

namespace digitnet {

/// What is known of one parameter of a model.
struct ParameterInfo {
  /// "conv2d/kernel"; nested: "residual_1/conv2d/kernel".
  std::string name;
  std::span<const std::size_t> extents;
  /// Elements from the start of the arena.
  std::size_t offset;
  bool trainable;
  Initializer initializer;
  Regularizer regularizer;

  std::size_t size() const { return ParameterExtents{extents}.size(); }
};

namespace detail {

using AddParameters = void (*)(const void* object, const std::string& name, std::size_t begin,
                               std::vector<ParameterInfo>& to);

DIGITNET_INLINE std::vector<ParameterInfo> list_parameters(const Outline& outline,
                                                           std::span<const AddParameters> table,
                                                           const void* const* objects);

template <class Node>
void add_parameters(const void* object, const std::string& name, std::size_t begin,
                    std::vector<ParameterInfo>& to) {
  if constexpr (!Node::is_merge) {
    const auto& layer = *static_cast<const typename Node::Layer*>(object);
    Node::Parameters::for_each([&]<class P>(std::size_t offset) {
      to.push_back(
          {.name = name.empty() ? std::string(P::name.view()) : name + "/" + std::string(P::name.view()),
           .extents = P::Shape::extents,
           .offset = begin + offset,
           .trainable = P::trainable,
           .initializer = layer.*P::initializer,
           .regularizer = regularizer_of<P>(layer)});
    });
  }
}

/// All parameters of L on In, in the order of the arena. A struct, so that its name says L once.
template <class L, class In>
struct ParametersOf {
  using Nodes = typename Lowered<L, In>::Nodes;
  static constexpr auto table = []<class... Node>(TypeList<Node...>) {
    return std::array<AddParameters, sizeof...(Node)>{&add_parameters<Node>...};
  }(Nodes{});
  static std::vector<ParameterInfo> list(const void* const* objects) {
    return list_parameters(OutlineOf<L, In>::value(), table, objects);
  }
};
template <class In, class L>
[[gnu::always_inline]] inline std::vector<ParameterInfo> parameters_of(const L& layer) {
  return ParametersOf<L, In>::list(objects_of<In>(layer).data());
}

/// Gives each parameter its initial value, which follows from the seed and its number.
DIGITNET_INLINE void initialize(const std::vector<ParameterInfo>& parameters, Seed seed, float* arena);

}  // namespace detail

}  // namespace digitnet

#if DIGITNET_BODIES
namespace digitnet {

namespace detail {

DIGITNET_INLINE std::vector<ParameterInfo> list_parameters(const Outline& outline,
                                                           std::span<const AddParameters> table,
                                                           const void* const* objects) {
  const std::vector<std::string> names = names_of(outline);
  std::vector<ParameterInfo> result;
  for (std::size_t i = 0; i < table.size(); ++i)
    table[i](objects[i], names[i], outline.nodes[i].parameters, result);
  return result;
}

DIGITNET_INLINE void initialize(const std::vector<ParameterInfo>& parameters, Seed seed, float* arena) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    std::vector<double> values(parameters[i].size());
    parameters[i].initializer.fill(ParameterExtents{parameters[i].extents}, RandomKey(seed).child(i), values);
    for (std::size_t j = 0; j < values.size(); ++j)
      arena[parameters[i].offset + j] = static_cast<float>(values[j]);
  }
}

}  // namespace detail

}  // namespace digitnet
#endif
