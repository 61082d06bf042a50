// A lock between processes: who holds it works alone on a file or folder, and the others are told so.
#pragma once
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "digitnet/core/error.hpp"

namespace digitnet {

/// Holds `path`, a small file that only marks the lock, from its construction to its end; then the file is
/// gone again. The system frees the lock of a process that was killed: the file that it leaves stops nobody.
/// Objects of one process exclude each other as well. Throws an Error that begins with `what` ("The
/// checkpoint a.ckpt") if another one holds the lock, and one that names the path if the file cannot be made.
class FileLock {
 public:
  FileLock(std::string path, const std::string& what) : path_(std::move(path)) {
    // Its holder removes the file, perhaps between our opening and our locking it: then a new one is made.
    do {
      close();
      descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
      if (descriptor_ < 0) fail(path_ + " cannot be made to lock it: " + std::strerror(errno));
      if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        const std::string holder = read_holder();
        close();
        fail(what + " is in use by another process" + holder + ": wait for its end, or choose another path");
      }
    } while (!is_at_path());
    const std::string holder = std::to_string(::getpid()) + "\n";
    if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, holder.data(), holder.size(), 0) < 0) {
      // The number is for people only.
    }
  }
  ~FileLock() { release(); }
  FileLock(FileLock&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

 private:
  bool is_at_path() const {
    struct ::stat ours {
    }, there{};
    return ::fstat(descriptor_, &ours) == 0 && ::lstat(path_.c_str(), &there) == 0 &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
  }
  // " (1234)", or nothing.
  std::string read_holder() const {
    char text[16];
    const ::ssize_t size = ::pread(descriptor_, text, sizeof text, 0);
    std::string number(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    number = number.substr(0, number.find_first_not_of("0123456789"));
    return number.empty() ? "" : " (" + number + ")";
  }
  void release() {
    if (descriptor_ >= 0) ::unlink(path_.c_str());  // before the lock goes, so that it is ours that we remove
    close();
  }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

  std::string path_;
  int descriptor_ = -1;
};

}  // namespace digitnet
