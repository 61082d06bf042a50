// A client's connection: buffered, and every wait has an end.
#pragma once
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http_message.hpp"
#include "memory_budget.hpp"

namespace draw {

/// Requests and answers over a socket, which it does not close. What takes longer than a request may is given
/// up.
class Connection {
 public:
  Connection(int socket, int stop_event) : socket_(socket), stop_event_(stop_event), input_(16384) {}

  /// Waits for the next request. False: there is none within that time, or the server stops.
  bool wait_for_request(std::chrono::milliseconds idle);
  /// The next request's line and header fields, up to and with the empty line; none if the client leaves
  /// before it says anything. From now on the request and its answer have so much time. Throws a Problem.
  std::optional<std::string> read_head(std::chrono::milliseconds time, std::size_t most);
  /// The request's body, of at most `most` bytes; its memory is leased. Throws a Problem.
  std::string read_body(const Request& request, std::size_t most, MemoryBudget::Lease& memory);
  /// Sends all of it; false if the client does not take it in time.
  bool send(std::string_view text);
  /// After the last answer: tells the client that nothing follows, and waits a moment until it has read that,
  /// instead of cutting off what it still sends and, with it, the answer.
  void finish();

 private:
  bool wait(short events);
  /// Receives bytes if there are none. False: the client sends no more. Throws a Problem if it is late.
  bool receive();
  std::string_view received() const { return {input_.data() + begin_, end_ - begin_}; }

  int socket_, stop_event_;
  std::vector<char> input_;
  std::size_t begin_ = 0, end_ = 0;  // of what was received and not read yet
  bool first_ = true;                // no request was read yet
  std::chrono::steady_clock::time_point deadline_{};
};

}  // namespace draw
