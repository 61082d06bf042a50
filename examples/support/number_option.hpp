// Numbers on a command line: the whole text must be one, in no locale's words.
#pragma once
#include <CLI/CLI.hpp>
#include <cmath>
#include <concepts>
#include <digitnet/core/number_text.hpp>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>

namespace program {

/// The number that `text` spells: whole and not negative, or finite and above 0. Else throws what CLI11
/// prints.
template <class Number>
Number option_number(const std::string& option, const std::string& text) {
  const auto number = digitnet::parse_number<Number>(text);
  if constexpr (std::integral<Number>) {
    if (!number)
      throw CLI::ValidationError(option, "\"" + text + "\" is no whole number from 0 to " +
                                             std::to_string(std::numeric_limits<Number>::max()));
  } else {
    if (!number || !std::isfinite(*number) || *number < 0)
      throw CLI::ValidationError(option, "\"" + text + "\" is no number of at least 0");
  }
  return *number;
}

/// Adds an option that takes one number; `value` is a number, whose value is shown as the default, or an
/// optional one.
template <class Value>
CLI::Option* add_number(CLI::App& app, const std::string& name, Value& value,
                        const std::string& description) {
  const auto read = [&value, name](const CLI::results_t& texts) {
    if constexpr (requires { typename Value::value_type; })
      value = option_number<typename Value::value_type>(name, texts.at(0));
    else
      value = option_number<Value>(name, texts.at(0));
    return true;
  };
  CLI::Option* const option =
      app.add_option(name, read, description)->expected(1)->type_size(1)->type_name("NUMBER");
  if constexpr (std::is_arithmetic_v<Value>) option->default_str(digitnet::to_text(value));
  return option;
}

}  // namespace program
