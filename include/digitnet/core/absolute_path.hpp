// Absolute paths, which name the same file after the process has changed its working folder.
#pragma once
#include <unistd.h>

#include <climits>
#include <string>

#include "digitnet/core/language.hpp"

namespace digitnet {

/// The working folder with a slash behind it; nothing where it has no name any more.
inline std::string working_folder() {
  char folder[PATH_MAX];
  return ::getcwd(folder, sizeof folder) ? std::string(folder) + "/" : std::string();
}

/// The path from the root; an empty path stays empty.
inline std::string absolute_path(const std::string& path) {
  return path.empty() || path[0] == '/' ? path : working_folder() + path;
}

}  // namespace digitnet
