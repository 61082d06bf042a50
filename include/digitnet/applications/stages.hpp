// Stages: lists of layers, one after the other, of which networks are put together.
#pragma once
#include <type_traits>

#include "digitnet/model/sequential.hpp"

namespace digitnet::applications {

/// Some layers that follow each other, for Stacked.
template <class... Layers>
struct Stage {};

template <class... Parts>
struct StackedLayers;
template <class... Layers>
struct StackedLayers<Stage<Layers...>> {
  using Type = Sequential<Layers...>;
};
template <class... First, class... Second, class... Rest>
struct StackedLayers<Stage<First...>, Stage<Second...>, Rest...>
    : StackedLayers<Stage<First..., Second...>, Rest...> {};
template <class... First, class... Second, class... Rest>
struct StackedLayers<Stage<First...>, Sequential<Second...>, Rest...>
    : StackedLayers<Stage<First..., Second...>, Rest...> {};

/// The Sequential of all layers of all parts: Stages, and Sequentials that were stacked before.
template <class... Parts>
using Stacked = typename StackedLayers<Stage<>, Parts...>::Type;

}  // namespace digitnet::applications
