// HTTP/1.1 messages (RFC 9112): requests are read strictly, so that nobody before this server can take their
// parts for others, and answers are written.
#pragma once
#include <cstddef>
#include <cstdint>
#include <digitnet/core/error.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace draw {

/// What is wrong with a request, and the status that says so.
class Problem : public digitnet::Error {
 public:
  Problem(int its_status, const std::string& message) : Error(message), status(its_status) {}

  int status;
};

/// A client's own text as a message shows it: its first 64 bytes, without control characters.
std::string shown(std::string_view text);

/// A request without its body.
struct Request {
  std::string method{}, path{}, query{};                      // the path is decoded
  std::vector<std::pair<std::string, std::string>> fields{};  ///< their names in lower case
  bool keep_alive = true;                                     ///< afterwards, if the server wants, too
  bool awaits_continue = false;
  bool chunked = false;                   ///< so the body comes
  std::optional<std::uint64_t> length{};  ///< or so long it is

  bool has_body() const { return chunked || length; }
  /// The value of a header field, named in lower case; empty if there is none.
  std::string_view field(std::string_view name) const;
  /// The value of a parameter of the query.
  std::optional<std::string> parameter(std::string_view name) const;
};

/// Reads a request line and header fields, up to and with the empty line. Throws a Problem with status 400
/// for what RFC 9112 forbids; 414, 431, 501 and 505 for what it allows and this server does not.
Request parse_head(std::string_view head);

/// The body of a request with Transfer-Encoding: chunked, as its bytes come in.
class ChunkedBody {
 public:
  /// Takes bytes; appends what they carry to `body`. Returns how many belong to this request: all, or less
  /// when the body is complete. Throws a Problem for chunks that RFC 9112 forbids, and with status 413 when
  /// the body is more than `most` bytes.
  std::size_t take(std::string_view bytes, std::string& body, std::size_t most);
  bool complete() const { return complete_; }

 private:
  void end_line();

  // Within a size's line, the data, the line end after them, or the trailer fields.
  enum class Part { size, data, data_end, trailer } part_ = Part::size;
  std::string line_{};
  std::uint64_t left_ = 0;
  std::size_t trailer_bytes_ = 0;
  bool complete_ = false;
};

/// Unpacks a gzip body. Throws a Problem if it is none, and with status 413 when it becomes more than `most`
/// bytes.
std::string unpack_gzip(std::string_view packed, std::size_t most);

/// An answer.
struct Response {
  int status = 200;
  bool keep_alive = false;  ///< the connection stays open
  std::vector<std::pair<std::string, std::string>> fields{};
  std::string body{};

  void set(const std::string& name, const std::string& value) { fields.emplace_back(name, value); }
  bool has(std::string_view name) const;
  void set_content(std::string text, const std::string& type);
};

/// Makes an answer of this status: {"error": message}. Status 503 asks to come again.
void refuse(Response& response, int status, const std::string& message);

/// The answer as it is sent; for HEAD without its body.
std::string message_text(const Response& response, bool head_only);

}  // namespace draw
