// An HTTP server with limits on all that clients may make it hold.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "http_message.hpp"
#include "memory_budget.hpp"

namespace draw {

class Connection;

/// What clients may ask for. Who asks for more is told so, in JSON.
struct ServerLimits {
  std::size_t connections = 256;              ///< open at once; the next one gets status 503
  std::size_t address_connections = 128;      ///< of these, from one address; of IPv6, from one /64
  std::size_t body_bytes = 4u << 20;          ///< unpacked; 413
  std::size_t header_bytes = 16u << 10;       ///< with the request line; 431
  std::size_t memory_bytes = 256u << 20;      ///< of all requests together; 503
  std::chrono::milliseconds request{10'000};  ///< from a request's first byte to its answer's last; 408
  std::chrono::milliseconds idle{5'000};      ///< between requests
};

/// A request whose body has been read. The handler leases the memory that it needs for it.
struct Call {
  const Request& request;
  std::string body;
  MemoryBudget::Lease& memory;
};
using CallHandler = std::function<void(const Call&, Response&)>;

/// What is told about an answer. The route is the path that was routed, or "other".
struct Answered {
  std::string route;
  int status;
  double seconds;
};

/// Serves HTTP/1.1 with a thread for each connection. Everything but `stop` and the counts belongs to one
/// thread.
class HttpServer {
 public:
  explicit HttpServer(const ServerLimits& limits);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Sets what answers a method and path, before `serve`. GET answers HEAD too.
  void route(const std::string& method, const std::string& path, CallHandler handler);
  /// The names that requests may call this server by, without port; empty: any. A page from elsewhere whose
  /// name was made to point here (DNS rebinding) is refused by them.
  std::set<std::string> hosts{};
  /// Called, in the connection's thread, for every answer to a request whose header was understood.
  std::function<void(const Answered&)> on_answer{};

  /// Listens at a host and port; port 0 takes a free one. Returns the port. Throws an Error that says what
  /// is wrong.
  int bind(const std::string& host, int port);
  /// Serves until `stop`; then answers the requests that have begun to arrive, and returns.
  void serve();
  /// Callable from any thread and from a signal handler.
  void stop();

  std::size_t connections() const { return connections_; }
  /// What requests have leased now.
  std::size_t request_memory() const { return memory_.used(); }

 private:
  struct Client {
    int socket;
    std::string address;
  };
  using Handlers = std::map<std::string, CallHandler>;

  void welcome(Client client, bool draining);
  bool enter(const std::string& address, bool draining);
  void leave(const std::string& address) noexcept;
  void converse(const Client& client) noexcept;
  bool answer_next(Connection& connection, const std::string& address);
  void answer(const Request& request, Connection& connection, MemoryBudget::Lease& memory,
              Response& response);
  const CallHandler& handler_of(const Request& request, Response& response) const;
  void turn_away(int socket) const;

  ServerLimits limits_;
  MemoryBudget memory_;
  std::map<std::string, Handlers> routes_{};
  int listener_ = -1, stop_event_ = -1;
  std::atomic<std::size_t> connections_ = 0;
  std::map<std::string, std::size_t> connections_of_{};
  std::mutex mutex_{};
  std::condition_variable closed_{};
};

}  // namespace draw
