// What a callback must remember when a training stops and goes on: numbers, texts and arrays under names.
#pragma once
#include <concepts>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/core/number_text.hpp"

namespace digitnet {

/// Filled by Callback::save_state and read by Callback::load_state. What is read is exactly what was written.
class CallbackState {
 public:
  struct Array {
    std::string name;
    std::vector<float> values;
  };

  template <class Number>
  requires std::integral<Number> || std::floating_point<Number>
  void set(const std::string& name, Number value) { texts_[name] = to_text(value); }
  void set(const std::string& name, std::string text) { texts_[name] = std::move(text); }
  void set(const std::string& name, std::span<const float> values) {
    for (Array& array : arrays_)
      if (array.name == name) return array.values.assign(values.begin(), values.end());
    arrays_.push_back({name, {values.begin(), values.end()}});
  }

  /// Throws an Error if there is no such number, or none of this type.
  template <class Number>
  Number number(const std::string& name) const {
    const auto value = parse_number<Number>(text(name));
    if (!value) fail("A callback's \"" + name + "\" is \"" + text(name) + "\", which is no such number");
    return *value;
  }
  /// Throws an Error if there is none.
  const std::string& text(const std::string& name) const {
    const auto found = texts_.find(name);
    if (found == texts_.end()) fail("A callback's state has no \"" + name + "\"");
    return found->second;
  }
  /// Nothing if there is no such array.
  std::span<const float> values(const std::string& name) const {
    for (const Array& array : arrays_)
      if (array.name == name) return array.values;
    return {};
  }

  bool empty() const { return texts_.empty() && arrays_.empty(); }
  const std::map<std::string, std::string>& texts() const { return texts_; }
  const std::vector<Array>& arrays() const { return arrays_; }

 private:
  std::map<std::string, std::string> texts_;
  std::vector<Array> arrays_;
};

/// The state of one of several callbacks.
struct NamedCallbackState {
  std::string name;
  CallbackState state;
};

}  // namespace digitnet
