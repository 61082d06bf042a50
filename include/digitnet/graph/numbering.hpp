// Groups: the neighbouring layers that count as one where random numbers are dealt out and micro-batches
// measured. They stay as they are when new fusion rules come, so that a training gives the same bits.
#pragma once
#include <cstddef>
#include <span>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/graph/fusion/activation.hpp"
#include "digitnet/graph/fusion/normalization.hpp"
#include "digitnet/graph/outline.hpp"
#include "digitnet/layers/activations.hpp"
#include "digitnet/layers/conv2d.hpp"
#include "digitnet/layers/dense.hpp"

namespace digitnet::detail {

template <class L>
inline constexpr bool begins_group = false;
template <std::size_t Units, bool UseBias>
inline constexpr bool begins_group<Dense<Units, UseBias>> = true;
template <std::size_t Filters, Extent Kernel, Extent Strides, Padding Border, bool UseBias>
inline constexpr bool begins_group<Conv2D<Filters, Kernel, Strides, Border, UseBias>> = true;

/// Whether the nodes that a rule fuses are a group: ReLU is the one activation that ends one.
template <class Rule, class... Nodes>
inline constexpr bool is_group = true;
template <class First, class Second>
inline constexpr bool is_group<FuseActivation, First, Second> =
    std::is_same_v<typename Second::Layer, ReLU>&& begins_group<typename First::Layer>;
template <class First, class Second>
inline constexpr bool is_group<FuseNormalizationActivation, First, Second> =
    std::is_same_v<typename Second::Layer, ReLU>;
template <class First, class Second, class Third>
inline constexpr bool is_group<FuseProductNormalizationActivation, First, Second, Third> =
    std::is_same_v<typename Third::Layer, ReLU>;

/// The random numbers of each node, as the way to their key: the place in its chain or branching, from the
/// outside in. `group_first` has the first node of each group; only these are looked at.
DIGITNET_INLINE std::vector<std::vector<std::size_t>> random_places(const Outline& outline,
                                                                    std::size_t node_count,
                                                                    std::span<const std::size_t> group_first);

}  // namespace digitnet::detail

#if DIGITNET_BODIES
namespace digitnet::detail {

DIGITNET_INLINE std::vector<std::vector<std::size_t>> random_places(
    const Outline& outline, std::size_t node_count, std::span<const std::size_t> group_first) {
  std::vector<unsigned char> first(outline.nodes.size() + 1);
  for (const std::size_t node : group_first) first[node] = true;
  std::vector<std::vector<std::size_t>> result(node_count);
  // How many parts of each have begun.
  std::vector<std::size_t> scopes;
  for (const Entry& entry : outline.entries) {
    if (entry.kind == Entry::close) {
      scopes.pop_back();
      continue;
    }
    const bool joins = entry.kind == Entry::node && !first[entry.at];
    if (!scopes.empty() && !joins) ++scopes.back();
    if (entry.kind == Entry::node && entry.at < node_count)
      for (const std::size_t parts : scopes) result[entry.at].push_back(parts - 1);
    if (entry.kind == Entry::chain || entry.kind == Entry::branching) scopes.push_back(0);
  }
  return result;
}

}  // namespace digitnet::detail
#endif
