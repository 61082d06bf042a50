// Small pieces of HTML: text in which nothing is read as a tag, files inside the page, tables.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/language.hpp"

namespace digitnet::html {

/// Text that stands for itself in elements and in attributes.
inline std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  return result;
}

/// Base64 (RFC 4648).
inline std::string base64(std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned value = 0;
    for (std::size_t j = 0; j < 3; ++j)
      value = value << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j)
      result += j <= bytes.size() - i ? digits[value >> (18 - 6 * j) & 63] : '=';
  }
  return result;
}

/// A file as the address of an image: "data:image/png;base64,...".
inline std::string embedded(std::string_view type, std::string_view bytes) {
  return std::string("data:").append(type).append(";base64,").append(base64(bytes));
}

/// A table with a caption; cells are text. Columns after the first `words` are numbers, at the right.
inline std::string table(std::string_view caption, const std::vector<std::string>& headings,
                         const std::vector<std::vector<std::string>>& rows, std::size_t words = 1) {
  const auto kind = [&](std::size_t column) {
    return column < words ? std::string() : std::string(" class=\"number\"");
  };
  std::string text = "<div class=\"wide\"><table><caption>" + escaped(caption) + "</caption>\n<thead><tr>";
  for (std::size_t i = 0; i < headings.size(); ++i)
    text += "<th scope=\"col\"" + kind(i) + ">" + escaped(headings[i]) + "</th>";
  text += "</tr></thead>\n<tbody>\n";
  for (const std::vector<std::string>& row : rows) {
    text += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i)
      text += i == 0 ? "<th scope=\"row\">" + escaped(row[i]) + "</th>"
                     : "<td" + kind(i) + ">" + escaped(row[i]) + "</td>";
    text += "</tr>\n";
  }
  return text + "</tbody></table></div>\n";
}

/// Names and what they stand for.
inline std::string facts(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string text = "<dl>\n";
  for (const auto& [name, value] : entries)
    text += "<div><dt>" + escaped(name) + "</dt><dd>" + escaped(value) + "</dd></div>\n";
  return text + "</dl>\n";
}

}  // namespace digitnet::html
