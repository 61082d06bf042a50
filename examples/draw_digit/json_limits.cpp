#include "json_limits.hpp"

#include <algorithm>
#include <string>

#include "http_message.hpp"

namespace draw {

namespace {

bool ends_word(char c) {
  return c == ',' || c == ':' || c == '[' || c == ']' || c == '{' || c == '}' || c == '"' || c == ' ' ||
         c == '\n' || c == '\r' || c == '\t';
}

// The place behind the string that begins at `place`, or behind a word without quotes.
std::size_t end_of_word(std::string_view text, std::size_t place) {
  const bool quoted = text[place] == '"';
  for (++place; place < text.size(); ++place) {
    if (quoted ? text[place] == '"' : ends_word(text[place])) return quoted ? place + 1 : place;
    if (quoted && text[place] == '\\') ++place;
  }
  return text.size();
}

}  // namespace

void check_json_limits(std::string_view text, const JsonLimits& limits) {
  const auto too_many = [](const std::string& what, std::size_t most) {
    throw Problem(400, "The JSON has " + what + " more than the " + std::to_string(most) + " that are read");
  };
  std::size_t depth = 0, elements = 0;
  for (std::size_t place = 0; place < text.size();) {
    const char c = text[place];
    if (c == '[' || c == '{') {
      if (++depth > limits.depth) too_many("arrays or objects in one another, deep", limits.depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
    // An opened array may have an element, and each comma is followed by one.
    if ((c == '[' || c == '{' || c == ',') && ++elements > limits.elements)
      too_many("elements", limits.elements);
    if (c == '"' || !ends_word(c)) {
      const std::size_t end = end_of_word(text, place);
      if (end - place > limits.word_bytes)
        throw Problem(400, "The JSON has the word " + shown(text.substr(place, end - place)) +
                               ", but words of at most " + std::to_string(limits.word_bytes) +
                               " bytes are read");
      place = end;
    } else {
      ++place;
    }
  }
}

std::string json_problem(std::size_t position, std::string_view said) {
  // Its own heading, "[json.exception.parse_error.101] ", says nothing to a client.
  if (const std::size_t heading = said.find("] "); heading != std::string_view::npos)
    said.remove_prefix(heading + 2);
  for (const std::string_view quote : {"; last read", " parsing '"}) said = said.substr(0, said.find(quote));
  return "The body is not JSON, at byte " + std::to_string(position) + ": " + std::string(said);
}

}  // namespace draw
