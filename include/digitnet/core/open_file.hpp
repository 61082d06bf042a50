// Opens files to read them. Only regular files are opened, so that nothing waits for a FIFO or a device.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

#include "digitnet/core/error.hpp"

namespace digitnet {

namespace detail {

/// "a folder", "a device", ...; nothing for a regular file.
inline const char* kind_of_file(::mode_t mode) {
  if (S_ISREG(mode)) return nullptr;
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace detail

/// Whether there is anything of that name. Throws an Error if that cannot be known: a folder that may not be
/// searched is not one without the file.
inline bool file_exists(const std::string& path) {
  struct ::stat status {};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno != ENOENT && errno != ENOTDIR) fail(path + " cannot be opened: " + std::strerror(errno));
  return false;
}

/// A regular file that is open for reading. Throws an Error that names the path and the reason if it cannot
/// be opened, or is a folder, a FIFO, a socket or a device; opening never waits.
class InputFile {
 public:
  explicit InputFile(const std::string& path) : path_(path) {
    struct ::stat status {};
    // First by its name: to open a device may already do something.
    if (::stat(path_.c_str(), &status) != 0) fail_with("cannot be opened");
    check_kind(status.st_mode);
    descriptor_ = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (descriptor_ < 0) fail_with("cannot be opened");
    // Then what was opened: the name may have got another file meanwhile.
    if (::fstat(descriptor_, &status) != 0) fail_with("cannot be opened");
    check_kind(status.st_mode);
    size_ = static_cast<std::size_t>(status.st_size);
  }
  ~InputFile() { close(); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  /// Its bytes when it was opened.
  std::size_t size() const { return size_; }
  int descriptor() const { return descriptor_; }
  /// Hands the descriptor over: the caller closes it.
  int release() { return std::exchange(descriptor_, -1); }

  /// Reads `size` bytes from `place` on, for any thread. Throws an Error unless they are there.
  void read_at(std::size_t place, void* to, std::size_t size) const {
    for (std::size_t done = 0; done < size;) {
      const ::ssize_t got = ::pread(descriptor_, static_cast<char*>(to) + done, size - done,
                                    static_cast<::off_t>(place + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail(path_ + " cannot be read: " + std::strerror(errno));
      if (got == 0)
        fail(path_ + " has become shorter since it was opened: it must stay as it is while it is in use");
      done += static_cast<std::size_t>(got);
    }
  }
  /// Reads up to `size` bytes; fewer only at the file's end.
  std::size_t read(void* to, std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
      const ::ssize_t got = ::read(descriptor_, static_cast<char*>(to) + done, size - done);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail_with("cannot be read");
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

 private:
  void check_kind(::mode_t mode) {
    if (const char* const kind = detail::kind_of_file(mode)) {
      close();
      fail(path_ + " is not a file, but " + kind);
    }
  }
  [[noreturn]] void fail_with(const char* what) {
    const std::string reason = std::strerror(errno);
    close();
    fail(path_ + " " + what + ": " + reason);
  }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

  std::string path_;
  std::size_t size_ = 0;
  int descriptor_ = -1;
};

}  // namespace digitnet
