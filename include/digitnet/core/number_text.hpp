// Numbers as text that depends on no locale and no rounding mode. Files are written and read with these only:
// std::to_string(double), printf's %g, strtod and streams depend on the locale.
#pragma once
#include <cfenv>
#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "digitnet/core/language.hpp"

namespace digitnet {

/// The shortest text that reads back to the same value: "0.05", "1e-07", "inf", "nan".
template <class Number>
requires std::integral<Number> || std::floating_point<Number> std::string to_text(Number value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

/// `value` with so many significant digits, as printf's %g writes it in the C locale: "0.0312".
inline std::string to_text(double value, int digits) {
  char text[128];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, digits).ptr};
}

/// `value` with so many digits after the point, as printf's %f writes it in the C locale: "0.0500".
inline std::string to_fixed_text(double value, int decimals) {
  char text[512];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals).ptr};
}

/// `value` with one digit before the point and so many after it, as printf's %e writes it in the C locale:
/// "1.2000e-04".
inline std::string to_scientific_text(double value, int decimals) {
  char text[128];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, decimals).ptr};
}

/// The number that all of `text` spells, or nothing: for an empty text, a space, a "+", a "-" where Number
/// has no sign, characters that are left over, or a value out of Number's range. "inf" and "nan" are read:
/// check the range.
template <class Number>
requires std::integral<Number> || std::floating_point<Number> std::optional<Number> parse_number(
    std::string_view text) {
  Number value{};
  // from_chars looks at the rounding mode, to_chars does not.
  const int rounding = std::fegetround();
  if (rounding != FE_TONEAREST) std::fesetround(FE_TONEAREST);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (rounding != FE_TONEAREST) std::fesetround(rounding);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace digitnet
