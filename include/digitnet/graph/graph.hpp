// A graph: the operations of a model, as the fusion rules make them of its nodes.
#pragma once
#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include "digitnet/graph/fusion/activation.hpp"
#include "digitnet/graph/fusion/convolution_pooling.hpp"
#include "digitnet/graph/fusion/normalization.hpp"
#include "digitnet/graph/lower.hpp"
#include "digitnet/graph/numbering.hpp"
#include "digitnet/graph/operation.hpp"

namespace digitnet {

enum class Fusing { off, on };

namespace detail {

using FusionRules = TypeList<FuseConvolutionPooling, FuseProductNormalizationActivation,
                             FuseProductNormalization, FuseNormalizationActivation, FuseActivation>;

/// What plans and executors know of a graph without its type.
struct GraphFacts {
  Outline outline;
  /// Of each node.
  std::span<const OperationFacts* const> nodes;
  /// Of each operation, its first node and, behind the last one, the number of nodes; see Graph.
  std::span<const std::size_t> first;
  std::span<const OperationFacts* const> operations;
  /// The first node of each group, and what is known of it; see numbering.hpp.
  std::span<const std::size_t> group_first;
  std::span<const OperationFacts* const> groups;
  /// Elements a sample of the graph's input.
  std::size_t input = 0;
  bool wants_dx = false;

  std::size_t size() const { return operations.size(); }
  std::size_t node_count() const { return nodes.size(); }
};

// The type at a place of a list, without a walk along it.
template <std::size_t I, class T>
struct Indexed {
  using Type = T;
};
template <class Indices, class List>
struct IndexedList;
template <std::size_t... I, class... T>
struct IndexedList<std::index_sequence<I...>, TypeList<T...>> : Indexed<I, T>... {};
template <std::size_t I, class T>
Indexed<I, T> indexed(const Indexed<I, T>&);

/// The operations of Body on In without the last `Dropped` nodes. With WantsDx backward computes the gradient
/// of the input, too.
template <class Body, class In, std::size_t Dropped = 0, bool WantsDx = false, Fusing fusing = Fusing::on>
struct Graph {
  using Input = In;
  using Nodes = typename Lowered<Body, In>::Nodes;
  using OutlineType = OutlineOf<Body, In>;
  using ByIndex = IndexedList<std::make_index_sequence<Nodes::size>, Nodes>;
  static constexpr std::size_t node_count = Nodes::size - Dropped;
  template <std::size_t I>
  using Node = typename decltype(indexed<I>(std::declval<ByIndex>()))::Type;

  /// [i]: only node i + 1 reads the result of node i, and nothing else.
  static constexpr std::array<bool, node_count> linked = [] {
    std::array<bool, node_count> result{};
    std::array<std::size_t, Nodes::size + 1> readers{};
    const auto& outline = OutlineType::memory;
    for (std::size_t i = 0; i < node_count; ++i)
      for (std::size_t j = 0; j < outline.nodes[i].input_count; ++j)
        ++readers[outline.inputs[outline.nodes[i].first_input + j]];
    for (std::size_t i = 0; i + 1 < node_count; ++i)
      result[i] = readers[i + 1] == 1 && outline.nodes[i + 1].input_count == 1 &&
                  outline.inputs[outline.nodes[i + 1].first_input] == i + 1;
    return result;
  }();

  /// The number of the first rule that takes the nodes from I on, from 1; 0: none.
  template <std::size_t I, bool grouping>
  static constexpr std::size_t rule_at() {
    if constexpr (fusing == Fusing::off) return 0;
    std::size_t result = 0, number = 0;
    const auto try_rule = [&]<class Rule>(std::type_identity<Rule>) {
      ++number;
      if constexpr (I + Rule::length <= node_count) {
        bool joined = result == 0;
        for (std::size_t i = 0; i + 1 < Rule::length; ++i) joined = joined && linked[I + i];
        if (!joined) return;
        [&]<std::size_t... J>(std::index_sequence<J...>) {
          if constexpr (Rule::template applies<Node<I + J>...>)
            if (!grouping || is_group<Rule, Node<I + J>...>) result = number;
        }
        (std::make_index_sequence<Rule::length>{});
      }
    };
    [&]<class... Rules>(TypeList<Rules...>) { (try_rule(std::type_identity<Rules>{}), ...); }(FusionRules{});
    return result;
  }
  template <std::size_t Number>
  using Rule = typename decltype(indexed<Number - 1>(
      std::declval<IndexedList<std::make_index_sequence<FusionRules::size>, FusionRules>>()))::Type;

