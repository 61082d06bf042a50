// Reads files of strangers in a child process with limits of memory, time and open files: a fault of any
// library ends in an Error, and the program lives on.
#pragma once
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/core/sanitizers.hpp"

namespace digitnet {

/// What a child process may use, beyond what its parent has when it begins.
struct ChildLimits {
  /// Bytes of memory
  std::size_t memory = std::size_t{64} << 20;
  /// Seconds of processor time, and of time on the clock
  double seconds = 60;
  /// Files that are open at once; none can be written
  int files = 8;
  /// Bytes that the child may hand back
  std::size_t result = std::size_t{1} << 32;
};

/// Limits for reading a model's file: 64 MiB and four times the file's size, beside `result_size` bytes that
/// are handed back.
inline ChildLimits limits_for_file(const std::string& path, std::size_t result_size) {
  struct ::stat status {};
  const std::size_t size = ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode)
                               ? static_cast<std::size_t>(status.st_size)
                               : 0;
  // A file with holes may claim more than the machine has.
  const auto machine =
      static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  ChildLimits limits;
  limits.memory += std::min(4 * std::min(size, machine), machine) + 4 * result_size;
  limits.seconds += static_cast<double>(size) * 1e-7;
  limits.result = result_size;
  return limits;
}

namespace detail {

template <class Resource>
void limit(Resource what, std::uint64_t most) {
  struct ::rlimit now {};
  ::getrlimit(what, &now);
  const ::rlim_t value = std::min<::rlim_t>(most, now.rlim_max);
  now = {value, value};
  ::setrlimit(what, &now);
}

inline void set_limits(const ChildLimits& limits) {
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_CPU, static_cast<std::uint64_t>(limits.seconds) + 1);
  // Those that the parent has open stay so.
  const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (next >= 0) {
    limit(RLIMIT_NOFILE, static_cast<std::uint64_t>(next) + static_cast<std::uint64_t>(limits.files));
    ::close(next);
  }
#ifndef DIGITNET_SANITIZED  // they take address space without end
  unsigned long pages = 0;
  if (std::FILE* const file = std::fopen("/proc/self/statm", "r")) {
    char text[32] = {};
    const std::size_t size = std::fread(text, 1, sizeof text - 1, file);
    std::fclose(file);
    const std::string_view words(text, size);
    pages = parse_number<unsigned long>(words.substr(0, words.find(' '))).value_or(0);
  }
  if (pages > 0)
    limit(RLIMIT_AS,
          std::uint64_t{pages} * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) + limits.memory);
#endif
}

inline constexpr std::size_t longest_sentence = 1 << 16;

// All of it, unless the other end is gone.
inline void send(int to, const void* data, std::size_t size) {
  const char* from = static_cast<const char*>(data);
  while (size > 0) {
    const ::ssize_t sent = ::write(to, from, size);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) ::_exit(3);
    from += sent;
    size -= static_cast<std::size_t>(sent);
  }
}

// What the child does: a letter for how it went, then the bytes.
template <class Work>
[[noreturn]] void run_child(int to, const ChildLimits& limits, const Work& work) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGXCPU, SIGTERM, SIGINT})
    std::signal(signal, SIG_DFL);  // the parent's handlers are not for it
  std::signal(SIGXFSZ, SIG_IGN);   // what is written fails
  set_limits(limits);
  try {
    const std::vector<std::byte> result = work();
    send(to, "+", 1);
    send(to, result.data(), result.size());
  } catch (const std::bad_alloc&) {
    send(to, "m", 1);
  } catch (const std::exception& error) {
    send(to, "-", 1);
    send(to, error.what(), std::min(std::strlen(error.what()), longest_sentence));
  }
  ::_exit(0);  // nothing of the parent's is to be flushed or destroyed
}

}  // namespace detail

/// Runs `work`, which returns bytes (std::vector<std::byte>), in a child process and returns what it
/// returned. Its exceptions come back as an Error of the same sentence; if it crashes, or goes beyond the
/// limits, an Error says so that begins with `what` ("a.h5"). Of what the child hands back only its size is
/// limited: check it. Call it before the program starts threads of its own where that is possible.
template <class Work>
std::vector<std::byte> read_in_child(const std::string& what, const ChildLimits& limits, const Work& work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail(what + " cannot be read: no pipe: " + std::strerror(errno));
  const ::pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    detail::run_child(ends[1], limits, work);
  }
  ::close(ends[1]);
  if (child < 0) {
    const std::string reason = std::strerror(errno);
    ::close(ends[0]);
    fail(what + " cannot be read: no process: " + reason);
  }
  std::vector<std::byte> bytes;
  char kind = 0;
  std::string problem;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(limits.seconds);
  while (problem.empty()) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    ::pollfd ready{ends[0], POLLIN, 0};
    const int found = left <= 0 ? 0 : ::poll(&ready, 1, static_cast<int>(std::min<long>(left, 1000)));
    if (found < 0 && errno != EINTR) problem = std::strerror(errno);
    if (left <= 0) problem = "it took longer than " + to_text(limits.seconds, 4) + " seconds";
    if (found <= 0) continue;
    std::byte part[65536];
    const ::ssize_t got = ::read(ends[0], part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    std::span<const std::byte> rest(part, static_cast<std::size_t>(got));
    if (kind == 0) {
      kind = static_cast<char>(rest.front());
      rest = rest.subspan(1);
    }
    const std::size_t most = kind == '+' ? limits.result : detail::longest_sentence;
    if (bytes.size() + rest.size() > most)
      problem = "what it handed back has more bytes than the " + to_text(most) + " that are allowed";
    else
      bytes.insert(bytes.end(), rest.begin(), rest.end());
  }
  ::close(ends[0]);
  if (!problem.empty()) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const std::string begin = what + " cannot be read: the process that read it ";
  if (!problem.empty()) fail(begin + "was ended: " + problem);
  if (WIFSIGNALED(status))
    fail(begin +
         (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL ? "was ended: it went beyond its limits"
                                                                     : "crashed") +
         " (" + ::strsignal(WTERMSIG(status)) + "): is the file damaged?");
  if (kind == 'm')
    fail(begin + "found no memory within " + to_text(limits.memory >> 20) + " MiB: is the file damaged?");
  if (kind == '-') {
    std::string sentence(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    // Names of the file may stand in it, which a terminal shall not obey.
    for (char& c : sentence)
      if ((static_cast<unsigned char>(c) < ' ' && c != '\n') || c == 127) c = '?';
    fail(sentence);
  }
  if (kind != '+' || !WIFEXITED(status) || WEXITSTATUS(status) != 0) fail(begin + "ended early");
  return bytes;
}

/// Fills `values` with what `load` (a function of a std::span<float>) makes of them in a child process,
/// within limits for the file at `path`; nothing changes if it fails. See read_in_child.
template <class Load>
void load_in_child(const std::string& path, std::span<float> values, const Load& load) {
  const std::vector<std::byte> bytes = read_in_child(path, limits_for_file(path, values.size_bytes()), [&] {
    load(values);  // the child's copy
    const auto loaded = std::as_bytes(values);
    return std::vector<std::byte>(loaded.begin(), loaded.end());
  });
  if (bytes.size() != values.size_bytes())
    fail(path + " cannot be read: other parameters came back than were asked for");
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
}

}  // namespace digitnet
