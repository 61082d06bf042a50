#include "http_message.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <digitnet/core/number_text.hpp>
#include <memory>
#include <nlohmann/json.hpp>

namespace draw {

namespace {

constexpr std::size_t most_fields = 100, most_target = 8000, most_chunk_line = 256, most_trailer = 4096;

[[noreturn]] void bad(const std::string& message) { throw Problem(400, message); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_one_of(char c, const char* set) { return c != '\0' && std::strchr(set, c) != nullptr; }
// RFC 9110, section 5.6.2.
bool is_token_character(char c) { return is_digit(c) || is_letter(c) || is_one_of(c, "!#$%&'*+-.^_`|~"); }
bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character);
}
// What may stand in a field's value: no control character but the tab.
bool is_value_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  return result;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") + 1 - first);
}

int hex_value(char c) { return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10; }

// The text with "%41" as "A". Wrong ones stay as they are.
std::string decoded(std::string_view text, bool plus_is_space) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2])) {
      result += static_cast<char>(16 * hex_value(text[i + 1]) + hex_value(text[i + 2]));
      i += 2;
    } else {
      result += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return result;
}

// Takes a line with its end from the text.
std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  if (end == std::string_view::npos) bad("The request's header does not end with an empty line");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

// RFC 3986, section 3.2: a name or address, and a port.
bool is_authority(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view inside = text.substr(1, end - 1);
    if (inside.empty() || !std::all_of(inside.begin(), inside.end(), [](char c) {
          return is_digit(c) || is_letter(c) || c == ':' || c == '.' || c == '%' || c == '-';
        }))
      return false;
    text.remove_prefix(end + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const std::string_view name = text.substr(0, colon);
    if (!std::all_of(name.begin(), name.end(),
                     [](char c) { return is_digit(c) || is_letter(c) || is_one_of(c, "-._~%!$&'()*+,;="); }))
      return false;
    text.remove_prefix(colon);
  }
  return text.empty() || (text[0] == ':' && text.size() <= 6 &&
                          std::all_of(text.begin() + 1, text.end(), [](char c) { return is_digit(c); }));
}

// Sets path and query; returns the name of the server if the target has one.
std::string parse_target(std::string_view target, Request& request) {
  for (std::size_t i = 0; i < target.size(); ++i) {
    // RFC 3986, section 2.
    const char c = target[i];
    if (!is_digit(c) && !is_letter(c) && !is_one_of(c, "-._~:/?[]@!$&'()*+,;=%"))
      bad("The request's target " + shown(target) + " has a character that no URL has");
    if (c == '%' && (i + 2 >= target.size() || !is_hex(target[i + 1]) || !is_hex(target[i + 2])))
      bad("The request's target " + shown(target) + " has a % without two hexadecimal digits");
  }
  std::string authority;
  if (lower(target.substr(0, 7)) == "http://") {
    const std::size_t end = std::min(target.find_first_of("/?", 7), target.size());
    authority = target.substr(7, end - 7);
    if (authority.empty() || !is_authority(authority))
      bad("The request's target " + shown(target) + " names no server");
    target.remove_prefix(end);
    if (!target.starts_with('/')) {
      request.path = "/";
      if (target.starts_with('?')) request.query = target.substr(1);
      return authority;
    }
  }
  if (!target.starts_with('/') && !(target == "*" && request.method == "OPTIONS"))
    bad("The request's target is " + shown(target) + ", but must be a path that begins with /");
  const std::size_t mark = std::min(target.find('?'), target.size());
  request.path = decoded(target.substr(0, mark), false);
  if (mark < target.size()) request.query = target.substr(mark + 1);
  return authority;
}

// Returns the minor version of HTTP/1.
int parse_version(std::string_view version) {
  if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.' ||
      !is_digit(version[7]))
    bad("The request's first line ends with " + shown(version) + ", but must end with HTTP/1.1");
  if (version != "HTTP/1.1" && version != "HTTP/1.0")
    throw Problem(505, "The request is " + shown(version) + ", but this server knows HTTP/1.1 and HTTP/1.0");
  return version[7] - '0';
}

void parse_field(std::string_view line, Request& request) {
  if (line.starts_with(' ') || line.starts_with('\t'))
    bad("A header field goes on in the next line, which HTTP no longer allows");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    bad("A line of the request's header is " + shown(line) +
        ", but must be a name, directly followed by a colon and a value");
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), is_value_character))
    bad("The header field " + shown(line.substr(0, colon)) + " has a control character");
  if (request.fields.size() == most_fields)
    throw Problem(
        431, "The request has more than the " + std::to_string(most_fields) + " header fields that are read");
  request.fields.emplace_back(lower(line.substr(0, colon)), value);
}

