// What an Error says when a file does not fit a model: every difference, at once.
#pragma once
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/core/number_text.hpp"

namespace digitnet::detail {

/// Throws an Error with all differences (of hundreds, the first ones), unless there are none.
inline void fail_of_differences(const std::string& path, const std::vector<std::string>& differences) {
  if (differences.empty()) return;
  std::string text = path + " does not fit the model, which stays as it was:";
  constexpr std::size_t most = 200;
  for (std::size_t i = 0; i < std::min(most, differences.size()); ++i) text += "\n  " + differences[i];
  if (differences.size() > most) text += "\n  and " + to_text(differences.size() - most) + " more";
  fail(text);
}

/// Adds to `differences` where the values of an array are not all finite: which is the first, and how many.
inline void add_non_finite(const std::string& name, const std::vector<std::size_t>& shape,
                           std::span<const float> values, std::vector<std::string>& differences) {
  const auto is_wrong = [](float value) { return !std::isfinite(value); };
  const auto first = std::find_if(values.begin(), values.end(), is_wrong);
  if (first == values.end()) return;
  std::string index;
  auto rest = static_cast<std::size_t>(first - values.begin());
  for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis])
    index = to_text(rest % shape[axis]) + (index.empty() ? "" : ", ") + index;
  const auto count = std::count_if(first, values.end(), is_wrong);
  differences.push_back(name + " [" + index + "] is " + to_text(*first) + " in the file" +
                        (count == 1 ? "" : ", and so are " + to_text(count - 1) + " more of its numbers") +
                        ": weights must be finite; was it saved after a training diverged?");
}

}  // namespace digitnet::detail
