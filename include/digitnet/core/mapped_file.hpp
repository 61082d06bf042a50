// MappedFile: a file as memory, read by the system where it is looked at.
#pragma once
#include <cstddef>
#include <span>
#include <string>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/open_file.hpp"

namespace digitnet {

/// A file, mapped for reading. Whoever shortens it meanwhile ends the process that looks at what is gone
/// (SIGBUS).
class MappedFile {
 public:
  /// Throws an Error if the file cannot be opened or mapped.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {begin_, file_.size()}; }
  /// Whether it is large enough that pages which were looked at, and count as this process' memory, should
  /// not stay.
  bool is_large() const { return file_.size() > (std::size_t{64} << 20); }
  /// Copies some of the bytes without looking at them, so that they do not count: the system may hold a
  /// mebibyte for each byte that is looked at. Throws an Error if they cannot be read.
  void copy(const void* from, std::size_t size, void* to) const;
  /// These bytes are not looked at soon.
  void let_go(std::span<const std::byte> bytes) const;

 private:
  InputFile file_;
  const std::byte* begin_ = nullptr;
};

}  // namespace digitnet

#if DIGITNET_BODIES
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "digitnet/core/error.hpp"

namespace digitnet {

DIGITNET_INLINE MappedFile::MappedFile(const std::string& path) : file_(path) {
  if (file_.size() == 0) return;
  void* const mapped = ::mmap(nullptr, file_.size(), PROT_READ, MAP_SHARED, file_.descriptor(), 0);
  if (mapped == MAP_FAILED) fail(path + " cannot be mapped: " + std::strerror(errno));
  begin_ = static_cast<const std::byte*>(mapped);
}

DIGITNET_INLINE MappedFile::~MappedFile() {
  if (begin_) ::munmap(const_cast<std::byte*>(begin_), file_.size());
}

DIGITNET_INLINE void MappedFile::copy(const void* from, std::size_t size, void* to) const {
  file_.read_at(static_cast<std::size_t>(static_cast<const std::byte*>(from) - begin_), to, size);
}

DIGITNET_INLINE void MappedFile::let_go(std::span<const std::byte> bytes) const {
  // Whole pages.
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
  const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(bytes.data() + bytes.size());
  ::madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
}

}  // namespace digitnet
#endif
