// Flatten and Reshape: the same numbers under another shape. Inside a model they cost nothing.
#pragma once
#include <algorithm>
#include <array>

#include "digitnet/layers/layer.hpp"

namespace digitnet {

namespace detail {

template <class In, class Out>
struct ReshapeOn : LayerDefaults {
  using Output = Out;
  static constexpr LayerTraits traits{.is_view = true, .backward_reads_x = false, .backward_reads_y = false};

  template <class Io>
  static void forward(const Io& io) {
    if (io.x.data != io.y.data) std::copy_n(io.x.data, io.x.size(), io.y.data);
  }
  template <class Io>
  static void backward(const Io& io) {
    if constexpr (Io::wants_dx)
      if (io.dx.data != io.dy.data) std::copy_n(io.dy.data, io.dy.size(), io.dx.data);
  }
};

}  // namespace detail

/// Keras' Flatten: any shape to (size), channels last.
struct Flatten {
  static constexpr std::string_view class_name = "Flatten";
  static constexpr OutputKind output_kind = OutputKind::of_input;

  template <class In>
  struct On : detail::ReshapeOn<In, Shape<In::size>> {};
};

/// Keras' Reshape: any shape to one of the same size.
template <std::size_t... Extents>
struct Reshape {
  static constexpr std::string_view class_name = "Reshape";
  static constexpr auto settings =
      std::tuple{setting<"target_shape">(std::array<std::size_t, sizeof...(Extents)>{Extents...})};
  static constexpr OutputKind output_kind = OutputKind::of_input;

  template <class In>
  struct On
      : detail::ReshapeOn<In,
                          std::conditional_t<Shape<Extents...>::size == In::size, Shape<Extents...>, In>> {
    static_assert(
        Shape<Extents...>::size == In::size,
        "Reshape keeps the number of elements: make the product of its extents that of its input's");
  };
};

}  // namespace digitnet
