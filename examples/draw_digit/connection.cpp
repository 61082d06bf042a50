#include "connection.hpp"

#include <arpa/inet.h>
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
    // What has arrived is answered even while the server stops.
    return ready > 0 && (events[0].revents & POLLIN) != 0;
  }
}

void Connection::begin_request(std::chrono::milliseconds time, std::size_t header_bytes) {
  deadline_ = Clock::now() + time;
  header_bytes_left_ = header_bytes;
  late_ = header_too_large_ = false;
  silent_ = true;
}

bool Connection::wait(short events) {
  pollfd event{socket_, events, 0};
  while (true) {
    const int ready = ::poll(&event, 1, milliseconds_until(deadline_));
    if (ready < 0 && errno == EINTR) continue;
    late_ = late_ || ready == 0;
    return ready > 0;
  }
}

ssize_t Connection::read(char* to, size_t size) {
  if (header_bytes_left_ == 0) {
    header_too_large_ = true;
    return -1;
  }
  if (begin_ == end_) {
    if (!output_.empty() && !flush()) return -1;
    ssize_t got = 0;
    do {
      // A client that sends a byte now and then is late as well.
      if (Clock::now() >= deadline_) late_ = true;
      if (late_ || !wait(POLLIN)) return -1;
      got = ::recv(socket_, input_.data(), input_.size(), 0);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (got <= 0) return got;
    begin_ = 0;
    end_ = static_cast<std::size_t>(got);
  }
  const std::size_t count = std::min({size, end_ - begin_, header_bytes_left_});
  std::copy_n(input_.data() + begin_, count, to);
  begin_ += count;
  if (header_bytes_left_ != static_cast<std::size_t>(-1)) header_bytes_left_ -= count;
  return static_cast<ssize_t>(count);
}

// Kept until `flush`, so that head and body of an answer leave together.
ssize_t Connection::write(const char* from, size_t size) {
  silent_ = false;
  output_.append(from, size);
  if (output_.size() > (1u << 20) && !flush()) return -1;
  return static_cast<ssize_t>(size);
}

bool Connection::flush() {
  std::size_t sent = 0;
  while (sent < output_.size()) {
    const ssize_t count =
        ::send(socket_, output_.data() + sent, output_.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0)
      sent += static_cast<std::size_t>(count);
    else if (errno == EAGAIN ? !wait(POLLOUT) : errno != EINTR)
      break;
  }
  const bool all = sent == output_.size();
  output_.clear();
  return all;
}

void Connection::finish() {
  ::shutdown(socket_, SHUT_WR);
  deadline_ = Clock::now() + std::chrono::seconds(1);
  late_ = false;
  while (Clock::now() < deadline_ && wait(POLLIN)) {
    const ssize_t got = ::recv(socket_, input_.data(), input_.size(), 0);
    if (got == 0 || (got < 0 && errno != EINTR)) return;
  }
}

namespace {

template <class GetName>
void address(int socket, const GetName& get_name, std::string& ip, int& port) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (get_name(socket, reinterpret_cast<sockaddr*>(&name), &size) != 0) return;
  char text[INET6_ADDRSTRLEN] = "";
  if (name.ss_family == AF_INET) {
    const auto& four = reinterpret_cast<const sockaddr_in&>(name);
    inet_ntop(AF_INET, &four.sin_addr, text, sizeof text);
    port = ntohs(four.sin_port);
  } else if (name.ss_family == AF_INET6) {
    const auto& six = reinterpret_cast<const sockaddr_in6&>(name);
    inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof text);
    port = ntohs(six.sin6_port);
  }
  ip = text;
}

}  // namespace

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  address(socket_, ::getpeername, ip, port);
}
void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  address(socket_, ::getsockname, ip, port);
}

}  // namespace draw
