// The settings of a layer, declared once, as data: summary, description, comparison of models, checkpoints
// and what is written into files follow from them.
#pragma once
#include <string_view>
#include <type_traits>

#include "digitnet/core/fixed_string.hpp"

namespace digitnet {

/// One setting under its name: a value, or the member of the layer that holds it.
template <class T>
struct Setting {
  std::string_view name;
  T value;

  template <class Layer>
  constexpr decltype(auto) of(const Layer& layer) const {
    if constexpr (std::is_member_object_pointer_v<T>)
      return layer.*value;
    else
      return (value);
  }
};

/// What decides a layer's mathematics, in Keras' words; the layer lists them as
///
///     static constexpr auto settings = std::tuple{setting<"units">(Units), setting<"rate">(&Mine::rate)};
///
/// and `std::tuple{}` says that there are none. A setting is a bool, a number, a word, an Extent, an array of
/// whole numbers, or an enumeration with a function `setting_word(value)` beside it. Initializers and
/// regularizers, which belong to parameters, are no settings.
template <FixedString Name, class T>
constexpr Setting<T> setting(T value) {
  return {Name.view(), value};
}

}  // namespace digitnet
