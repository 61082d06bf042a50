// Rescaling: a fixed linear map, y = scale x + offset.
#pragma once
#include "digitnet/layers/elementwise.hpp"

namespace digitnet {

/// Keras' Rescaling. (Images of bytes are read as value / 255 already; see Samples.)
struct Rescaling {
  static constexpr std::string_view class_name = "Rescaling";
  float scale = 1;
  float offset = 0;
  static constexpr auto settings =
      std::tuple{setting<"scale">(&Rescaling::scale), setting<"offset">(&Rescaling::offset)};

  template <class In>
  struct On : detail::ElementwiseOfResult<In> {
    static constexpr LayerTraits traits{
        .in_place = true, .elementwise = true, .backward_reads_x = false, .backward_reads_y = false};
  };

  template <class V>
  V value(V x) const {
    return V(scale) * x + V(offset);
  }
  template <class V>
  V slope(V) const {
    return V(scale);
  }
};

}  // namespace digitnet
