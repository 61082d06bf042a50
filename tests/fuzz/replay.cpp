// Runs a fuzz target over the files of the folders that are given.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "fuzz.hpp"

int main(int argc, char** argv) {
  int files = 0;
  for (int i = 1; i < argc; ++i)
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      std::cout << entry.path().string() << std::endl;
      LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
      // What is cut off, and what has a wrong byte, is read as well.
      for (std::size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 61) {
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), at);
        std::string changed = bytes;
        changed[at] = static_cast<char>(~changed[at]);
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(changed.data()), changed.size());
      }
      ++files;
    }
  std::cout << files << " files\n";
  return files > 0 ? 0 : 1;
}
