// Identity: y = x, for a branch of a Parallel that goes around the others.
#pragma once
#include "digitnet/layers/reshape.hpp"

namespace digitnet {

/// Keras' Identity.
struct Identity {
  static constexpr std::string_view class_name = "Identity";
  static constexpr OutputKind output_kind = OutputKind::of_input;

  template <class In>
  struct On : detail::ReshapeOn<In, In> {};
};

}  // namespace digitnet
