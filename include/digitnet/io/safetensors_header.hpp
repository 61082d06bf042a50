// The JSON header of safetensors: objects, words and lists of whole numbers, within limits.
#pragma once
#include <bit>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "digitnet/core/error.hpp"

namespace digitnet {

namespace detail {

static_assert(std::endian::native == std::endian::little,
              "safetensors are little-endian, as this code assumes");

inline std::string json_string(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
      result += code;
    } else {
      result += c;
    }
  }
  return result + "\"";
}

// Far above what models have: a small file may not take much memory.
inline constexpr std::size_t most_members = 65536, most_axes = 32;

// The part of JSON that a header is made of: objects, strings, lists of whole numbers.
class HeaderReader {
 public:
  HeaderReader(const std::string& path, const std::string& text) : path_(path), text_(text) {}

  // Calls member(key) for each member of the object that begins here; it must read the value.
  template <class Member>
  void object(const Member& member) {
    expect('{');
    if (accept('}')) return;
    std::size_t count = 0;
    do {
      if (++count > most_members)
        broken("has an object of more than " + std::to_string(most_members) + " members");
      const std::string key = string();
      expect(':');
      member(key);
    } while (accept(','));
    expect('}');
  }
  std::string string() {
    expect('"');
    std::string result;
    while (true) {
      const char c = next();
      if (c == '"') return result;
      if (c != '\\') {
        result += c;
        continue;
      }
      const char escaped = next();
      switch (escaped) {
        case 'n':
          result += '\n';
          break;
        case 't':
          result += '\t';
          break;
        case 'r':
          result += '\r';
          break;
        case 'b':
          result += '\b';
          break;
        case 'f':
          result += '\f';
          break;
        case 'u':
          append_code(result);
          break;
        default:
          result += escaped;
      }
    }
  }
  std::vector<std::uint64_t> numbers() {
    std::vector<std::uint64_t> result;
    expect('[');
    if (accept(']')) return result;
    do {
      if (result.size() == most_axes) broken("has a list of more numbers than an array has axes");
      result.push_back(number());
    } while (accept(','));
    expect(']');
    return result;
  }
  // The byte of the header that is read next.
  std::size_t at() const { return at_; }
  void end() {
    space();
    if (at_ != text_.size()) broken("ends with " + text_.substr(at_, 20));
  }
  [[noreturn]] void broken(const std::string& what) const {
    fail(path_ + " is no safetensors file: its header " + what + " (byte " + std::to_string(8 + at_) + ")");
  }

 private:
  void space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  bool accept(char c) {
    space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) broken(std::string("has no '") + c + "' where one must be");
  }
  char next() {
    if (at_ >= text_.size()) broken("ends inside a string");
    return text_[at_++];
  }
  std::uint64_t number() {
    space();
    std::uint64_t value = 0;
    const std::size_t begin = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (value > (std::uint64_t{1} << 58)) broken("has an absurd number");
      value = value * 10 + static_cast<std::uint64_t>(text_[at_] - '0');
    }
    if (at_ == begin) broken("has no whole number where one must be");
    return value;
  }
  void append_code(std::string& result) {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = next();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) broken("has a broken \\u escape");
      code = code * 16 + static_cast<unsigned>(digit);
    }
    if (code < 0x80) {
      result += static_cast<char>(code);
    } else if (code < 0x800) {
      result += static_cast<char>(0xc0 | code >> 6);
      result += static_cast<char>(0x80 | (code & 0x3f));
    } else {
      result += static_cast<char>(0xe0 | code >> 12);
      result += static_cast<char>(0x80 | (code >> 6 & 0x3f));
      result += static_cast<char>(0x80 | (code & 0x3f));
    }
  }

  const std::string& path_;
  const std::string& text_;
  std::size_t at_ = 0;
};

// The bytes of a number of that type; 0 if it is not known.
inline std::uint64_t bytes_of_type(std::string_view type) {
  for (const std::string_view one : {"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"})
    if (type == one) return 1;
  for (const std::string_view two : {"U16", "I16", "F16", "BF16"})
    if (type == two) return 2;
  for (const std::string_view four : {"F32", "U32", "I32"})
    if (type == four) return 4;
  for (const std::string_view eight : {"F64", "U64", "I64"})
    if (type == eight) return 8;
  return 0;
}

}  // namespace detail

}  // namespace digitnet
