// An HTTP server with limits: cpp-httplib reads and writes the messages, this guards the connections.
#pragma once
#include <httplib.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace draw {

/// What a client may ask for. Who asks for more is told so, in JSON.
struct ServerLimits {
  std::size_t connections = 256;              ///< open at once; the next one gets status 503
  std::size_t body_bytes = 4u << 20;          ///< unpacked; 413
  std::size_t header_bytes = 16u << 10;       ///< with the request line; 431
  std::chrono::milliseconds request{10'000};  ///< from a request's first byte to its answer's last; 408
  std::chrono::milliseconds idle{5'000};      ///< between requests
};

/// A request whose body has been read.
struct Call {
  const httplib::Request& request;
  std::string body;
};
using CallHandler = std::function<void(const Call&, httplib::Response&)>;

/// What is told about an answer. The route is the path that was routed, or "other".
struct Answered {
  std::string route;
  int status;
  double seconds;
};

/// Makes an answer of this status: {"error": message}.
void refuse(httplib::Response& response, int status, const std::string& message);

/// Serves HTTP/1.1 with a thread for each connection. Everything but `stop` and the counts belongs to one
/// thread.
class HttpServer : private httplib::Server {
 public:
  explicit HttpServer(const ServerLimits& limits);
  ~HttpServer() override;

  /// Sets what answers a method and path, before `serve`. GET answers HEAD too.
  void route(const std::string& method, const std::string& path, CallHandler handler);
  /// The names that requests may call this server by, without port; empty: any. A page from elsewhere whose
  /// name was made to point here (DNS rebinding) is refused by them.
  std::set<std::string> hosts{};
  /// Called, in the connection's thread, for every answer.
  std::function<void(const Answered&)> on_answer{};

  /// Listens at a host and port; port 0 takes a free one. Returns the port. Throws an Error that says what
  /// is wrong.
  int bind(const std::string& host, int port);
  /// Serves until `stop`; then answers the requests that have begun to arrive, and returns.
  void serve();
  /// Callable from any thread and from a signal handler.
  void stop();

  std::size_t connections() const { return connections_; }

 private:
  void handle(const httplib::Request& request, httplib::Response& response,
              const httplib::ContentReader* content);
  void converse(int socket);
  void turn_away(int socket) const;

  ServerLimits limits_;
  std::map<std::string, std::map<std::string, CallHandler>> routes_{};
  int listener_ = -1, stop_event_ = -1;
  std::atomic<std::size_t> connections_ = 0;
  std::mutex mutex_{};
  std::condition_variable closed_{};
};

}  // namespace draw