std::size_t count_of(const Request& request, std::string_view name) {
  return static_cast<std::size_t>(std::count_if(request.fields.begin(), request.fields.end(),
                                                [&](const auto& field) { return field.first == name; }));
}

// Where a request ends must be certain: servers that disagree about it can be made to mix up two clients'
// requests.
void parse_framing(Request& request, int minor_version) {
  const std::size_t lengths = count_of(request, "content-length"),
                    codings = count_of(request, "transfer-encoding");
  if (lengths + codings > 1) bad("The request announces its body's length twice");
  if (codings == 1) {
    if (lower(request.field("transfer-encoding")) != "chunked")
      bad("Of transfer encodings only chunked is known, not " + shown(request.field("transfer-encoding")));
    if (minor_version == 0) bad("HTTP/1.0 has no Transfer-Encoding: send Content-Length");
    request.chunked = true;
  }
  if (lengths == 1) {
    request.length = digitnet::parse_number<std::uint64_t>(request.field("content-length"));
    if (!request.length)
      bad("Content-Length is " + shown(request.field("content-length")) + ", but must be a number of bytes");
  }
}

// The members of a list of words, such as Connection's.
bool lists(std::string_view list, std::string_view wanted) {
  const std::string text = lower(list);
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (trimmed(std::string_view(text).substr(begin, end - begin)) == wanted) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

std::string shown(std::string_view text) {
  constexpr std::size_t most = 64;
  std::string result = "\"";
  for (const char c : text.substr(0, most)) result += is_value_character(c) && c != '\t' ? c : '?';
  if (text.size() > most) {
    // No half of a character is left.
    while (result.size() > 1 && (static_cast<unsigned char>(result.back()) & 0xc0) == 0x80) result.pop_back();
    if (static_cast<unsigned char>(result.back()) >= 0xc0) result.pop_back();
    return result + "...\" (" + std::to_string(text.size()) + " bytes)";
  }
  return result + "\"";
}

std::string_view Request::field(std::string_view name) const {
  for (const auto& [known, value] : fields)
    if (known == name) return value;
  return {};
}

std::optional<std::string> Request::parameter(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const std::string_view part = rest.substr(0, end);
    const std::size_t equals = std::min(part.find('='), part.size());
    if (decoded(part.substr(0, equals), true) == name)
      return decoded(part.substr(std::min(equals + 1, part.size())), true);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return std::nullopt;
}

Request parse_head(std::string_view head) {
  Request request;
  const std::string_view line = next_line(head);
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    bad("The request's first line is " + shown(line) + ", but must be a method, a path and HTTP/1.1");
  request.method = line.substr(0, first);
  if (!is_token(request.method)) bad("The request's method is " + shown(request.method) + ", which is none");
  const int minor_version = parse_version(line.substr(last + 1));
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (target.size() > most_target)
    throw Problem(414, "The request's target has " + std::to_string(target.size()) + " bytes, but " +
                           std::to_string(most_target) + " are read");
  constexpr std::array<std::string_view, 9> methods{"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                    "OPTIONS", "CONNECT", "TRACE", "PATCH"};
  if (std::find(methods.begin(), methods.end(), request.method) == methods.end())
    throw Problem(501, "The request's method " + shown(request.method) + " is not known");
  const std::string authority = parse_target(target, request);

  for (std::string_view field = next_line(head); !field.empty(); field = next_line(head))
    parse_field(field, request);
  const std::size_t hosts = count_of(request, "host");
  if (hosts > 1) bad("The request has " + std::to_string(hosts) + " Host fields, but must have one");
  if (hosts == 0 && minor_version > 0) bad("The request has no Host field, which HTTP/1.1 needs");
  if (!is_authority(request.field("host")))
    bad("Host is " + shown(request.field("host")) + ", which is no name of a server");
  // A target with a name is about that one.
  for (auto& [name, value] : request.fields)
    if (name == "host" && !authority.empty()) value = authority;
  parse_framing(request, minor_version);

  request.keep_alive = minor_version > 0 ? !lists(request.field("connection"), "close")
                                         : lists(request.field("connection"), "keep-alive");
  if (minor_version > 0 && !request.field("expect").empty()) {
    if (lower(request.field("expect")) != "100-continue")
      throw Problem(417, "The request expects " + shown(request.field("expect")) + ", which is not known");
    request.awaits_continue = request.has_body();
  }
  return request;
}

std::size_t ChunkedBody::take(std::string_view bytes, std::string& body, std::size_t most) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !complete_) {
    if (part_ == Part::data) {
      const std::size_t count =
          static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - taken));
      body.append(bytes, taken, count);
      taken += count;
      left_ -= count;
      if (left_ == 0) part_ = Part::data_end;
      continue;
    }
    const char c = bytes[taken++];
    if (line_.ends_with('\r') ? c != '\n' : c != '\r' && !is_value_character(c))
      bad("The body has a chunk whose line does not end as it must, or has a control character");
    line_ += c;
    if (part_ == Part::trailer && ++trailer_bytes_ > most_trailer)
      throw Problem(431, "The fields after the body are more than the " + std::to_string(most_trailer) +
                             " bytes that are read");
    if (part_ == Part::size && line_.size() > most_chunk_line)
      bad("The body has a chunk whose size line is longer than " + std::to_string(most_chunk_line) +
          " bytes");
    if (part_ == Part::data_end && line_.size() > 2) bad("The body has a chunk that is longer than its size");
    if (c != '\n') continue;
    line_.resize(line_.size() - 2);
    end_line();
    line_.clear();
    if (left_ > most - body.size())
      throw Problem(413, "The body is larger than the " + std::to_string(most) + " bytes that are read");
  }
  return taken;
}

