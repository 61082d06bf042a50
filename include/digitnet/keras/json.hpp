// Text of a file as JSON, within limits: a text may neither take memory out of proportion nor be nested
// deeper than what walks it can bear.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/keras/config.hpp"

namespace digitnet::keras {

namespace detail {

// What Keras writes stays far below: a layer has some 50 values, a functional one is nested 12 deep.
inline constexpr std::size_t most_json_depth = 200, most_json_values = 400'000, most_json_members = 2'000,
                             most_json_bytes = 16u << 20;

// Looks at a text before it is parsed: each value costs 16 to 100 bytes then, and each member of an object a
// comparison with those before it. `what` is for messages.
inline void check_json(std::string_view text, const std::string& what) {
  const auto refuse = [&](const char* why, std::size_t limit) {
    fail(what + " " + why + " " + std::to_string(limit) + ": no model of Keras is like that");
  };
  if (text.size() > most_json_bytes) refuse("has more bytes than", most_json_bytes);
  std::size_t values = 0;
  std::vector<std::size_t> members;  // of each object or array that is open
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      ++values;
      members.push_back(0);
      if (members.size() > most_json_depth) refuse("is nested deeper than", most_json_depth);
    } else if (c == ']' || c == '}') {
      if (!members.empty()) members.pop_back();
    } else if (c == ',') {
      ++values;
    } else if (c == ':' && !members.empty() && ++members.back() > most_json_members) {
      refuse("has an object with more members than", most_json_members);
    }
    if (values > most_json_values) refuse("has more values than", most_json_values);
  }
}

// Python writes numbers that JSON does not have, as NaN and Infinity: they become words, which no setting is.
inline std::string without_python_numbers(std::string_view text) {
  std::string result;
  bool is_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_string) {
      if (text[i] == '\\' && i + 1 < text.size()) result += text[i++];
      is_string = text[i] != '"';
      result += text[i];
      continue;
    }
    is_string = text[i] == '"';
    bool replaced = false;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"})
      if (text.compare(i, word.size(), word) == 0) {
        result += '"' + std::string(word) + '"';
        i += word.size() - 1;
        replaced = true;
        break;
      }
    if (!replaced) result += text[i];
  }
  return result;
}

}  // namespace detail

/// The JSON of a text. Throws an Error that begins with `what` ("a.h5's model_config") if it is none, or
/// nested or long beyond all that Keras writes.
inline Json parse_json(std::string_view text, const std::string& what) {
  detail::check_json(text, what);
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) json = Json::parse(detail::without_python_numbers(text), nullptr, false);
  if (json.is_discarded()) fail(what + " is no JSON: the file is damaged");
  return json;
}

}  // namespace digitnet::keras
