// prefix: the first layers of a model, as a model of their own.
#pragma once
#include <algorithm>
#include <cstddef>
#include <tuple>
#include <utility>

#include "digitnet/model/sequential.hpp"

namespace digitnet {

/// The first `Count` layers, with copies of their values and parameters: `prefix<2>(model).predict(images)`
/// is what the second layer gives. A chain inside the model counts as one layer.
template <std::size_t Count, std::size_t... Extents, class... Layers>
auto prefix(const Sequential<Input<Extents...>, Layers...>& model) {
  static_assert(Count >= 1 && Count <= sizeof...(Layers),
                "A prefix has at least one layer, and no more than its model");
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    Sequential result(Input<Extents...>{}, std::get<I>(model.body().layers)...);
    std::copy_n(model.parameters().data(), result.arena_size, result.parameters().data());
    return result;
  }
  (std::make_index_sequence<Count>{});
}

}  // namespace digitnet
