// A client's connection as cpp-httplib reads and writes it: buffered, and every wait has an end.
#pragma once
#include <httplib.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace draw {

/// A stream over a socket, which it does not close. Reading and writing fail, and say why, when the request
/// takes too long or its header is too large.
class Connection : public httplib::Stream {
 public:
  Connection(int socket, int stop_event) : socket_(socket), stop_event_(stop_event), input_(16384) {}

  /// Waits for the next request. False: there is none within that time, or the server stops.
  bool wait_for_request(std::chrono::milliseconds idle);
  /// Begins a request: from now on, so much time and so many bytes of header.
  void begin_request(std::chrono::milliseconds time, std::size_t header_bytes);
  /// The header is complete.
  void end_header() { header_bytes_left_ = static_cast<std::size_t>(-1); }
  /// Sends what was written; false if the client does not take it in time.
  bool flush();
  /// After the last answer: tells the client that nothing follows, and waits a moment until it has read that,
  /// instead of cutting off what it still sends and, with it, the answer.
  void finish();

  bool late() const { return late_; }
  bool header_too_large() const { return header_too_large_; }
  /// Nothing was written yet since the request began.
  bool silent() const { return silent_; }
  /// Whether the connection ends after this answer.
  bool last = false;

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, size_t size) override;
  ssize_t write(const char* from, size_t size) override;
  using httplib::Stream::write;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  bool wait(short events);

  int socket_, stop_event_;
  std::vector<char> input_;
  std::size_t begin_ = 0, end_ = 0;  // of what was received and not read yet
  std::string output_{};
  std::chrono::steady_clock::time_point deadline_{};
  std::size_t header_bytes_left_ = static_cast<std::size_t>(-1);
  bool late_ = false, header_too_large_ = false, silent_ = true;
};

}  // namespace draw
