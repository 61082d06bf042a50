// Why a file cannot be read: every reason, said at once.
#pragma once
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"

namespace digitnet::keras::detail {

/// Collects what does not exist here, or does not fit.
class Problems {
 public:
  void layer(const std::string& name, const std::string& why) { add("layer \"" + name + "\"", why); }
  void model(const std::string& name, const std::string& why) { add("model \"" + name + "\"", why); }

  bool empty() const { return found_.empty(); }

  /// Throws an Error with all of them, if there are any.
  void fail_if_any() const {
    if (found_.empty()) return;
    if (found_.size() == 1) fail("The " + found_.front().first + " cannot be read: " + found_.front().second);
    std::string text = "The model cannot be read, for " + std::to_string(found_.size()) + " reasons:";
    for (const auto& [what, why] : found_) text += "\n  " + what + ": " + why;
    fail(text);
  }

 private:
  using Problem = std::pair<std::string, std::string>;  // what, why

  void add(std::string what, const std::string& why) {
    Problem problem(std::move(what), why);
    if (known_.insert(problem).second) found_.push_back(std::move(problem));
  }

  std::vector<Problem> found_;
  std::set<Problem> known_;
};

}  // namespace digitnet::keras::detail
