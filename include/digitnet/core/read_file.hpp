// A whole file as bytes.
#pragma once
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "digitnet/core/error.hpp"

namespace digitnet {

/// Reads a file. Throws an Error that names it if it cannot be read.
[[gnu::cold]] inline std::vector<std::byte> read_file(const std::string& path) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rb"));
  if (!file) fail(path + " cannot be read: " + std::strerror(errno));
  struct ::stat status {};
  if (::fstat(::fileno(file.get()), &status) != 0 || !S_ISREG(status.st_mode)) fail(path + " is not a file");
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  if (std::fread(bytes.data(), 1, bytes.size(), file.get()) != bytes.size())
    fail(path + " cannot be read to its end: is it still being written?");
  return bytes;
}

}  // namespace digitnet
