// Identity: what a kernel does to a number before it stores it, where nothing is asked for.
#pragma once
#include "digitnet/core/language.hpp"

namespace digitnet::kernels {

struct Identity {
  template <class V>
  static V value(V x) {
    return x;
  }
};

}  // namespace digitnet::kernels
