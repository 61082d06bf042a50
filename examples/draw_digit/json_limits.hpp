// Whether a JSON text is small enough to be read: looked at before anything is built of it.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace draw {

/// What a JSON text may have.
struct JsonLimits {
  std::size_t depth = 6;                 ///< of arrays and objects in one another
  std::size_t elements = 1'000'000'000;  ///< of all arrays and objects together
  std::size_t word_bytes = 1024;         ///< of a string, a number or a name
};

/// Throws a Problem with status 400 if the text has more than that. Takes no memory. A text that is no JSON
/// may pass: up to its first mistake it is within the limits.
void check_json_limits(std::string_view text, const JsonLimits& limits);

/// What nlohmann/json says is wrong with a text, without the text that it quotes.
std::string json_problem(std::size_t position, std::string_view said);

}  // namespace draw
