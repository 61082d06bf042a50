// Identity: what a kernel does to a number before it stores it, where nothing is asked for.
#pragma once
#include "digitnet/core/language.hpp"

namespace digitnet::kernels {

struct Identity {
  /// The value is the same in vectors of any length, because nothing is rounded.
  static constexpr bool is_exact = true;
  template <class V>
  static V value(V x) {
    return x;
  }
};

}  // namespace digitnet::kernels
