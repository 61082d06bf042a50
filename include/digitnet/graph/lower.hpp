// Lowering: chains and branches, nested at will, become one list of nodes.
#pragma once
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "digitnet/core/processor.hpp"
#include "digitnet/graph/outline.hpp"
#include "digitnet/layers/identity.hpp"
#include "digitnet/layers/layer.hpp"
#include "digitnet/layers/merge.hpp"

/// @page structures Layers made of layers
///
/// A *chain* has `LayerList`, a TypeList of layers, and `layers`, a tuple of them: see Sequential. A
/// *branching* has `Merge`, `BranchList<In>`, a TypeList of layers, `branch<I, In>()`, which gives branch I,
/// and `branch_names`, an array of BranchName: see Parallel. Both take `template <class In> struct On :
/// LayersOn<Self, In> {}`.
namespace digitnet {

template <class... Types>
struct TypeList {
  static constexpr std::size_t size = sizeof...(Types);
};

namespace detail {

// Stands in for what is no layer, so that saying so is the only error.
struct NoLayer {
  static constexpr std::string_view class_name = "NoLayer";
  template <class In>
  struct On : LayerDefaults {
    using Output = In;
    static void forward(const auto&) {}
    static void backward(const auto&) {}
  };
};

template <class L>
concept IsChain = requires {
  typename L::LayerList;
};
template <class L, class In>
concept IsBranching = requires {
  typename L::Merge;
  typename L::template BranchList<In>;
};

template <class... Layers>
struct MustBeLayers {
  static_assert((digitnet::Layer<Layers> && ...),
                "A layer needs class_name and On<In> with Output, forward and backward: derive On "
                "from LayerDefaults (see layers/layer.hpp)");
};

/// The layer at a position, on the shape that reaches it. Compilers show this type when a shape is refused.
template <std::size_t Position, class LayerType, class In>
struct Step {
  using Given = std::conditional_t<digitnet::Layer<LayerType>, LayerType, NoLayer>;
  // clang++ leaves out what stands behind a static_assert that fails.
  static constexpr bool complete = requires { typename Given::template On<In>::Output; };
  using Layer = std::conditional_t<complete, Given, NoLayer>;
  using Input = In;
  using Output = typename Layer::template On<In>::Output;
};

/// A layer on the shape that reaches it: one node.
template <class LayerType, class In>
struct LayerNode {
  using Layer = LayerType;
  using Input = In;
  using On = typename Layer::template On<In>;
  using Output = typename On::Output;
  using Parameters = typename On::Parameters;
  static constexpr bool is_merge = false;
  static constexpr LayerTraits traits = On::traits;
  static constexpr std::string_view class_name = Layer::class_name;

