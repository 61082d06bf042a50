// Files that appear whole or not at all: written under a temporary name, synced to the disk, then renamed.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "digitnet/core/error.hpp"
#include "digitnet/core/open_file.hpp"

namespace digitnet {

/// A file that replaces `path` when `commit` is called; without that, nothing of it stays. As with `cp`,
/// symbolic links are followed, a file that is replaced keeps its mode (and its owner, where that is
/// allowed), and one that may not be written is not replaced; folders, devices, FIFOs and sockets are
/// refused. Every failure throws an Error that names the path and the reason.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path) : path_(std::move(path)) {
    look_at_what_is_there();
#ifdef O_TMPFILE
    // Without a name as long as it is not whole: a process that is killed leaves nothing behind.
    if (::access("/proc/self/fd", X_OK) == 0)  // where it gets its name
      descriptor_ = ::open(folder().c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor_ >= 0) {
      keep_mode();
      return;
    }
#endif
    temporary_ = path_ + ".XXXXXX";
    descriptor_ = ::mkstemp(temporary_.data());
    if (descriptor_ < 0) {
      temporary_.clear();
      fail_with("cannot be written");
    }
    const mode_t mask = ::umask(0);
    ::umask(mask);
    ::fchmod(descriptor_, 0666 & ~mask);  // what a file that was opened directly would have
    keep_mode();
  }
  ~AtomicFile() { discard(); }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t size) {
    const char* from = static_cast<const char*>(data);
    while (size > 0) {
      const ::ssize_t written = ::write(descriptor_, from, size);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail_with("cannot be written");
      from += written;
      size -= static_cast<std::size_t>(written);
    }
  }
  /// Makes the file appear under its name.
  void commit() {
    if (::fsync(descriptor_) != 0) fail_with("cannot be written");
    if (temporary_.empty()) give_name();
    if (::close(std::exchange(descriptor_, -1)) != 0) fail_with("cannot be written");
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with("cannot be written");
    temporary_.clear();
    // The new name is only certain to survive a crash once the folder is synced; not every file system can.
    if (const int directory = ::open(folder().c_str(), O_RDONLY | O_DIRECTORY); directory >= 0) {
      ::fsync(directory);
      ::close(directory);
    }
  }

 private:
  // Refuses what must not be replaced, and makes `path_` the file itself, not a link to it.
  void look_at_what_is_there() {
    struct ::stat status {};
    if (::lstat(path_.c_str(), &status) != 0) {
      if (errno != ENOENT || path_.empty() || path_.back() == '/') fail_with("cannot be written");
      return;
    }
    if (S_ISLNK(status.st_mode)) {
      if (::stat(path_.c_str(), &status) != 0) fail_with("is a symbolic link that leads nowhere");
      if (S_ISREG(status.st_mode)) {
        char* const target = ::realpath(path_.c_str(), nullptr);
        if (!target) fail_with("cannot be written");
        path_ = target;
        std::free(target);
      }
    }
    if (const char* const kind = detail::kind_of_file(status.st_mode))
      fail(path_ + " cannot be written: it is not a file, but " + kind);
    if (::faccessat(AT_FDCWD, path_.c_str(), W_OK, AT_EACCESS) != 0) fail_with("cannot be written");
    replaced_ = status;
    replaces_ = true;
  }
  void keep_mode() {
    if (!replaces_) return;
    // A mode's special bits are for its owner and group alone.
    const bool same_owner = ::fchown(descriptor_, replaced_.st_uid, replaced_.st_gid) == 0;
    if (::fchmod(descriptor_, replaced_.st_mode & (same_owner ? 07777 : 0777)) != 0)
      fail_with("cannot be written with the mode that it has");
  }
  [[noreturn]] void fail_with(const char* what) {
    const std::string reason = std::strerror(errno);
    discard();
    fail(std::string(path_).append(" ").append(what).append(": ").append(reason));
  }
  std::string folder() const {
    const std::size_t slash = path_.rfind('/');
    return slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  }
  void give_name() {
    const std::string open_file = "/proc/self/fd/" + std::to_string(descriptor_);
    for (int attempt = 0; attempt < 100; ++attempt) {
      temporary_ = path_ + "." + std::to_string(::getpid()) + "-" + std::to_string(attempt);
      if (::linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW) == 0) return;
      if (errno != EEXIST) break;
    }
    temporary_.clear();
    fail_with("cannot be written");
  }
  void discard() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
    temporary_.clear();
  }

  std::string path_;
  std::string temporary_{};
  struct ::stat replaced_ {};
  bool replaces_ = false;
  int descriptor_ = -1;
};

}  // namespace digitnet
