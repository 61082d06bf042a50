// From Keras' configurations of layers, and of operations such as x / 255, to descriptions.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/keras/read_call.hpp"
#include "digitnet/keras/registry.hpp"

namespace digitnet::keras::detail {

// Layers compute in float32 here, as those that Keras mixes with shorter numbers nearly do.
inline void check_number_type(const Settings& settings) {
  const Json* const type = settings.find("dtype");
  if (!type) return;
  std::string name;
  if (type->is_string()) {
    name = type->get<std::string>();
  } else if (type->is_object() && type->contains("config") && (*type)["config"].is_object()) {
    const std::string policy = (*type)["config"].value("name", Json()).is_string()
                                   ? (*type)["config"]["name"].get<std::string>()
                                   : shown(*type);
    const Json kind = type->value("class_name", Json());
    const bool plain = kind == "DTypePolicy" || kind == "FloatDTypePolicy" || kind == "Policy";
    name = plain ? policy : shown(kind) + " " + policy;
  } else {
    name = shown(*type);
  }
  if (name != "float32" && name != "mixed_float16" && name != "mixed_bfloat16")
    settings.problem("it computes in " + name + ", but layers compute in float32 here");
}

inline std::string no_such_layer(const std::string& name) {
  const bool is_own = name.find('>') != std::string::npos;
  return "there is no " + name + " here" +
         (is_own ? ": say what it is, with file_entries and keras::own_layer (docs/files.md)" : "");
}

// A layer of a file: what its entry makes of it, or nothing where there is none; what does not exist of its
// settings is a problem. `name` is the file's, for messages.
inline std::optional<Described> described_layer(const LayerEntry* entry, const std::string& name,
                                                const Settings& settings) {
  check_number_type(settings);
  if (const Json* const format = settings.find("data_format"); format && *format != "channels_last")
    settings.problem("its data_format is " + shown(*format) + ", but digitnet's images are channels_last");
  if (entry) {
    for (const auto& [key, value] : entry->required.items()) settings.must_be(key.c_str(), value);
    if (entry->read) return entry->read(*entry, settings);
    return Described{entry->one(settings)};
  }
  settings.problem(no_such_layer(name));
  return {};
}

// The activation "relu" or {"class_name": ..} as a layer; nothing for "linear", and for what is a problem.
inline Described activation_layer(const Json& activation, const Settings& of, const Registry& registry) {
  std::string word;
  if (activation.is_string()) {
    word = activation.get<std::string>();
  } else if (activation.is_object()) {
    const Json config = activation.value("config", Json());
    const auto class_name = activation.find("class_name");
    // Keras 3's {"class_name": "function", "config": "relu"}
    if (config.is_string()) word = config.get<std::string>();
    // A layer, or Keras 3's {"class_name": "ReLU", "config": {..}}
    if (config.is_object() && class_name != activation.end() && class_name->is_string()) {
      const auto name = class_name->get<std::string>();
      const LayerEntry* const entry = registry.find_in_file(name);
      if (entry && entry->activation && entry->is_of_keras)
        return described_layer(entry, name, of.with(config)).value_or(Described{});
    }
  }
  if (word == "linear") return {};
  if (const LayerEntry* const entry = registry.find_activation(word))
    return {plain_layer(entry->class_name, of.name(), entry->activation->settings)};
  of.problem("its activation " + shown(activation) + " does not exist here");
  return {};
}

// A number and a result: y = scale x + offset, or nothing if it is not of that kind.
inline std::optional<Described> described_line(const LayerEntry* entry, const std::string& name,
                                               const Settings& settings, const Call& call) {
  if (entry && entry->line && call.arguments.size() == 2) {
    const bool is_first = call.arguments[0].layer.empty();
    if (const auto line = entry->line(call.arguments[is_first ? 0 : 1].number, is_first)) {
      if (!entry->makes_fractions && std::all_of(call.arguments.begin(), call.arguments.end(),
                                                 [](const Argument& argument) { return argument.whole; }))
        settings.problem("it computes with whole numbers, which wrap, but here numbers are float32");
      return Described{rescaling(settings.name(), line->first, line->second)};
    }
  }
  settings.problem("there is no " + name + " of such numbers here");
  return {};
}

}  // namespace digitnet::keras::detail
