#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <digitnet/core/atomic_file.hpp>
#include <digitnet/core/read_file.hpp>
#include <digitnet/io/read_in_child.hpp>
#include <new>
#include <numeric>

#include "support/support.hpp"

using namespace digitnet;

namespace {

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* const begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}
// Nobody may be left behind.
void check_no_child() {
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

}  // namespace

TEST_CASE("a child hands back bytes, or its error's sentence") {
  CHECK(read_in_child("it", {}, [] { return bytes_of("some bytes"); }) == bytes_of("some bytes"));
  CHECK(read_in_child("it", {}, [] { return std::vector<std::byte>(); }).empty());
  const std::string large(10'000'000, 'x');
  CHECK(read_in_child("it", {}, [&] { return bytes_of(large); }) == bytes_of(large));
  CHECK_ERROR("this is wrong",
              read_in_child("it", {}, []() -> std::vector<std::byte> { fail("this is wrong"); }));
  check_no_child();

  std::vector<float> values(1000);
  load_in_child("it", values, [](std::span<float> to) { std::iota(to.begin(), to.end(), 0.f); });
  CHECK(values[999] == 999);
  CHECK_ERROR("half", load_in_child("it", values, [](std::span<float> to) {
                to[0] = 7;
                fail("half of it");
              }));
  CHECK(values[0] == 0);
}

TEST_CASE("whatever happens to a child ends in a sentence that names the file") {
  for (const int signal : {SIGSEGV, SIGABRT, SIGKILL, SIGFPE}) {
    CAPTURE(signal);
    CHECK_ERROR("a.h5 cannot be read: the process that read it ", read_in_child("a.h5", {}, [&] {
                  std::signal(signal, SIG_DFL);
                  ::raise(signal);
                  return std::vector<std::byte>();
                }));
  }
  CHECK_ERROR("ended early", read_in_child("a.h5", {}, []() -> std::vector<std::byte> { ::_exit(7); }));
  CHECK_ERROR("took longer than 0.2 seconds", read_in_child("a.h5", {.seconds = 0.2}, [] {
                ::pause();
                return std::vector<std::byte>();
              }));
  CHECK_ERROR("took longer than 0.2 seconds", read_in_child("a.h5", {.seconds = 0.2}, [] {
                const auto begin = std::chrono::steady_clock::now();
                while (std::chrono::steady_clock::now() >= begin) {
                }
                return std::vector<std::byte>();
              }));
  CHECK_ERROR("more bytes than the 100 that are allowed",
              read_in_child("a.h5", {.result = 100}, [] { return std::vector<std::byte>(101); }));
  const std::string sentence = support::error_of([] {
    read_in_child("a.h5", {},
                  []() -> std::vector<std::byte> { fail("\x1b[2J" + std::string(1'000'000, 'x')); });
  });
  CHECK(sentence.starts_with("?[2Jxxx"));
  CHECK(sentence.size() == 65536);
  check_no_child();
}

TEST_CASE("a child has its limits of memory and files") {
#ifndef DIGITNET_SANITIZED
  CHECK_ERROR("no memory within 64 MiB", read_in_child("a.h5", {}, [] {
                return std::vector<std::byte>(std::size_t{1} << 28, std::byte{1});
              }));
#endif
  CHECK(read_in_child("a.h5", {}, [] { return std::vector<std::byte>(20 << 20, std::byte{1}); }).size() ==
        20 << 20);
  const support::Folder folder;
  CHECK_ERROR("written cannot be written: File too large", read_in_child("a.h5", {}, [&] {
                AtomicFile(folder / "written").write("x", 1);
                return std::vector<std::byte>();
              }));
#ifndef DIGITNET_SANITIZED  // the sanitizers open files to look at memory
  CHECK_ERROR("Too many open files", read_in_child("a.h5", {.files = 3}, []() -> std::vector<std::byte> {
                for (int i = 0; i < 10; ++i)
                  if (::open("/dev/null", O_RDONLY) < 0) fail(std::strerror(errno));
                return {};
              }));
#endif
  // Four times the file, and no more for one that only claims to be large.
  support::write_file(folder / "file", std::string(1000, 'x'));
  CHECK(limits_for_file(folder / "file", 10).memory == (std::size_t{64} << 20) + 4000 + 40);
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK_ERROR("not a file, but a FIFO", read_in_child("fifo", limits_for_file(folder / "fifo", 0),
                                                      [&] { return digitnet::read_file(folder / "fifo"); }));
}
