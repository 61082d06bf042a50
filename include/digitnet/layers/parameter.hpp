// Named parameters of a layer: a type says which there are, and constants say where they lie in an arena.
#pragma once
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/fixed_string.hpp"
#include "digitnet/core/tensor.hpp"
#include "digitnet/layers/regularizers.hpp"

namespace digitnet {

/// One parameter of a layer: its Keras name, its shape, and which members of the layer hold its initializer
/// and (or nullptr) its regularizer. A parameter that is not trainable gets no gradient and is not stepped.
template <FixedString Name, class ParameterShape, auto InitializerMember, auto RegularizerMember = nullptr,
          bool Trainable = true>
struct Parameter {
  using Shape = ParameterShape;
  static constexpr auto name = Name;
  static constexpr auto initializer = InitializerMember;
  static constexpr auto regularizer = RegularizerMember;
  static constexpr bool trainable = Trainable;
};

/// The penalty that a layer's parameter has.
template <class P>
Regularizer regularizer_of(const auto& layer) {
  if constexpr (std::is_null_pointer_v<std::remove_const_t<decltype(P::regularizer)>>)
    return {};
  else
    return layer.*P::regularizer;
}

/// The parameters of a layer, in the order in which Keras lists them. Each starts at a multiple of
/// alignment_elements; the elements between them are padding that is zero at first and stays so.
template <class... Parameters>
struct ParameterList {
  static constexpr std::size_t count = sizeof...(Parameters);
  static constexpr std::size_t arena_size =
      (std::size_t{0} + ... + round_up(Parameters::Shape::size, alignment_elements));
  static constexpr std::size_t parameter_count = (std::size_t{0} + ... + Parameters::Shape::size);
  static constexpr std::size_t trainable_count =
      (std::size_t{0} + ... + (Parameters::trainable ? Parameters::Shape::size : 0));

  /// Where the parameter begins in the layer's part of an arena.
  static constexpr std::size_t offset(std::size_t index) {
    const std::array<std::size_t, count + 1> sizes{round_up(Parameters::Shape::size, alignment_elements)...,
                                                   0};
    std::size_t result = 0;
    for (std::size_t i = 0; i < index; ++i) result += sizes[i];
    return result;
  }

  /// Calls `visit.template operator()<P>(offset)` for each parameter P in order.
  template <class Visit>
  static constexpr void for_each(Visit&& visit) {
    std::size_t index = 0;
    (visit.template operator()<Parameters>(offset(index++)), ...);
  }

  /// The place of the name in the list, or `count`.
  template <FixedString Name>
  static constexpr std::size_t index_of() {
    std::size_t index = 0;
    const bool found = ((Parameters::name.view() == Name.view() || (++index, false)) || ...);
    return found ? index : count;
  }
  template <std::size_t Index>
  using At = std::tuple_element_t<Index, std::tuple<Parameters...>>;
};

/// The parameters (or, with T not const, the gradients) of one layer, inside an arena.
template <class T, class List>
struct ParameterViews {
  T* data = nullptr;
};

/// The parameter of that name: `get<"kernel">(io.parameters)`.
template <FixedString Name, class T, class List>
auto get(const ParameterViews<T, List>& views) {
  constexpr std::size_t found = List::template index_of<Name>();
  static_assert(found < List::count, "The layer has no parameter of this name");
  constexpr std::size_t index = found < List::count ? found : 0;
  using Shape = typename List::template At<index>::Shape;
  return TensorView<T, Shape>{views.data + List::offset(index)};
}

}  // namespace digitnet
