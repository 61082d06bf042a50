// What the outputs of a model are, as its last layers say: any numbers, or probabilities.
#pragma once
#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>

#include "digitnet/layers/layer.hpp"

namespace digitnet {

template <class... Layers>
struct Sequential;

namespace detail {

/// What a layer's outputs are, and the class name of the layer that says so.
struct OutputOrigin {
  OutputKind kind = OutputKind::unknown;
  std::string_view layer = "";
};

template <class Layer>
struct OutputOriginOf {
  static constexpr OutputOrigin value = [] {
    if constexpr (requires { Layer::output_kind; })
      return OutputOrigin{Layer::output_kind, Layer::class_name};
    else
      return OutputOrigin{OutputKind::unknown, Layer::class_name};
  }();
};
// The last layer that does more than pass on.
template <class... Layers>
struct OutputOriginOf<Sequential<Layers...>> {
  static constexpr OutputOrigin value = [] {
    OutputOrigin origin{OutputKind::of_input};
    ((OutputOriginOf<Layers>::value.kind == OutputKind::of_input
          ? void()
          : static_cast<void>(origin = OutputOriginOf<Layers>::value)),
     ...);
    return origin;
  }();
};

/// Above which a single output says yes: 0 where a sigmoid would come next, else one half.
template <class Body>
inline constexpr float half_of = OutputOriginOf<Body>::value.kind == OutputKind::numbers ? 0.0f : 0.5f;

}  // namespace detail

}  // namespace digitnet
