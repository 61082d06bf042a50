// The settings of one layer in Keras' configuration: each is read as the kind it must be, or is a problem.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "digitnet/keras/config.hpp"
#include "digitnet/keras/problems.hpp"

namespace digitnet::keras::detail {

// A setting for a message, not longer than a line.
inline std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

inline std::optional<std::int64_t> whole_number(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return {};
    return static_cast<std::int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  return {};
}

// A number that a float32 can hold.
inline std::optional<double> finite_number(const Json& value) {
  if (!value.is_number()) return {};
  const auto number = value.get<double>();
  if (!std::isfinite(static_cast<float>(number))) return {};
  return number;
}

class Settings {
 public:
  // What an extent, a window or a count of anything may be at most.
  static constexpr std::int64_t most = std::int64_t{1} << 31;

  Settings(const std::string& layer, const Json& config, Problems& problems)
      : layer_(layer), config_(config), problems_(problems) {}

  const std::string& name() const { return layer_; }
  // The same layer with another configuration, which must outlive it.
  Settings with(const Json& config) const { return {layer_, config, problems_}; }
  void problem(const std::string& why) const { problems_.layer(layer_, why); }

  // Null where it is not there or null.
  const Json* find(const char* key) const {
    const auto found = config_.find(key);
    return found == config_.end() || found->is_null() ? nullptr : &*found;
  }
  // Refuses what decides outputs, and is not what it usually is; of a pair of ones, one may stand for both.
  void must_be(const char* key, const Json& usual) const {
    const Json* const value = find(key);
    if (value && *value != usual && !(usual == 1 && *value == Json::array({1, 1})))
      problem(std::string("its ") + key + " is " + shown(*value) + ", but only " + usual.dump() +
              " exists here");
  }

  double number(const char* key, double usual) const {
    const Json* const value = find(key);
    if (!value) return usual;
    if (const auto number = finite_number(*value)) return *number;
    wrong(key, *value, "a number");
    return usual;
  }
  double number_within(const char* key, double usual, double least, double below) const {
    const double value = number(key, usual);
    if (value >= least && value < below) return value;
    problem(std::string("its ") + key + " is " + shown(*find(key)) + ", but must be at least " +
            Attribute{"", least}.value_text() + " and below " + Attribute{"", below}.value_text());
    return usual;
  }
  bool flag(const char* key, bool usual) const {
    const Json* const value = find(key);
    if (!value) return usual;
    if (value->is_boolean()) return value->get<bool>();
    wrong(key, *value, "true or false");
    return usual;
  }
  // Any word, if none are given.
  std::string word(const char* key, const std::string& usual, const std::vector<std::string>& known) const {
    const Json* const value = find(key);
    if (!value) return usual;
    if (known.empty() && value->is_string()) return value->get<std::string>();
    for (const std::string& one : known)
      if (*value == one) return one;
    problem(std::string("its ") + key + " is " + shown(*value) + ", which does not exist here");
    return usual;
  }
  std::int64_t whole(const char* key, std::int64_t usual) const {
    const Json* const value = find(key);
    if (!value) return usual;
    if (const auto number = whole_number(*value)) return *number;
    wrong(key, *value, "a whole number");
    return usual;
  }
  // How many of something there are: at least 1.
  std::int64_t count(const char* key, std::optional<std::int64_t> usual = {}) const {
    const Json* const value = find(key);
    if (value) {
      const auto number = whole_number(*value);
      if (number && *number >= 1 && *number <= most) return *number;
      wrong(key, *value, "a whole number of at least 1");
    } else if (usual) {
      return *usual;
    } else {
      problem(std::string("its configuration has no \"") + key + "\"");
    }
    return 1;
  }
  // A Python tuple may come as a list or as a number.
  std::vector<std::int64_t> pair(const char* key, std::optional<std::vector<std::int64_t>> usual = {},
                                 std::int64_t least = 1) const {
    const Json* const value = find(key);
    if (!value) {
      if (usual) return *usual;
      problem(std::string("its configuration has no \"") + key + "\"");
      return {1, 1};
    }
    const auto in_range = [least](const std::optional<std::int64_t>& n) {
      return n && *n >= least && *n <= most;
    };
    if (const auto number = whole_number(*value); in_range(number)) return {*number, *number};
    if (value->is_array() && value->size() == 2)
      if (const auto first = whole_number((*value)[0]), second = whole_number((*value)[1]);
          in_range(first) && in_range(second))
        return {*first, *second};
    wrong(key, *value, "two whole numbers of at least " + std::to_string(least));
    return {1, 1};
  }
  // Numbers of axes, which may be one number or a list.
  std::vector<std::int64_t> axes(const char* key) const {
    const Json* const value = find(key);
    if (!value) return {-1};
    std::vector<std::int64_t> result;
    for (const Json& one : value->is_array() ? *value : Json::array({*value})) {
      const auto number = whole_number(one);
      if (!number) {
        wrong(key, *value, "the number of an axis");
        return {-1};
      }
      result.push_back(*number);
    }
    return result;
  }
  // A range of random numbers: f, or [-f, f], up to `most_of_it`.
  double factor(const char* key, double most_of_it) const {
    const Json& value = *find(key);
    std::optional<double> number = finite_number(value);
    if (value.is_array() && value.size() == 2) {
      const auto first = finite_number(value[0]), second = finite_number(value[1]);
      if (first && second && *first == -*second) number = second;
    }
    if (number && *number >= 0 && *number <= most_of_it) return *number;
    wrong(key, value, "f or [-f, f] with f from 0 to " + Attribute{"", most_of_it}.value_text());
    return 0;
  }

 private:
  void wrong(const char* key, const Json& value, const std::string& needed) const {
    problem(std::string("its ") + key + " is " + shown(value) + ", but here it must be " + needed);
  }

  const std::string& layer_;
  const Json& config_;
  Problems& problems_;
};

}  // namespace digitnet::keras::detail
