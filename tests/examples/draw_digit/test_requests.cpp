// How requests are read, part by part; requests.mjs and limits.mjs ask the whole server.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "digit_image.hpp"
#include "http_message.hpp"
#include "json_limits.hpp"
#include "memory_budget.hpp"
#include "predict_json.hpp"

using namespace draw;

namespace {

/// The status of the Problem that an action throws; 0 if it throws none.
template <class Action>
int status_of(const Action& action) {
  try {
    action();
  } catch (const Problem& problem) {
    return problem.status;
  }
  return 0;
}

std::string body_of(std::string_view chunks, std::size_t piece, std::size_t& taken) {
  ChunkedBody body;
  std::string result;
  taken = 0;
  while (!body.complete() && taken < chunks.size())
    taken += body.take(chunks.substr(taken, piece), result, 100);
  CHECK(body.complete());
  return result;
}

}  // namespace

TEST_CASE("a request's head is read") {
  const Request request = parse_head(
      "POST /a%20b?x=1&y=a%2Bb+c HTTP/1.1\r\nHOST: localhost:80\r\nContent-Length: 0012\r\nX:\t y z "
      "\r\n\r\n");
  CHECK(request.method == "POST");
  CHECK(request.path == "/a b");
  CHECK(request.parameter("x") == "1");
  CHECK(request.parameter("y") == "a+b c");
  CHECK(!request.parameter("z"));
  CHECK(request.field("host") == "localhost:80");
  CHECK(request.field("x") == "y z");
  CHECK(request.length == 12);
  CHECK(request.keep_alive);
  CHECK(!parse_head("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n").keep_alive);
  CHECK(!parse_head("GET / HTTP/1.0\r\n\r\n").keep_alive);
  CHECK(parse_head("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keep_alive);
  CHECK(parse_head("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n").field("host") == "[::1]:8080");
  for (const char* const wrong : {"", "\r\n", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n",
                                  "GET / HTTP/1.1\r\nHost: a\r\nHost : a\r\n\r\n"})
    CHECK(status_of([&] { parse_head(wrong); }) == 400);
}

TEST_CASE("chunks are the same in whatever pieces they come, and end where they end") {
  const std::string chunks = "5;a=\"b\"\r\nhello\r\n1 ;x\r\n,\r\nA\r\n0123456789\r\n00\r\nX: y\r\n\r\n";
  const std::string text = chunks + "GET / HTTP/1.1\r\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    std::size_t taken = 0;
    CHECK(body_of(text, piece, taken) == "hello,0123456789");
    CHECK(taken == chunks.size());
  }
  const auto status = [](std::string_view bytes) {
    return status_of([&] {
      ChunkedBody body;
      std::string result;
      body.take(bytes, result, 100);
    });
  };
  for (const char* const wrong : {"\r\n", "g\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", "1 \r\n", "1\n", "1\rx",
                                  "1\r\nab\r\n", "1\r\na\n", "10000000000000000\r\n", "0\r\nX : y\r\n"})
    CHECK(status(wrong) == 400);
  CHECK(status("65\r\n") == 413);
  CHECK(status("64\r\n") == 0);
  CHECK(status("ffffffffffffffff\r\n") == 413);
  CHECK(status(std::string(300, '0')) == 400);
}

TEST_CASE("JSON is measured before it is read") {
  const JsonLimits limits{.depth = 3, .elements = 10, .word_bytes = 8};
  const auto status = [&](std::string_view text) {
    return status_of([&] { check_json_limits(text, limits); });
  };
  CHECK(status("[[[1, 2], {\"a]]]]\": \"\\\"[[[[\"}], 3]") == 0);
  CHECK(status("[[[[") == 400);
  CHECK(status("]]]][[[[") == 400);
  CHECK(status("[1,2,3,4,5,6,7,8,9,10]") == 0);
  CHECK(status("[[],[],[],[],[],[]]") == 400);
  CHECK(status("\"1234567\"") == 400);
  CHECK(status("[123456789") == 400);
  CHECK(status("\"1234\\") == 0);
  CHECK(status("") == 0);
}

TEST_CASE("only finite numbers become JSON, and none beyond JSON's own come from it") {
  const float good[] = {0.5f, 1e-7f};
  CHECK(predict_response(good, 2, false) == "{\"predictions\": [[0.5, 1e-07]]}\n");
  for (const float value : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    const float bad[] = {0.5f, value};
    CHECK_THROWS_AS(predict_response(bad, 2, false), digitnet::Error);
  }
  for (const char* const number : {"NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e39", "nan"})
    CHECK_THROWS_AS(parse_predict_request("{\"instances\": [[0, " + std::string(number) + "]]}"),
                    digitnet::Error);
}

TEST_CASE("a message shows little of a client's text") {
  CHECK(shown("abc") == "\"abc\"");
  CHECK(shown("a\r\n\t\x01"
              "b") == "\"a????b\"");
  const std::string text = shown(std::string(63, 'a') + "\xc3\xa9" + std::string(1000, 'b'));
  CHECK(text == "\"" + std::string(63, 'a') + "...\" (1065 bytes)");
}

TEST_CASE("a picture's size is known before it is decoded") {
  CHECK(pixels_of_image("P5 20 30 255\n") == 600);
  const std::string png("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\0\2", 24);
  CHECK(pixels_of_image(png) == 512);
  CHECK_THROWS_AS(pixels_of_image(png.substr(0, 23)), digitnet::Error);
  std::string large = png;
  large[16] = large[20] = '\xff';
  CHECK_THROWS_AS(pixels_of_image(large), digitnet::Error);
}

TEST_CASE("an address gets half of the memory, and all of them no more than there is") {
  MemoryBudget budget(100);
  const std::chrono::milliseconds soon(1);
  MemoryBudget::Lease first(budget, "a"), second(budget, "a"), third(budget, "b"), fourth(budget, "c");
  first.take(30, soon);
  second.take(20, soon);
  CHECK(status_of([&] { second.take(1, soon); }) == 503);
  third.take(50, soon);
  CHECK(status_of([&] { fourth.take(1, soon); }) == 503);
  first.give_back();
  fourth.take(30, soon);
  CHECK(budget.used() == 100);
  CHECK(status_of([&] { fourth.take(static_cast<std::size_t>(-1), soon); }) == 503);
}
