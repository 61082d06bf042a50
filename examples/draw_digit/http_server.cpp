#include "http_server.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "connection.hpp"

namespace draw {

using digitnet::fail;

namespace {

std::string without_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  return std::string(colon == std::string_view::npos || host.ends_with(']') ? host : host.substr(0, colon));
}

// Who is counted as one: an IPv4 address, or the /64 of an IPv6 address, which one household has.
std::string address_of(const sockaddr_storage& name) {
  char text[INET6_ADDRSTRLEN] = "";
  if (name.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(name).sin_addr, text, sizeof text);
  } else if (name.ss_family == AF_INET6) {
    in6_addr six = reinterpret_cast<const sockaddr_in6&>(name).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&six)) {
      ::inet_ntop(AF_INET, &six.s6_addr[12], text, sizeof text);
    } else {
      std::memset(&six.s6_addr[8], 0, 8);
      ::inet_ntop(AF_INET6, &six, text, sizeof text);
    }
  }
  return text;
}

// Runs the function in a thread of its own, whose stack is no larger than it needs. False: there are no more
// threads.
bool start_thread(std::unique_ptr<std::function<void()>> function) {
  constexpr std::size_t stack_bytes = std::size_t{1} << 20;
  pthread_attr_t attributes;
  if (::pthread_attr_init(&attributes) != 0) return false;
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  ::pthread_attr_setstacksize(&attributes, stack_bytes);
  pthread_t thread;
  const int error = ::pthread_create(
      &thread, &attributes,
      [](void* given) -> void* {
        const std::unique_ptr<std::function<void()>> run(static_cast<std::function<void()>*>(given));
        (*run)();
        return nullptr;
      },
      function.get());
  ::pthread_attr_destroy(&attributes);
  if (error != 0) return false;
  // It is the thread's now.
  [[maybe_unused]] const auto* const given = function.release();
  return true;
}

// For when there is no memory for another one.
constexpr std::string_view out_of_memory =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
    "Content-Type: application/json\r\nContent-Length: 53\r\n\r\n"
    "{\"error\": \"There is no memory left for this request\"}";
static_assert(out_of_memory.size() - out_of_memory.find('{') == 53);

// What a page of this server may do: load nothing from elsewhere, and be used by no page from elsewhere.
void add_security(Response& response) {
  response.set("Content-Security-Policy",
               "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
               "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("X-Frame-Options", "DENY");
  response.set("Referrer-Policy", "no-referrer");
  response.set("Cross-Origin-Opener-Policy", "same-origin");
  response.set("Cross-Origin-Resource-Policy", "same-origin");
  if (!response.has("Cache-Control")) response.set("Cache-Control", "no-store");
}

}  // namespace

HttpServer::HttpServer(const ServerLimits& limits) : limits_(limits), memory_(limits.memory_bytes) {
  if (limits.connections == 0) fail("A server has at least one connection, but 0 were asked for");
  stop_event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_event_ < 0) fail(std::string("No event for the server's end: ") + std::strerror(errno));
}

HttpServer::~HttpServer() {
  if (listener_ >= 0) ::close(listener_);
  ::close(stop_event_);
}

void HttpServer::route(const std::string& method, const std::string& path, CallHandler handler) {
  routes_[path][method] = std::move(handler);
}

const CallHandler& HttpServer::handler_of(const Request& request, Response& response) const {
  if (const std::string host = without_port(request.field("host"));
      !hosts.empty() && !host.empty() && !hosts.contains(host))
    throw Problem(403, "This server is not called " + shown(host) + ": name it with --host");
  const auto path = routes_.find(request.path);
  if (path == routes_.end())
    throw Problem(404, "There is nothing at " + shown(request.path) + ": see /openapi.json");
  const auto handler = path->second.find(request.method == "HEAD" ? "GET" : request.method);
  if (handler != path->second.end()) return handler->second;
  std::string allowed;
  for (const auto& [method, unused] : path->second)
    allowed += (allowed.empty() ? "" : ", ") + method + (method == "GET" ? ", HEAD" : "");
  response.set("Allow", allowed);
  throw Problem(405, shown(request.path) + " takes " + allowed + ", not " + request.method);
}

void HttpServer::answer(const Request& request, Connection& connection, MemoryBudget::Lease& memory,
                        Response& response) {
  const CallHandler& handler = handler_of(request, response);
  Call call{request, {}, memory};
  // A GET's body is not read.
  if (request.method == "POST" || request.method == "PUT" || request.method == "PATCH") {
    if (!request.has_body())
      throw Problem(411, "A " + request.method +
                             " needs Content-Length: send the body's size, or none with Content-Length: 0");
    if (request.field("content-type").starts_with("multipart/"))
      throw Problem(415, "Forms are not read: send the image or the JSON itself as the body");
    call.body = connection.read_body(request, limits_.body_bytes, memory);
    response.keep_alive = request.keep_alive;
  } else {
    response.keep_alive = request.keep_alive && !request.has_body();
  }
  handler(call, response);
}

