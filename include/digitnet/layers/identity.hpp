// Identity: what comes in goes out, as the branch of a Parallel that goes around the others.
#pragma once
#include <algorithm>

#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// Keras' Identity.
struct Identity {
  static constexpr std::string_view class_name = "Identity";

  template <class In>
  struct On : LayerDefaults {
    using Output = In;
    static constexpr bool is_view = true;
    static constexpr bool in_place = true;
    static constexpr bool backward_reads_x = false;
    static constexpr bool backward_reads_y = false;

    template <class Io>
    static void forward(const Io& io) {
      if (io.y.data != io.x.data) std::copy_n(io.x.data, io.x.size(), io.y.data);
    }
    template <class Io>
    static void backward(const Io& io) {
      if constexpr (Io::wants_dx)
        if (io.dx.data != io.dy.data) std::copy_n(io.dy.data, io.dy.size(), io.dx.data);
    }
  };
};

}  // namespace digitnet
