// A string that can be a template argument: parameters are named `"kernel"` in the type of a layer.
#pragma once
#include <cstddef>
#include <string_view>

#include "digitnet/core/language.hpp"

namespace digitnet {

/// A string literal as a structural type: `Parameter<"kernel", ...>`.
template <std::size_t Size>
struct FixedString {
  char characters[Size]{};

  constexpr FixedString(const char (&text)[Size]) {
    for (std::size_t i = 0; i < Size; ++i) characters[i] = text[i];
  }
  constexpr std::string_view view() const { return {characters, Size - 1}; }
};

}  // namespace digitnet