  template <bool grouping>
  static constexpr std::array<std::size_t, node_count> find_rules() {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<std::size_t, node_count>{rule_at<I, grouping>()...};
    }
    (std::make_index_sequence<node_count>{});
  }
  static constexpr std::array<std::size_t, node_count> rules = find_rules<false>(),
                                                       group_rules = find_rules<true>();
  static constexpr std::size_t rule_length(std::size_t number) {
    std::size_t result = 1, at = 0;
    [&]<class... Rules>(TypeList<Rules...>) {
      ((++at == number ? void(result = Rules::length) : void()), ...);
    }(FusionRules{});
    return result;
  }
  static constexpr std::size_t count_of(const std::array<std::size_t, node_count>& numbers) {
    std::size_t result = 0;
    for (std::size_t i = 0; i < node_count; i += rule_length(numbers[i])) ++result;
    return result;
  }
  static constexpr std::size_t count = count_of(rules), group_count = count_of(group_rules);
  template <std::size_t N>
  static constexpr std::array<std::size_t, N + 1> firsts(const std::array<std::size_t, node_count>& numbers) {
    std::array<std::size_t, N + 1> result{};
    std::size_t at = 0;
    for (std::size_t i = 0; i < node_count; i += rule_length(numbers[i])) result[at++] = i;
    result[at] = node_count;
    return result;
  }
  /// The first node of each operation, and of each group, and node_count behind.
  static constexpr std::array<std::size_t, count + 1> first = firsts<count>(rules);
  static constexpr std::array<std::size_t, group_count + 1> group_first = firsts<group_count>(group_rules);

  template <std::size_t First, std::size_t Number>
  struct FusedNode {
    template <std::size_t... J>
    static auto type(std::index_sequence<J...>)
        -> std::type_identity<typename Rule<Number>::template Fused<Node<First + J>...>::Type>;
    using Type = typename decltype(type(std::make_index_sequence<Rule<Number>::length>{}))::type;
  };
  template <std::size_t First>
  struct FusedNode<First, 0> {
    using Type = Node<First>;
  };
  template <std::size_t I>
  using Operation = typename FusedNode<first[I], rules[first[I]]>::Type;
  template <std::size_t I>
  using Group = typename FusedNode<group_first[I], group_rules[group_first[I]]>::Type;

  /// [v]: whether backward computes the gradient of value v.
  static constexpr std::array<bool, Nodes::size + 1> wanted =
      []<std::size_t... I>(std::index_sequence<I...>) {
    const std::array<bool, node_count> trains{(Node<I>::Parameters::arena_size > 0)...};
    std::array<bool, Nodes::size + 1> result{WantsDx};
    const auto& outline = OutlineType::memory;
    for (std::size_t i = 0; i < node_count; ++i) {
      result[i + 1] = trains[i];
      for (std::size_t j = 0; j < outline.nodes[i].input_count; ++j)
        result[i + 1] = result[i + 1] || result[outline.inputs[outline.nodes[i].first_input + j]];
    }
    return result;
  }
  (std::make_index_sequence<node_count>{});
  /// Whether operation I has gradients of its inputs to compute; whether it has anything to do in backward.
  static constexpr bool wants_dx(std::size_t operation) {
    const NodePlace place = OutlineType::memory.nodes[first[operation]];
    for (std::size_t j = 0; j < place.input_count; ++j)
      if (wanted[OutlineType::memory.inputs[place.first_input + j]]) return true;
    return false;
  }
  static constexpr bool runs_backward(std::size_t operation) { return wanted[first[operation + 1]]; }

  template <class T>
  static GraphFacts facts() {
    static constexpr auto of = []<std::size_t... I>(std::index_sequence<I...>, const auto& node_of) {
      return std::array<const OperationFacts*, sizeof...(I)>{node_of.template operator()<I>()...};
    };
    static constexpr auto nodes = of(std::make_index_sequence<node_count>{},
                                     []<std::size_t I>() { return &FunctionsOf<Node<I>, T>::facts; });
    static constexpr auto operations = of(std::make_index_sequence<count>{}, []<std::size_t I>() {
      return &FunctionsOf<Operation<I>, T>::facts;
    });
    static constexpr auto groups = of(std::make_index_sequence<group_count>{},
                                      []<std::size_t I>() { return &FunctionsOf<Group<I>, T>::facts; });
    return {.outline = OutlineType::value(),
            .nodes = nodes,
            .first = first,
            .operations = operations,
            .group_first = group_first,
            .groups = groups,
            .input = In::size,
            .wants_dx = WantsDx};
  }
  template <class T, Purpose purpose>
  static constexpr std::array<PackOperation<T>, count> packs = [
  ]<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<PackOperation<T>, count>{FunctionsOf<Operation<I>, T>::template pack<purpose_of(
        purpose, Operation<I>::traits, wants_dx(I))>...};
  }
  (std::make_index_sequence<count>{});
  template <class T>
  static constexpr std::array<RunOperation<T>, count> forward = [
  ]<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<RunOperation<T>, count>{FunctionsOf<Operation<I>, T>::forward...};
  }
  (std::make_index_sequence<count>{});
  template <class T>
  static constexpr std::array<RunOperation<T>, count> backward = [
  ]<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<RunOperation<T>, count>{[] {
      if constexpr (runs_backward(I))
        return FunctionsOf<Operation<I>, T>::template backward<wants_dx(I)>;
      else
        return RunOperation<T>{nullptr};
    }()...};
  }
  (std::make_index_sequence<count>{});
};

}  // namespace detail

}  // namespace digitnet
