// A loop whose index is a compile-time constant in each turn.
#pragma once
#include <cstddef>
#include <utility>

#include "digitnet/core/language.hpp"

namespace digitnet {

/// Calls visit.operator()<0>(), visit.operator()<1>(), ... visit.operator()<count - 1>().
template <std::size_t count, class Visit>
constexpr void for_each_index(const Visit& visit) {
  [&]<std::size_t... I>(std::index_sequence<I...>) { (visit.template operator()<I>(), ...); }
  (std::make_index_sequence<count>{});
}

}  // namespace digitnet