  // A promise that nobody asks for would be lost without a word.
  template <class O>
  static constexpr bool promises_beside = requires {
    O::is_view;
  }
  || requires { O::in_place; }
  || requires { O::backward_reads_x; }
  || requires { O::backward_reads_y; }
  || requires { O::barriers; }
  || requires { O::statistics; };
  static_assert(
      !promises_beside<On>,
      "A layer's promises are members of one aggregate: static constexpr LayerTraits traits{.in_place = "
      "true} (see layers/layer.hpp)");
};

/// A merge of results of these shapes: one node.
template <class MergeType, class First, class... Rest>
struct MergeNode {
  using Layer = MergeType;
  using Input = First;
  using On = typename MergeType::template On<First, Rest...>;
  using Output = typename On::Output;
  using Parameters = ParameterList<>;
  static constexpr bool is_merge = true;
  static constexpr LayerTraits traits{};
  static constexpr std::string_view class_name = MergeType::class_name;
};

template <class... Lists>
struct Joined;
template <class... A>
struct Joined<TypeList<A...>> {
  using Type = TypeList<A...>;
};
template <class... A, class... B, class... Rest>
struct Joined<TypeList<A...>, TypeList<B...>, Rest...> : Joined<TypeList<A..., B...>, Rest...> {};

/// `Steps`, the parts of a layer in order; `Nodes`, all nodes in it; `Output`.
template <class L, class In>
struct Lowered {
  using Nodes = TypeList<LayerNode<L, In>>;
  using Output = typename LayerNode<L, In>::Output;
};

template <class Out, class... Parts>
struct ChainSteps {
  using Output = Out;
  using Steps = TypeList<Parts...>;
};
template <class In, class... Parts, class L>
auto operator|(ChainSteps<In, Parts...>, std::type_identity<L>)
    -> ChainSteps<typename Step<sizeof...(Parts), L, In>::Output, Parts..., Step<sizeof...(Parts), L, In>>;

template <class In, class List>
struct ChainOf;
template <class In, class... Layers>
struct ChainOf<In, TypeList<Layers...>> {
  using Type = decltype((ChainSteps<In>{} | ... | std::declval<std::type_identity<Layers>>()));
  static_assert(sizeof(MustBeLayers<Layers...>) > 0);
  static_assert(sizeof...(Layers) > 0, "A Sequential needs at least one layer");
};

template <class Steps>
struct NodesOf;
template <class... Parts>
struct NodesOf<TypeList<Parts...>> {
  using Type =
      typename Joined<TypeList<>,
                      typename Lowered<typename Parts::Layer, typename Parts::Input>::Nodes...>::Type;
};

template <class L, class In>
requires IsChain<L>
struct Lowered<L, In> : ChainOf<In, typename L::LayerList>::Type {
  using Nodes = typename NodesOf<typename Lowered::Steps>::Type;
};

template <class In, class Merge, class List, class Indices = std::make_index_sequence<List::size>>
struct BranchingOf;
template <class In, class MergeType, class... Branches, std::size_t... I>
struct BranchingOf<In, MergeType, TypeList<Branches...>, std::index_sequence<I...>> {
  static_assert(sizeof(MustBeLayers<Branches...>) > 0);
  static_assert(sizeof...(Branches) > 0, "A Parallel needs at least one branch");
  using Steps = TypeList<Step<I, Branches, In>...>;
  using Merge = MergeNode<MergeType, typename Step<I, Branches, In>::Output...>;
  using Output = typename Merge::Output;
  // A branch that is its input has no node.
  using Nodes = typename Joined<
      TypeList<>,
      std::conditional_t<std::is_same_v<Branches, Identity>, TypeList<>,
                         typename Lowered<typename Step<I, Branches, In>::Layer, In>::Nodes>...,
      TypeList<Merge>>::Type;
};
template <class L, class In>
requires IsBranching<L, In>
struct Lowered<L, In> : BranchingOf<In, typename L::Merge, typename L::template BranchList<In>> {
};

/// Writes an outline or, without memory to write to, counts.
struct OutlineWriter {
  Entry* entries = nullptr;
  NodePlace* nodes = nullptr;
  std::size_t* inputs = nullptr;
  std::size_t entry_count = 0, node_count = 0, input_count = 0, parameters = 0;
  // What the next node reads.
  std::size_t value = 0;