void ChunkedBody::end_line() {
  switch (part_) {
    case Part::size: {
      // RFC 9112, section 7.1: a size in hexadecimal digits, and perhaps extensions after a semicolon.
      const char* const end = line_.data() + line_.size();
      const auto [stop, error] = std::from_chars(line_.data(), end, left_, 16);
      const std::string_view rest = trimmed(std::string_view(stop, static_cast<std::size_t>(end - stop)));
      if (error != std::errc() || line_.starts_with('-') || !(rest.empty() || rest.starts_with(';')) ||
          (rest.empty() && stop != end))
        bad("The body has a chunk of size " + shown(line_) + ", but sizes are hexadecimal numbers");
      part_ = left_ == 0 ? Part::trailer : Part::data;
      return;
    }
    case Part::data_end:
      if (!line_.empty()) bad("The body has a chunk that is longer than its size");
      part_ = Part::size;
      return;
    case Part::trailer: {
      if (line_.empty()) {
        complete_ = true;
        return;
      }
      // Checked and not used.
      Request ignored;
      parse_field(line_, ignored);
      return;
    }
    case Part::data:
      return;
  }
}

std::string unpack_gzip(std::string_view packed, std::size_t most) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) throw std::bad_alloc();
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&stream, inflateEnd);
  // zlib's interface knows no const.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string body;
  std::array<char, 16384> piece;
  int code = Z_OK;
  while (code == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    code = inflate(&stream, Z_NO_FLUSH);
    const std::size_t count = piece.size() - stream.avail_out;
    if (count > most - body.size())
      throw Problem(413,
                    "The body is larger than the " + std::to_string(most) + " bytes that are read, unpacked");
    body.append(piece.data(), count);
  }
  if (code != Z_STREAM_END || stream.avail_in != 0)
    bad("The body is not encoded as its header says: it is no whole gzip data");
  return body;
}

bool Response::has(std::string_view name) const {
  return std::any_of(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
}

void Response::set_content(std::string text, const std::string& type) {
  body = std::move(text);
  set("Content-Type", type);
}

void refuse(Response& response, int status, const std::string& message) {
  response.status = status;
  std::erase_if(response.fields, [](const auto& field) { return field.first == "Content-Type"; });
  if (status == 503) response.set("Retry-After", "1");
  using nlohmann::json;
  response.set_content(json{{"error", message}}.dump(-1, ' ', false, json::error_handler_t::replace) + "\n",
                       "application/json");
}

namespace {

const char* reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "";
  }
}

}  // namespace

std::string message_text(const Response& response, bool head_only) {
  std::string text = "HTTP/1.1 " + std::to_string(response.status) + " " + reason(response.status) + "\r\n";
  for (const auto& [name, value] : response.fields) text += name + ": " + value + "\r\n";
  text += "Content-Length: " + std::to_string(response.body.size()) + "\r\n\r\n";
  if (!head_only) text += response.body;
  return text;
}

}  // namespace draw
