// A setting of a layer as Keras' files have it: read, written, and spelled in C++.
#pragma once
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/number_text.hpp"
#include "digitnet/io/cpp_text.hpp"
#include "digitnet/keras/settings.hpp"

namespace digitnet::keras {

/// One setting, under Keras' name, which is also that of the description's attribute.
struct Field {
  enum class Kind { flag, count, whole, number, part, pair, word, range, list };
  /// Where it stands in C++: among the template arguments, among the values in braces, there with its name,
  /// or nowhere.
  enum class Place { argument, value, named, nowhere };
  using Value = Attribute::Value;

  std::string name;
  Kind kind;
  Place place;
  /// What Keras takes where a file does not say it, or else the name of the field whose value it takes;
  /// without both, a file must say it.
  std::optional<Value> usual{};
  std::string like{};
  /// A part is at least `least` and below `most`; a pair's numbers are at least `least`; a range is up to
  /// `most`.
  double least = 0, most = 0;
  /// A word is one of these; none: any
  std::vector<std::string> words{};
  /// Such as "FillMode::", if the words are an enumeration's
  std::string enumeration{};

  static Field flag(std::string name, std::optional<Value> usual = {}, Place place = Place::argument) {
    return {std::move(name), Kind::flag, place, std::move(usual)};
  }
  static Field count(std::string name, std::optional<Value> usual = {}) {
    return {std::move(name), Kind::count, Place::argument, std::move(usual)};
  }
  static Field pair(std::string name, std::optional<Value> usual = {}, std::string like = "") {
    return {.name = std::move(name),
            .kind = Kind::pair,
            .place = Place::argument,
            .usual = std::move(usual),
            .like = std::move(like),
            .least = 1};
  }
  static Field number(std::string name, std::optional<Value> usual = {}, Place place = Place::named) {
    return {std::move(name), Kind::number, place, std::move(usual)};
  }
  static Field part(std::string name, double usual, double below) {
    return {
        .name = std::move(name), .kind = Kind::part, .place = Place::value, .usual = usual, .most = below};
  }
  static Field range(std::string name, double most) {
    return {.name = std::move(name), .kind = Kind::range, .place = Place::value, .most = most};
  }
  static Field word(std::string name, std::string usual, std::vector<std::string> words,
                    std::string enumeration = "", Place place = Place::argument) {
    return {.name = std::move(name),
            .kind = Kind::word,
            .place = place,
            .usual = std::move(usual),
            .words = std::move(words),
            .enumeration = std::move(enumeration)};
  }
  static Field padding() { return word("padding", "valid", {"valid", "same"}); }
  static Field fill_mode() {
    return word("fill_mode", "reflect", {"constant", "nearest", "reflect", "wrap"},
                "FillMode::", Place::value);
  }
  static Field list(std::string name, Place place = Place::nowhere) {
    return {std::move(name), Kind::list, place};
  }

  /// Reads it behind those that are read; a range that is not there is none.
  void read(const detail::Settings& settings, Attributes& attributes) const {
    const char* const key = name.c_str();
    const auto or_usual = [&]<class T>(T otherwise) { return usual ? std::get<T>(*usual) : otherwise; };
    if (!settings.find(key)) {
      if (kind == Kind::range) return;
      if (!like.empty())
        for (const Attribute& other : attributes)
          if (other.name == like) {
            attributes.push_back({name, Value(other.value)});
            return;
          }
      const bool must_be_there =
          !usual && (kind == Kind::flag || kind == Kind::number || kind == Kind::word || kind == Kind::whole);
      if (must_be_there) settings.problem("its configuration has no \"" + name + "\"");
    }
    const auto value = [&]() -> Value {
      switch (kind) {
        case Kind::flag:
          return settings.flag(key, or_usual(false));
        case Kind::count:
          return settings.count(key, usual ? std::optional(std::get<std::int64_t>(*usual)) : std::nullopt);
        case Kind::whole:
          return settings.whole(key, or_usual(std::int64_t{0}));
        case Kind::number:
          return settings.number(key, or_usual(0.0));
        case Kind::part:
          return settings.number_within(key, or_usual(0.0), least, most);
        case Kind::pair:
          using Pair = std::vector<std::int64_t>;
          return settings.pair(key, usual ? std::optional(std::get<Pair>(*usual)) : std::nullopt,
                               static_cast<std::int64_t>(least));
        case Kind::word:
          return settings.word(key, or_usual(std::string()), words);
        case Kind::range:
          return settings.factor(key, most);
        default:
          return settings.axes(key);
      }
    };
    attributes.push_back({name, value()});
  }

  /// Writes a layer's, if it has it.
  void write(const LayerDescription& layer, Json& config) const {
    const Value* const value = find(layer);
    if (!value) return;
    if (const double* const number = std::get_if<double>(value)) {
      const double shortest = detail::short_number(*number);
      config[name] = kind == Kind::range ? Json{-shortest, shortest} : Json(shortest);
    } else {
      std::visit([&](const auto& plain) { config[name] = plain; }, *value);
    }
  }

  /// A layer's as C++; throws an Error for what no C++ can say.
  std::string text(const LayerDescription& layer) const {
    const std::string what = "The layer " + cpp::literal(layer.name) + ": its " + name;
    const auto pair_text = [](const std::vector<std::int64_t>& pair) {
      if (pair[0] == pair[1]) return to_text(pair[0]);
      return "Extent{" + to_text(pair[0]) + ", " + to_text(pair[1]) + "}";
    };
    switch (kind) {
      case Kind::flag:
        return layer.attribute<bool>(name) ? "true" : name == "use_bias" ? "no_bias" : "false";
      case Kind::count:
      case Kind::whole:
        return to_text(layer.attribute<std::int64_t>(name));
      case Kind::pair:
        return pair_text(layer.attribute<std::vector<std::int64_t>>(name, {1, 1}));
      case Kind::word: {
        const auto word = layer.attribute<std::string>(name);
        if (!words.empty()) return enumeration + cpp::enumerator(word, words, what);
        if (enumeration.empty()) return cpp::literal(word);
        if (!cpp::is_identifier(word)) fail(what + " is " + cpp::literal(word) + ", which is no name in C++");
        return enumeration + word;
      }
      case Kind::list: {
        const std::string list = Attribute{"", layer.attribute<std::vector<std::int64_t>>(name)}.value_text();
        return list.substr(1, list.size() - 2);
      }
      default:
        return cpp::float_literal(layer.attribute<double>(name), what);
    }
  }
  /// Whether a layer has what C++ takes where nothing is said.
  bool is_usual(const LayerDescription& layer) const {
    const Value* const value = find(layer);
    if (!value) return false;
    for (const Attribute& other : layer.attributes)
      if (other.name == like) return *value == other.value;
    return usual && *value == *usual;
  }

 private:
  const Value* find(const LayerDescription& layer) const {
    for (const Attribute& attribute : layer.attributes)
      if (attribute.name == name) return &attribute.value;
    return nullptr;
  }
};

}  // namespace digitnet::keras
