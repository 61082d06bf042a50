// What the tests share.
#pragma once
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <digitnet/core/error.hpp>
#include <string>
#include <vector>

namespace support {

/// Checks that both ranges have the same length and differ by at most `tolerance` (absolute, relative above
/// 1).
template <class Found, class Wanted>
void check_close(const Found& found, const Wanted& wanted, double tolerance) {
  REQUIRE(std::size(found) == std::size(wanted));
  auto w = std::begin(wanted);
  std::size_t i = 0;
  for (const auto value : found) {
    const double difference = std::abs(static_cast<double>(value) - static_cast<double>(*w));
    CAPTURE(i);
    CHECK_MESSAGE(difference <= tolerance * std::max(1.0, std::abs(static_cast<double>(*w))), value,
                  " but wanted ", *w);
    ++w;
    ++i;
  }
}

/// The text of the Error that `action` throws; fails the test if it throws none.
template <class Action>
std::string error_of(Action action) {
  try {
    action();
  } catch (const digitnet::Error& error) {
    return error.what();
  }
  FAIL("no Error was thrown");
  return {};
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

#define CHECK_ERROR(part, ...)                                              \
  do {                                                                      \
    const std::string error_text = support::error_of([&] { __VA_ARGS__; }); \
    INFO(error_text);                                                       \
    CHECK(support::contains(error_text, part));                             \
  } while (false)

/// A folder of its own for a test, removed with everything in it.
class Folder {
 public:
  Folder() {
    const char* const parent = std::getenv("TMPDIR");
    path_ = std::string(parent ? parent : "/tmp") + "/digitnet-test-XXXXXX";
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
  }
  ~Folder() {
    if (std::system(("chmod -R u+w '" + path_ + "' && rm -rf '" + path_ + "'").c_str()) != 0)
      std::perror("rm");
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  /// The names of the files in it.
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    std::FILE* const list = ::popen(("ls -A '" + path_ + "'").c_str(), "r");
    char line[512];
    while (std::fgets(line, sizeof line, list)) names.emplace_back(line, std::string(line).size() - 1);
    ::pclose(list);
    return names;
  }

 private:
  std::string path_;
};

inline void write_file(const std::string& path, const std::string& bytes) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  REQUIRE(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size());
  std::fclose(file);
}
inline std::string read_file(const std::string& path) {
  std::string bytes;
  std::FILE* const file = std::fopen(path.c_str(), "rb");
  REQUIRE(file != nullptr);
  for (int c; (c = std::fgetc(file)) != EOF;) bytes += static_cast<char>(c);
  std::fclose(file);
  return bytes;
}

}  // namespace support
