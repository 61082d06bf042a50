// Reads a whole file into memory.
#pragma once
#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "digitnet/core/open_file.hpp"

namespace digitnet {

/// Reads a regular file. Throws an Error that names it and the reason if it cannot be read.
inline std::vector<std::byte> read_file(const std::string& path) {
  InputFile file(path);
  std::vector<std::byte> bytes;
  try {
    bytes.resize(file.size());
  } catch (const std::exception&) {
    fail(path + " has " + std::to_string(file.size()) + " bytes, for which there is no memory");
  }
  if (file.read(bytes.data(), bytes.size()) != bytes.size())
    fail(path + " cannot be read to its end: is it still being written?");
  return bytes;
}

}  // namespace digitnet
