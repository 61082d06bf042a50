#include "http_server.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <digitnet/core/error.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "connection.hpp"

namespace draw {

using digitnet::fail;

namespace {

// cpp-httplib's handlers know the request, not the connection that it came on.
thread_local Connection* current = nullptr;

std::string error_text(const std::string& message) {
  return nlohmann::json{{"error", message}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

// An answer for when there is no request that cpp-httplib could answer.
std::string bare_answer(int status, const std::string& reason, const std::string& message) {
  const std::string body = error_text(message);
  return "HTTP/1.1 " + std::to_string(status) + " " + reason +
         "\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

bool has_body(const httplib::Request& request) {
  return request.has_header("Content-Length") || request.has_header("Transfer-Encoding");
}

std::string without_port(const std::string& host) {
  const std::size_t colon = host.rfind(':');
  return colon == std::string::npos || host.ends_with(']') ? host : host.substr(0, colon);
}

// What is wrong with the announcement of a body; status 0 if nothing is. A server and a proxy before it that
// disagree about where a request ends can be made to mix up two clients' requests.
std::pair<int, std::string> body_problem(const httplib::Request& request) {
  const std::string length = request.get_header_value("Content-Length");
  const bool chunked = request.has_header("Transfer-Encoding");
  if (!has_body(request))
    return {411, "A " + request.method +
                     " needs Content-Length: send the body's size, or none with Content-Length: 0"};
  if (request.get_header_value_count("Content-Length") > 1 || (chunked && !length.empty()))
    return {400, "The request announces its body's length twice"};
  if (chunked && ::strcasecmp(request.get_header_value("Transfer-Encoding").c_str(), "chunked") != 0)
    return {400, "Of transfer encodings only chunked is known"};
  if (!chunked && (length.empty() || length.size() > 18 ||
                   !std::all_of(length.begin(), length.end(), [](char c) { return c >= '0' && c <= '9'; })))
    return {400, "Content-Length is \"" + length + "\", but must be a number of bytes"};
  return {0, ""};
}

}  // namespace

void refuse(httplib::Response& response, int status, const std::string& message) {
  response.status = status;
  response.set_content(error_text(message), "application/json");
}

HttpServer::HttpServer(const ServerLimits& limits) : limits_(limits) {
  // cpp-httplib refuses sockets beyond FD_SETSIZE.
  if (limits.connections == 0 || limits.connections > 900)
    fail("A server has 1 to 900 connections, but " + std::to_string(limits.connections) + " were asked for");
  stop_event_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (stop_event_ < 0) fail(std::string("No event for the server's end: ") + std::strerror(errno));

  set_payload_max_length(limits.body_bytes);
  const auto without_body = [this](const httplib::Request& request, httplib::Response& response) {
    handle(request, response, nullptr);
  };
  const auto with_body = [this](const httplib::Request& request, httplib::Response& response,
                                const httplib::ContentReader& content) {
    handle(request, response, &content);
  };
  Get(".*", without_body);
  Options(".*", without_body);
  Post(".*", with_body);
  Put(".*", with_body);
  Patch(".*", with_body);
  Delete(".*", with_body);
  set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    if (current->header_too_large())
      refuse(response, 431, "The request's header is too large");
    else if (current->late())
      refuse(response, 408, "The request did not arrive in time");
    else
      refuse(response, response.status, "This is not a request that can be understood");
    current->last = true;
  });
  set_post_routing_handler([](const httplib::Request&, httplib::Response& response) {
    response.headers.erase("Keep-Alive");
    response.headers.erase("Connection");
    if (current->last) response.set_header("Connection", "close");
    // A page of this server loads nothing from elsewhere, and no page from elsewhere may use this server.
    response.set_header("Content-Security-Policy",
                        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("X-Frame-Options", "DENY");
    response.set_header("Referrer-Policy", "no-referrer");
    response.set_header("Cross-Origin-Opener-Policy", "same-origin");
    response.set_header("Cross-Origin-Resource-Policy", "same-origin");
    if (!response.has_header("Cache-Control")) response.set_header("Cache-Control", "no-store");
  });
}

HttpServer::~HttpServer() {
  if (listener_ >= 0) ::close(listener_);
  ::close(stop_event_);
}

void HttpServer::route(const std::string& method, const std::string& path, CallHandler handler) {
  routes_[path][method] = std::move(handler);
}

void HttpServer::handle(const httplib::Request& request, httplib::Response& response,
                        const httplib::ContentReader* content) {
  const auto begin = std::chrono::steady_clock::now();
  const auto path = routes_.find(request.path);
  const auto answer = [&] {
    Call call{request, {}};
    if (!content || (request.method == "DELETE" && !has_body(request))) {
      // Such a body is not read, and would be taken for the next request.
      if (has_body(request)) current->last = true;
    } else {
      if (const auto [status, problem] = body_problem(request); status != 0) {
        current->last = true;
        return refuse(response, status, problem);
      }
      if (request.is_multipart_form_data()) {
        current->last = true;
        return refuse(response, 415, "Forms are not read: send the image or the JSON itself as the body");
      }
      bool too_large = false;
      const bool read = (*content)([&](const char* data, std::size_t size) {
        too_large = call.body.size() + size > limits_.body_bytes;
        if (!too_large) call.body.append(data, size);
        return !too_large;
      });
      if (!read) {
        current->last = true;
        if (too_large || response.status == 413)
          return refuse(
              response, 413,
              "The body is larger than the " + std::to_string(limits_.body_bytes) + " bytes that are read");
        if (current->late()) return refuse(response, 408, "The body did not arrive in time");
        return refuse(response, 400, "The body ends too early or is not encoded as its header says");
      }
    }
    if (const std::string host = request.get_header_value("Host");
        !hosts.empty() && !host.empty() && !hosts.contains(without_port(host)))
      return refuse(response, 403, "This server is not called " + host + ": name it with --host");
    if (path == routes_.end())
      return refuse(response, 404, "There is nothing at " + request.path + ": see /openapi.json");
    const auto handler = path->second.find(request.method == "HEAD" ? "GET" : request.method);
    if (handler == path->second.end()) {
      std::string allowed;
      for (const auto& [method, unused] : path->second)
        allowed += (allowed.empty() ? "" : ", ") + method + (method == "GET" ? ", HEAD" : "");
      response.set_header("Allow", allowed);
      return refuse(response, 405, request.path + " takes " + allowed + ", not " + request.method);
    }
    try {
      handler->second(call, response);
    } catch (const std::bad_alloc&) {
      refuse(response, 503, "There is no memory left for this request");
    } catch (const std::exception& error) {
      refuse(response, 500, error.what());
    }
  };
  response.status = 200;
  answer();
  if (on_answer)
    on_answer({path == routes_.end() ? "other" : path->first, response.status,
               std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()});
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
  const std::string answer =
      bare_answer(503, "Service Unavailable",
                  std::to_string(limits_.connections) + " connections are open, and there are no more");
  [[maybe_unused]] const ssize_t sent =
      ::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(socket, SHUT_WR);
  // What was sent already and is not read would cut off the answer.
  char unread[4096];
  for (int i = 0; i < 16 && ::recv(socket, unread, sizeof unread, MSG_DONTWAIT) > 0; ++i) continue;
  ::close(socket);
}

void HttpServer::converse(int socket) {
  Connection connection(socket, stop_event_);
  current = &connection;
  bool spoken = false;
  while (!connection.last && connection.wait_for_request(limits_.idle)) {
    connection.begin_request(limits_.request, limits_.header_bytes);
    bool closed = false;
    const bool answered = process_request(connection, false, closed, [&](httplib::Request& request) {
      connection.end_header();
      // Its own handling would cut answers into parts.
      request.ranges.clear();
      request.headers.erase("Range");
    });
    if (!answered && connection.silent() && (connection.late() || connection.header_too_large()))
      connection.write(
          connection.late()
              ? bare_answer(408, "Request Timeout", "The request did not arrive in time")
              : bare_answer(431, "Request Header Fields Too Large", "The request's first line is too large"));
    spoken = spoken || !connection.silent();
    if (!connection.flush() || !answered || closed) break;
  }
  if (spoken) connection.finish();
  current = nullptr;
  ::close(socket);
}

void HttpServer::serve() {
  if (listener_ < 0) fail("A server must be bound before it serves");
  pollfd events[2] = {{listener_, POLLIN, 0}, {stop_event_, POLLIN, 0}};
  while (true) {
    if (::poll(events, 2, -1) < 0 && errno != EINTR) fail(std::string("poll: ") + std::strerror(errno));
    if (events[1].revents != 0) break;
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) {
      // Nobody there any more; or no descriptors left, until somebody goes.
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      continue;
    }
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connections_ >= limits_.connections) {
      turn_away(socket);
      continue;
    }
    ++connections_;
    const auto leave = [this] {
      const std::scoped_lock lock(mutex_);
      --connections_;
      closed_.notify_all();
    };
    try {
      std::thread([this, socket, leave] {
        converse(socket);
        leave();
      }).detach();
    } catch (const std::system_error&) {  // no more threads
      leave();
      turn_away(socket);
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