  constexpr std::size_t entry(Entry::Kind kind, BranchName name, std::size_t at = 0) {
    if (entries) entries[entry_count] = {kind, name.numbered, name.text, at};
    return entry_count++;
  }
  constexpr void close(std::size_t open) {
    const std::size_t at = entry(Entry::close, {"", false});
    if (entries) entries[open].at = at;
  }
  constexpr void input(std::size_t from) {
    if (inputs) inputs[input_count] = from;
    ++input_count;
  }
  constexpr void node(BranchName name, std::size_t count, std::size_t arena_size) {
    entry(Entry::node, name, node_count);
    if (nodes) nodes[node_count] = {input_count - count, count, parameters};
    parameters += arena_size;
    value = ++node_count;
  }
};

template <class L, class In>
constexpr void outline_layer(OutlineWriter& to, BranchName name);

template <class... Steps>
constexpr void outline_chain(OutlineWriter& to, TypeList<Steps...>) {
  (outline_layer<typename Steps::Layer, typename Steps::Input>(to, {Steps::Layer::class_name, true}), ...);
}
template <class L, class... Steps>
constexpr void outline_branches(OutlineWriter& to, TypeList<Steps...>) {
  const std::size_t fork = to.value;
  std::array<std::size_t, sizeof...(Steps)> ends{};
  std::size_t branch = 0;
  const auto add = [&]<class S>(std::type_identity<S>) {
    to.value = fork;
    if constexpr (std::is_same_v<typename S::Layer, Identity>)
      to.entry(Entry::pass, L::branch_names[branch]);
    else
      outline_layer<typename S::Layer, typename S::Input>(to, L::branch_names[branch]);
    ends[branch++] = to.value;
  };
  (add(std::type_identity<Steps>{}), ...);
  for (const std::size_t end : ends) to.input(end);
}
template <class L, class In>
constexpr void outline_layer(OutlineWriter& to, BranchName name) {
  if constexpr (IsChain<L>) {
    const std::size_t open = to.entry(Entry::chain, name);
    outline_chain(to, typename Lowered<L, In>::Steps{});
    to.close(open);
  } else if constexpr (IsBranching<L, In>) {
    const std::size_t open = to.entry(Entry::branching, name);
    using Branches = typename Lowered<L, In>::Steps;
    outline_branches<L>(to, Branches{});
    to.node({L::Merge::class_name, true}, Branches::size, 0);
    to.close(open);
  } else {
    to.input(to.value);
    to.node(name, 1, LayerNode<L, In>::Parameters::arena_size);
  }
}

/// The outline of a layer, as constants.
template <class L, class In>
struct OutlineOf {
  static constexpr OutlineWriter count = [] {
    OutlineWriter to;
    outline_layer<L, In>(to, {"", false});
    return to;
  }();
  struct Memory {
    std::array<Entry, count.entry_count> entries{};
    std::array<NodePlace, count.node_count> nodes{};
    std::array<std::size_t, count.input_count> inputs{};
  };
  static constexpr Memory memory = [] {
    Memory result;
    OutlineWriter to{
        .entries = result.entries.data(), .nodes = result.nodes.data(), .inputs = result.inputs.data()};
    outline_layer<L, In>(to, {"", false});
    return result;
  }();
  static constexpr Outline value() { return {memory.entries, memory.nodes, memory.inputs}; }
};

/// The objects of all nodes, in order; null for merges, which are no objects.
template <class In, class L>
[[gnu::always_inline]] inline void collect_layers(const L& layer, const void**& to) {
  if constexpr (IsChain<L>) {
    [&]<class... Steps>(TypeList<Steps...>) {
      std::apply([&](const auto&... layers) { (collect_layers<typename Steps::Input>(layers, to), ...); },
                 layer.layers);
    }(typename Lowered<L, In>::Steps{});
  } else if constexpr (IsBranching<L, In>) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      const auto add = [&]<std::size_t B>() {
        const auto& branch = layer.template branch<B, In>();
        using Branch = std::remove_cvref_t<decltype(branch)>;
        if constexpr (!std::is_same_v<Branch, Identity>) collect_layers<In>(branch, to);
      };
      (add.template operator()<I>(), ...);
    }
    (std::make_index_sequence<Lowered<L, In>::Steps::size>{});
    *to++ = nullptr;
  } else {
    *to++ = &layer;
  }
}

template <class In, class L>
[[gnu::always_inline]] inline auto objects_of(const L& layer) {
  std::array<const void*, Lowered<L, In>::Nodes::size> result;
  const void** to = result.data();
  collect_layers<In>(layer, to);
  return result;
}

}  // namespace detail

/// The On of a layer that is made of layers.
template <class Self, class In>
struct LayersOn : LayerDefaults {
  using Nodes = typename detail::Lowered<Self, In>::Nodes;
  using Output = typename detail::Lowered<Self, In>::Output;

  /// All parameters, one layer's after the other's.
  template <class List>
  struct Joined;
  template <class... N>
  struct Joined<TypeList<N...>> {
    static constexpr std::size_t arena_size = (std::size_t{0} + ... + N::Parameters::arena_size);
    static constexpr std::size_t parameter_count = (std::size_t{0} + ... + N::Parameters::parameter_count);
    static constexpr std::size_t trainable_count = (std::size_t{0} + ... + N::Parameters::trainable_count);
  };
  using Parameters = Joined<Nodes>;
};

}  // namespace digitnet
