#include "connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace draw {

namespace {

using Clock = std::chrono::steady_clock;

int milliseconds_until(Clock::time_point time) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(time - Clock::now()).count();
  return static_cast<int>(std::max<long>(0, left));
}

}  // namespace

bool Connection::wait_for_request(std::chrono::milliseconds idle) {
  const Clock::time_point end = Clock::now() + idle;
  if (begin_ < end_) return true;
  pollfd events[2] = {{socket_, POLLIN, 0}, {stop_event_, POLLIN, 0}};
  while (true) {
    const int ready = ::poll(events, 2, milliseconds_until(end));
    if (ready < 0 && errno == EINTR) continue;
    // What has arrived is answered even while the server stops, and who has just come gets a moment.
    if (ready <= 0 || (events[0].revents & POLLIN) != 0) return ready > 0;
    if (!first_) return false;
    return ::poll(events, 1, 200) > 0 && (events[0].revents & POLLIN) != 0;
  }
}

bool Connection::wait(short events) {
  pollfd event{socket_, events, 0};
  while (true) {
    const int ready = ::poll(&event, 1, milliseconds_until(deadline_));
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0;
  }
}

bool Connection::receive() {
  // A client that sends a byte now and then is late as well.
  while (begin_ == end_) {
    if (Clock::now() >= deadline_ || !wait(POLLIN)) throw Problem(408, "The request did not arrive in time");
    const ssize_t got = ::recv(socket_, input_.data(), input_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) return false;
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<std::string> Connection::read_head(std::chrono::milliseconds time, std::size_t most) {
  deadline_ = Clock::now() + time;
  std::string head;
  bool first_line = true;
  while (true) {
    if (!receive()) {
      if (head.empty()) return std::nullopt;
      throw Problem(400, "The request ends within its header");
    }
    first_ = false;
    const std::string_view bytes = received();
    const std::size_t line_end = bytes.find('\n');
    const std::size_t count = line_end == std::string_view::npos ? bytes.size() : line_end + 1;
    if (count > most - head.size())
      throw first_line ? Problem(414, "The request's first line is too large")
                       : Problem(431, "The request's header is larger than the " + std::to_string(most) +
                                          " bytes that are read");
    head.append(bytes, 0, count);
    begin_ += count;
    if (line_end == std::string_view::npos) continue;
    if (!head.ends_with("\r\n"))
      throw Problem(400, "A line of the request's header ends without a carriage return");
    // RFC 9112, section 2.2: empty lines before a request are passed over.
    if (head == "\r\n") {
      head.clear();
      most -= 2;
      continue;
    }
    first_line = false;
    if (head.ends_with("\r\n\r\n")) return head;
  }
}

std::string Connection::read_body(const Request& request, std::size_t most, MemoryBudget::Lease& memory) {
  const auto too_large = [&] {
    return Problem(413, "The body is larger than the " + std::to_string(most) + " bytes that are read");
  };
  if (request.length.value_or(0) > most) throw too_large();
  const std::string_view coding = request.field("content-encoding");
  if (!coding.empty() && coding != "gzip" && coding != "identity")
    throw Problem(415, "The body is encoded as " + shown(coding) + ", but only gzip is read");
  std::string body;
  std::size_t leased = 0;
  // A text that grows holds its old bytes and twice as many new ones for a moment.
  const auto lease = [&](std::size_t wanted) {
    if (wanted <= leased) return;
    const std::size_t more = std::max<std::size_t>(wanted, std::min(2 * leased, most)) - leased;
    memory.take(request.chunked ? 3 * more : more);
    leased += more;
  };
  if (request.length) {
    lease(*request.length);
    body.reserve(*request.length);
  }
  if (request.awaits_continue && !send("HTTP/1.1 100 Continue\r\n\r\n"))
    throw Problem(408, "The client does not read");
  ChunkedBody chunks;
  while (request.chunked ? !chunks.complete() : body.size() < request.length.value_or(0)) {
    if (!receive()) throw Problem(400, "The body ends too early");
    std::string_view bytes = received();
    if (request.chunked) {
      lease(std::max<std::size_t>(65536, body.size() + bytes.size()));
      begin_ += chunks.take(bytes, body, most);
    } else {
      bytes = bytes.substr(0, *request.length - body.size());
      body += bytes;
      begin_ += bytes.size();
    }
  }
  if (coding != "gzip") return body;
  // Unpacked it is as large as deflate can make it, and no larger than may be.
  memory.take(3 * std::min(most, 1032 * body.size()));
  return unpack_gzip(body, most);
}

bool Connection::send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0)
      text.remove_prefix(static_cast<std::size_t>(count));
    else if (errno == EAGAIN ? Clock::now() >= deadline_ || !wait(POLLOUT) : errno != EINTR)
      return false;
  }
  return true;
}

void Connection::finish() {
  ::shutdown(socket_, SHUT_WR);
  deadline_ = Clock::now() + std::chrono::seconds(1);
  while (Clock::now() < deadline_ && wait(POLLIN)) {
    const ssize_t got = ::recv(socket_, input_.data(), input_.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) return;
  }
}

}  // namespace draw
