// Which arrays of a group in Keras' .h5 files belong to which layer, by their names. A group holds the arrays
// of a whole nested model, and lists those of its layers that learn before those that do not.
#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "digitnet/keras/config.hpp"

namespace digitnet::keras::detail {

/// An array as a group lists it: "backbone/conv2d_1/kernel:0".
struct ArrayName {
  /// Such as "backbone/conv2d_1" and "kernel"
  std::string prefix, last;

  explicit ArrayName(const std::string& name) {
    const std::size_t slash = name.rfind('/');
    if (slash != std::string::npos) prefix = name.substr(0, slash);
    last = name.substr(slash == std::string::npos ? 0 : slash + 1);
    last = last.substr(0, last.find(':'));
  }
};

/// The numbers of the arrays of each layer.
using ArrayNumbers = std::vector<std::vector<std::size_t>>;

// A layer's arrays in the order of its weights, where their names tell it.
inline void sort_by_names(const LayerDescription& layer, const std::vector<ArrayName>& names,
                          std::vector<std::size_t>& numbers) {
  if (numbers.size() != layer.weights.size()) return;
  std::vector<std::size_t> sorted;
  for (const WeightDescription& weight : layer.weights)
    for (const std::size_t number : numbers) {
      const std::string& name = names[number].last;
      // Keras 2's depthwise kernels have a name of their own.
      if (name == weight.name || (name == "depthwise_kernel" && weight.name == "kernel"))
        sorted.push_back(number);
    }
  if (sorted.size() == numbers.size()) numbers = sorted;
}

// The last `count` names of a path, or nothing if it has fewer.
inline std::optional<std::string_view> end_of(std::string_view path, std::size_t count) {
  std::size_t at = path.size() + 1;
  for (; count > 0; --count) {
    if (at == 0 || at == std::string_view::npos) return {};
    at = at < 2 ? std::string_view::npos : path.rfind('/', at - 2);
    if (at == std::string_view::npos) {
      if (count > 1) return {};
      return path;
    }
    ++at;
  }
  return path.substr(at);
}

// Layers find the arrays whose prefix ends as their path does, those first that share most names.
inline std::optional<ArrayNumbers> numbers_by_paths(const std::vector<const FileLayer*>& layers,
                                                    const std::vector<ArrayName>& names) {
  std::map<std::string, std::vector<std::size_t>> prefixes;
  for (std::size_t i = 0; i < names.size(); ++i) prefixes[names[i].prefix].push_back(i);
  if (prefixes.size() != layers.size()) return {};
  std::size_t depth = 0;
  for (const FileLayer* const layer : layers)
    depth = std::max<std::size_t>(
        depth, 1 + static_cast<std::size_t>(std::count(layer->path.begin(), layer->path.end(), '/')));
  ArrayNumbers result(layers.size());
  std::size_t found = 0;
  for (; depth > 0 && found < layers.size(); --depth) {
    // Ends of paths that one layer and one prefix alone have.
    struct Ends {
      std::size_t layer = 0, layers = 0, prefixes = 0;
      const std::string* prefix = nullptr;
    };
    std::map<std::string, Ends> ends;
    for (std::size_t i = 0; i < layers.size(); ++i)
      if (const auto end = end_of(layers[i]->path, depth); end && result[i].empty()) {
        Ends& here = ends[std::string(*end)];
        here.layer = i;
        ++here.layers;
      }
    for (const auto& [prefix, numbers] : prefixes)
      if (const auto end = end_of(prefix, depth); end && !numbers.empty())
        if (const auto here = ends.find(std::string(*end)); here != ends.end()) {
          here->second.prefix = &prefix;
          ++here->second.prefixes;
        }
    for (const auto& [end, here] : ends)
      if (here.layers == 1 && here.prefixes == 1) {
        std::swap(result[here.layer], prefixes[*here.prefix]);
        ++found;
      }
  }
  if (found < layers.size()) return {};
  return result;
}

// In the order of the group, if each layer has then one prefix of its own.
inline std::optional<ArrayNumbers> numbers_by_order(const std::vector<const FileLayer*>& layers,
                                                    const std::vector<ArrayName>& names) {
  ArrayNumbers result(layers.size());
  for (const FileLayer* const layer : layers)
    if (layer->weights_are_arrays) return {};
  std::size_t next = 0;
  for (const bool learns : {true, false})
    for (std::size_t i = 0; i < layers.size(); ++i)
      for (const WeightDescription& weight : layers[i]->description.weights)
        if ((weight.trainable && layers[i]->trainable) == learns) result[i].push_back(next++);
  if (next != names.size()) return {};
  std::map<std::string, std::size_t> owners;
  for (std::size_t i = 0; i < layers.size(); ++i)
    for (const std::size_t number : result[i])
      if (owners.emplace(names[number].prefix, i).first->second != i) return {};
  if (owners.size() != layers.size()) return {};
  return result;
}

/// Nothing if neither names nor order tell it.
inline std::optional<ArrayNumbers> numbers_of_layers(const std::vector<const FileLayer*>& layers,
                                                     const std::vector<std::string>& array_names) {
  const std::vector<ArrayName> names(array_names.begin(), array_names.end());
  std::optional<ArrayNumbers> result;
  if (layers.size() == 1) {
    result.emplace(1);
    for (std::size_t i = 0; i < names.size(); ++i) result->front().push_back(i);
  } else {
    result = numbers_by_paths(layers, names);
    if (!result) result = numbers_by_order(layers, names);
  }
  if (result)
    for (std::size_t i = 0; i < layers.size(); ++i)
      sort_by_names(layers[i]->description, names, (*result)[i]);
  return result;
}

}  // namespace digitnet::keras::detail
