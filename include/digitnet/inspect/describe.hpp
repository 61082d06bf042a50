// describe(model): a typed model as data, by the settings that its layers declare, and what formats know of
// layers of a user's own.
#pragma once
#include <array>
#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/shape.hpp"
#include "digitnet/graph/lower.hpp"
#include "digitnet/inspect/description.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

namespace detail {

// Code is made for each kind of value, not for each layer.
DIGITNET_INLINE void add_setting(Attributes& to, std::string_view name, Attribute::Value value);
template <class T>
void add_setting(Attributes& to, std::string_view name, const T& value) {
  const auto whole = [](auto number) { return static_cast<std::int64_t>(number); };
  if constexpr (std::same_as<T, bool>)
    add_setting(to, name, Attribute::Value(value));
  else if constexpr (std::integral<T>)
    add_setting(to, name, Attribute::Value(whole(value)));
  else if constexpr (std::floating_point<T>)
    add_setting(to, name, Attribute::Value(static_cast<double>(value)));
  else if constexpr (std::same_as<T, Extent>)
    add_setting(to, name, Attribute::Value(std::vector{whole(value.height), whole(value.width)}));
  else if constexpr (requires { setting_word(value); })
    add_setting(to, name, Attribute::Value(std::string(setting_word(value))));
  else if constexpr (std::convertible_to<T, std::string>)
    add_setting(to, name, Attribute::Value(std::string(value)));
  else
    add_setting(to, name, Attribute::Value(std::vector<std::int64_t>(value.begin(), value.end())));
}

// "PReLU" or "Scale<3>", with what the compiler says around it.
template <class Layer>
constexpr bool is_of_template() {
  const std::string_view name = __PRETTY_FUNCTION__;
  return name.ends_with(">]");
}
// Whether a layer has members beside the initializers and regularizers of its parameters.
template <class P>
inline constexpr std::size_t bytes_of_rules =
    sizeof(Initializer) +
    (std::is_null_pointer_v<std::remove_const_t<decltype(P::regularizer)>> ? 0 : sizeof(Regularizer));
template <class Layer, class... P>
constexpr bool has_members(ParameterList<P...>) {
  return !std::is_empty_v<Layer> && sizeof(Layer) > (std::size_t{0} + ... + bytes_of_rules<P>);
}

}  // namespace detail

/// What decides a layer's mathematics: what an overload `attributes_of(layer)` in its own namespace says, or
/// else its `settings`. Of a layer that says nothing, and may have something to say, nothing is known.
template <class Layer, class Parameters>
std::optional<Attributes> settings_of_layer(const Layer& layer, Parameters) {
  Attributes result;
  if constexpr (requires { attributes_of(layer); })
    result = attributes_of(layer);
  else if constexpr (requires { Layer::settings; })
    std::apply([&](const auto&... of) { (detail::add_setting(result, of.name, of.of(layer)), ...); },
               Layer::settings);
  else if (detail::is_of_template<Layer>() || detail::has_members<Layer>(Parameters{}))
    return std::nullopt;
  return result;
}

namespace detail {

// One line of a description. Each node of a graph is one, and value v is the result of line v - 1.
template <class Node>
LayerDescription describe_node(const void* object, const std::string& name, const NodePlace& place) {
  LayerDescription result;
  result.class_name = Node::class_name;
  result.name = name;
  result.output.assign(Node::Output::extents.begin(), Node::Output::extents.end());
  result.input.assign(Node::Input::extents.begin(), Node::Input::extents.end());
  if constexpr (!Node::is_merge) {
    const auto& layer = *static_cast<const typename Node::Layer*>(object);
    std::optional<Attributes> settings = settings_of_layer(layer, typename Node::Parameters{});
    result.says_settings = settings.has_value();
    if (settings) result.attributes = std::move(*settings);
    if constexpr (requires { file_entries(layer); }) result.file_entries = file_entries(layer);
    Node::Parameters::for_each([&]<class P>(std::size_t offset) {
      result.weights.push_back({std::string(P::name.view()),
                                {P::Shape::extents.begin(), P::Shape::extents.end()},
                                P::trainable,
                                place.parameters + offset,
                                regularizer_of<P>(layer)});
    });
  }
  return result;
}

using DescribeNode = LayerDescription (*)(const void* object, const std::string& name,
                                          const NodePlace& place);

DIGITNET_INLINE std::vector<LayerDescription> describe_nodes(const Outline& outline,
                                                             std::span<const DescribeNode> table,
                                                             const void* const* objects);

template <class L, class In>
struct DescriptionOf {
  static constexpr auto table = []<class... Node>(TypeList<Node...>) {
    return std::array<DescribeNode, sizeof...(Node)>{&describe_node<Node>...};
  }(typename Lowered<L, In>::Nodes{});
  static ModelDescription describe(const void* const* objects) {
    return {{In::extents.begin(), In::extents.end()},
            describe_nodes(OutlineOf<L, In>::value(), table, objects)};
  }
};

}  // namespace detail

/// The model's layers as data.
template <class Model>
[[gnu::always_inline]] inline ModelDescription describe(const Model& model) {
  using In = typename Model::InputShape;
  return detail::DescriptionOf<typename Model::Body, In>::describe(
      detail::objects_of<In>(model.body()).data());
}

}  // namespace digitnet

#if DIGITNET_BODIES
namespace digitnet::detail {

DIGITNET_INLINE void add_setting(Attributes& to, std::string_view name, Attribute::Value value) {
  to.push_back({std::string(name), std::move(value)});
}

DIGITNET_INLINE std::vector<LayerDescription> describe_nodes(const Outline& outline,
                                                             std::span<const DescribeNode> table,
                                                             const void* const* objects) {
  const std::vector<std::string> names = names_of(outline);
  std::vector<LayerDescription> result;
  for (std::size_t i = 0; i < table.size(); ++i) {
    result.push_back(table[i](objects[i], names[i], outline.nodes[i]));
    const auto inputs = outline.inputs(i);
    if (inputs.size() > 1 || inputs[0] != i) result.back().sources.assign(inputs.begin(), inputs.end());
  }
  return result;
}

}  // namespace digitnet::detail
#endif
