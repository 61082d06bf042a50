// Runs gnuplot, and collects the pictures that it draws.
#pragma once
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/core/read_file.hpp"

namespace digitnet {

namespace detail {

/// A folder for files that nobody keeps; it goes with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    path_ = (std::filesystem::temp_directory_path(error) / "digitnet-XXXXXX").string();
    if (error || ::mkdtemp(path_.data()) == nullptr)
      fail("No temporary folder " + path_ + " can be made: " + std::strerror(errno));
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A word for a shell.
inline std::string quoted(const std::string& word) {
  std::string result = "'";
  for (const char c : word) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

// What a command prints, and its exit status.
inline std::pair<std::string, int> output_of(const std::string& command) {
  std::FILE* const pipe = ::popen(command.c_str(), "r");
  if (!pipe) fail("No program can be run: " + std::string(std::strerror(errno)));
  std::string text;
  char piece[512];
  while (const std::size_t size = std::fread(piece, 1, sizeof piece, pipe)) text.append(piece, size);
  const int status = ::pclose(pipe);
  return {text, WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

}  // namespace detail

/// Whether gnuplot can be run (Debian: gnuplot-nox).
inline bool has_gnuplot() { return detail::output_of("gnuplot --version 2>/dev/null").second == 0; }

/// Runs a script that writes files of the given names into the current folder, and gives their bytes. Throws
/// an Error with what gnuplot says.
inline std::vector<std::string> run_gnuplot(const std::string& script,
                                            const std::vector<std::string>& files) {
  const detail::TemporaryFolder folder;
  const std::string path = folder.path() + "/script";
  std::FILE* const file = std::fopen(path.c_str(), "w");
  if (!file || std::fwrite(script.data(), 1, script.size(), file) != script.size() || std::fclose(file) != 0)
    fail(path + " cannot be written: " + std::strerror(errno));
  const auto [said, status] =
      detail::output_of("cd " + detail::quoted(folder.path()) + " && gnuplot script 2>&1");
  if (status != 0) fail("gnuplot failed: " + said);
  std::vector<std::string> contents;
  for (const std::string& name : files) {
    const std::vector<std::byte> bytes = read_file(folder.path() + "/" + name);
    contents.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return contents;
}

}  // namespace digitnet
