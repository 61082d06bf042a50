// Fusion: neighbouring nodes run as one operation, where nobody else reads what is between them. Each rule is
// a header.
#pragma once
#include <cstddef>
#include <type_traits>

#include "digitnet/core/simd.hpp"
#include "digitnet/graph/lower.hpp"
#include "digitnet/layers/elementwise.hpp"

/// @page fusion_rules Fusion rules
///
/// A rule has `length`, how many nodes it takes, `applies<Nodes...>`, whether it takes these, and
/// `Fused<Nodes...>::Type`, the LayerNode or MergeNode that does their work. The layer of that node is
/// `from(layers)`, made of pointers to the objects of the nodes. Its parameters are theirs, one node's after
/// the other's.
namespace digitnet::detail {

/// An elementwise layer on its way to a kernel, which takes a type without settings.
template <class Node>
concept Elementwise = !Node::is_merge && Node::traits.elementwise;
template <class L>
concept WithoutSettings = std::is_empty_v<L> && requires(double x) {
  L::value(x);
};
/// What another Io says, for a layer that is a part of it.
template <class T, class L, class In, class Io>
ForwardIo<T, L, In> forward_part(const Io& io, const L& layer, const T* x, T* y) {
  return {.layer = layer,
          .x = {x, io.samples()},
          .y = {y, io.samples()},
          .parameters = {io.parameters.data},
          .packed = io.packed,
          .cache = nullptr,
          .scratch = io.scratch,
          .mode = io.mode,
          .random = io.random,
          .first_sample = io.first_sample,
          .statistics = io.statistics};
}
template <class T, class L, class In, bool WantsDx, class Io>
BackwardIo<T, L, In, WantsDx> backward_part(const Io& io, const L& layer, const T* x, T* dx) {
  return {.layer = layer,
          .x = {x, io.samples()},
          .y = {nullptr, io.samples()},
          .dx = {dx, io.samples()},
          .dy = {io.dy.data, io.samples()},
          .parameters = {io.parameters.data},
          .gradients = {io.gradients.data},
          .packed = io.packed,
          .cache = nullptr,
          .scratch = io.scratch,
          .deferred = io.deferred,
          .statistics = io.statistics,
          .forward_totals = io.forward_totals};
}

}  // namespace digitnet::detail