bool HttpServer::answer_next(Connection& connection, const std::string& address) {
  const auto begin = std::chrono::steady_clock::now();
  Request request;
  Response response;
  MemoryBudget::Lease memory(memory_, address);
  bool understood = false;
  // Where the connection cannot be sure that it has read the whole request, it ends.
  response.keep_alive = false;
  try {
    const auto head = connection.read_head(limits_.request, limits_.header_bytes);
    if (!head) return false;
    request = parse_head(*head);
    understood = true;
    if (!request.has_body()) response.keep_alive = request.keep_alive;
    answer(request, connection, memory, response);
  } catch (const Problem& problem) {
    refuse(response, problem.status, problem.what());
  } catch (const std::bad_alloc&) {
    memory.give_back();
    refuse(response, 503, "There is no memory left for this request");
  } catch (const std::exception& error) {
    refuse(response, 500, error.what());
  }
  if (understood && on_answer)
    on_answer({routes_.contains(request.path) ? request.path : "other", response.status,
               std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()});
  response.set("Connection", response.keep_alive ? "keep-alive" : "close");
  add_security(response);
  return connection.send(message_text(response, request.method == "HEAD")) && response.keep_alive;
}

void HttpServer::converse(const Client& client) noexcept {
  try {
    Connection connection(client.socket, stop_event_);
    bool spoken = false;
    try {
      while (connection.wait_for_request(limits_.idle)) {
        spoken = true;
        if (!answer_next(connection, client.address)) break;
      }
    } catch (const std::bad_alloc&) {
      connection.send(out_of_memory);
    }
    if (spoken) connection.finish();
  } catch (...) {
    // Whatever went wrong, this client has gone; the others are served.
  }
  ::close(client.socket);
}

int HttpServer::bind(const std::string& host, int port) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0)
    fail(host + " is not an address to serve at: " + ::gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  listener_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (listener_ < 0 || ::bind(listener_, found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(listener_, SOMAXCONN) != 0)
    fail(host + ":" + std::to_string(port) + " cannot be served at: " + std::strerror(errno) +
         (errno == EADDRINUSE ? "; end the program that uses it or choose another --port" : ""));
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&name), &size);
  return ntohs(name.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(name).sin6_port
                                          : reinterpret_cast<sockaddr_in&>(name).sin_port);
}

void HttpServer::turn_away(int socket) const {
  Response response;
  refuse(response, 503,
         "So many connections are open that there is none for this one: come again in a moment");
  response.set("Connection", "close");
  const std::string text = message_text(response, false);
  [[maybe_unused]] const ssize_t sent = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(socket, SHUT_WR);
  // What was sent already and is not read would cut off the answer.
  char unread[4096];
  for (int i = 0; i < 16 && ::recv(socket, unread, sizeof unread, MSG_DONTWAIT) > 0; ++i) continue;
}

bool HttpServer::enter(const std::string& address, bool draining) {
  std::unique_lock lock(mutex_);
  // Who had come before the end is not turned away by those who are about to go.
  if (draining)
    closed_.wait_for(lock, limits_.request, [this] { return connections_ < limits_.connections; });
  if (connections_ >= limits_.connections) return false;
  std::size_t& own = connections_of_[address];
  if (!draining && own >= limits_.address_connections) return false;
  ++own;
  ++connections_;
  return true;
}

void HttpServer::leave(const std::string& address) noexcept {
  const std::scoped_lock lock(mutex_);
  const auto own = connections_of_.find(address);
  if (--own->second == 0) connections_of_.erase(own);
  --connections_;
  closed_.notify_all();
}

// Takes the client's socket, whatever happens.
void HttpServer::welcome(Client client, bool draining) {
  const int socket = client.socket;
  bool entered = false;
  const std::string address = client.address;
  try {
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    entered = enter(address, draining);
    if (entered && start_thread(std::make_unique<std::function<void()>>([this, client = std::move(client)] {
          converse(client);
          leave(client.address);
        })))
      return;
    turn_away(socket);
  } catch (const std::bad_alloc&) {
    // There is not even memory to say so.
  }
  if (entered) leave(address);
  ::close(socket);
}

void HttpServer::serve() {
  if (listener_ < 0) fail("A server must be bound before it serves");
  pollfd events[2] = {{listener_, POLLIN, 0}, {stop_event_, POLLIN, 0}};
  bool draining = false;
  std::chrono::steady_clock::time_point end{};  // of draining
  while (!draining || std::chrono::steady_clock::now() < end) {
    if (!draining) {
      if (::poll(events, 2, -1) < 0 && errno != EINTR) fail(std::string("poll: ") + std::strerror(errno));
      if (events[1].revents != 0) {
        // What lies in the queue of connections is answered, too.
        draining = true;
        end = std::chrono::steady_clock::now() + limits_.request;
      }
    }
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    const int socket = ::accept4(listener_, reinterpret_cast<sockaddr*>(&name), &size, SOCK_CLOEXEC);
    if (socket >= 0) {
      welcome({socket, address_of(name)}, draining);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // No descriptors are left, until somebody goes.
      ::poll(nullptr, 0, 20);
    } else if (draining && errno != EINTR && errno != ECONNABORTED) {
      break;
    }
  }
  ::close(std::exchange(listener_, -1));
  std::unique_lock lock(mutex_);
  closed_.wait(lock, [this] { return connections_ == 0; });
}

void HttpServer::stop() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(stop_event_, &one, sizeof one);
}

}  // namespace draw
