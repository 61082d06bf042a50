// What the fuzz targets share. With clang++ -fsanitize=fuzzer,address,undefined each target is a fuzzer; with
// replay.cpp it is a test that reads the files of a corpus.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <digitnet/core/error.hpp>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// A file in memory with these bytes, under a path.
class File {
 public:
  File(const std::uint8_t* data, std::size_t size) : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (descriptor_ < 0 || ::write(descriptor_, data, size) != static_cast<::ssize_t>(size)) std::abort();
  }
  ~File() { ::close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// A reader may throw an Error, and nothing else.
template <class Action>
void errors_only(const Action& action) {
  try {
    action();
  } catch (const digitnet::Error&) {
  }
}

}  // namespace fuzz
