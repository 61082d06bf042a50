// What is said when a file does not fit a model: every difference, at once.
#pragma once
#include <string>
#include <vector>

#include "digitnet/core/error.hpp"

namespace digitnet::detail {

/// Throws an Error with all differences, unless there are none.
[[gnu::cold]] inline void fail_of_differences(const std::string& path,
                                              const std::vector<std::string>& differences) {
  if (differences.empty()) return;
  std::string text = path + " does not fit the model, which stays as it was:";
  for (const std::string& difference : differences) text += "\n  " + difference;
  fail(text);
}

}  // namespace digitnet::detail
