// Text in generated C++. All of it goes through these functions, so that no file and no name can write code.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/core/number_text.hpp"

namespace digitnet::cpp {

namespace detail {

inline bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline std::string octal(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return {'\\', static_cast<char>('0' + byte / 64), static_cast<char>('0' + byte / 8 % 8),
          static_cast<char>('0' + byte % 8)};
}

// C++20's keywords and what stands for operators; and names that a program has already, of which some are
// macros.
inline constexpr std::string_view taken_names =
    " "
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t "
    "char32_t char8_t class co_await co_return co_yield compl concept const const_cast consteval "
    "constexpr constinit continue decltype default delete do double dynamic_cast else enum "
    "explicit export extern false float for friend goto if import inline int long module mutable "
    "namespace new noexcept not not_eq nullptr operator or or_eq private protected public "
    "register reinterpret_cast requires return short signed sizeof static static_assert "
    "static_cast struct switch template this thread_local throw true try typedef typeid typename "
    "typeof union unsigned using virtual void volatile wchar_t while xor xor_eq EOF INFINITY NAN "
    "NULL RAND_MAX assert digitnet errno linux main offsetof std stderr stdin stdout unix ";

}  // namespace detail

/// Whether a program may call something so: ASCII's letters, digits and _, and neither a keyword nor a name
/// that is reserved or taken.
inline bool is_identifier(std::string_view name) {
  return !name.empty() && detail::is_letter(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return detail::is_letter(c) || detail::is_digit(c) || c == '_'; }) &&
         name.find("__") == std::string_view::npos &&
         detail::taken_names.find(" " + std::string(name) + " ") == std::string_view::npos;
}

/// Any text as a literal of C++, in quotes, of ASCII's printable characters alone: it ends no line, comment
/// or literal, and no trigraph or direction of writing hides in it.
inline std::string literal(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '?')
      result += {'\\', c};
    else if (c >= ' ' && c <= '~')
      result += c;
    else
      result += detail::octal(c);
  }
  return result + "\"";
}

/// Any text as a literal of GNU's assembler, in quotes, where letters, digits and a path's usual signs alone
/// stand for themselves.
inline std::string assembler_literal(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const bool plain = detail::is_letter(c) || detail::is_digit(c) || c == '/' || c == '.' || c == '_' ||
                       c == '-' || c == '+' || c == ' ';
    result += plain ? std::string(1, c) : detail::octal(c);
  }
  return result + "\"";
}

/// A float's literal, such as "0.25f". Throws an Error if it is none; `what` is for that.
inline std::string float_literal(double number, const std::string& what) {
  if (!(std::abs(number) <= double{std::numeric_limits<float>::max()}))
    fail(what + " is " + to_text(number) + ", but must be a finite float");
  std::string text = to_text(static_cast<float>(number));
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + "f";
}

/// `word` if it is one of an enumeration's; throws an Error otherwise.
inline const std::string& enumerator(const std::string& word, const std::vector<std::string>& allowed,
                                     const std::string& what) {
  if (std::find(allowed.begin(), allowed.end(), word) != allowed.end()) return word;
  std::string list;
  for (const std::string& one : allowed) (list += list.empty() ? "" : ", ") += one;
  fail(what + " is " + literal(word) + ", but must be one of " + list);
}

}  // namespace digitnet::cpp
