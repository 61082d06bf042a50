// Orders of a description's layers: the one in which Keras lists a model's layers, which also tells whether
// two descriptions are the same graph.
#pragma once
#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/inspect/description.hpp"
#include "digitnet/layers/merge.hpp"

namespace digitnet {

/// For layers of which each has sources (as in LayerDescription, never empty): the numbers of the layers
/// (from 0), the furthest from the result first, and those equally far as a walk from the result meets them
/// (Keras' map_graph).
inline std::vector<std::size_t> keras_order(const std::vector<std::vector<std::size_t>>& sources) {
  const std::size_t count = sources.size();
  std::vector<std::size_t> depth(count + 1), met(count + 1, count + 1);
  for (std::size_t i = count; i > 0; --i)
    for (const std::size_t source : sources[i - 1]) depth[source] = std::max(depth[source], depth[i] + 1);
  std::size_t next = 0;
  const std::function<void(std::size_t)> walk = [&](std::size_t layer) {
    if (layer == 0 || met[layer] <= count) return;
    met[layer] = next++;
    for (const std::size_t source : sources[layer - 1]) walk(source);
  };
  walk(count);
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return depth[a + 1] != depth[b + 1] ? depth[a + 1] > depth[b + 1] : met[a + 1] < met[b + 1];
  });
  return order;
}

namespace detail {

// Merges whose sources may change places.
inline constexpr std::string_view symmetric_merges[] = {Add::class_name, Multiply::class_name};

/// A text for each result that is the same for results which the same kinds of layers make. Sources that may
/// change places, as those of Add and Multiply, are put into an order that does not depend on how they were
/// given.
inline void sort_sources(const ModelDescription& model, std::vector<std::vector<std::size_t>>& sources) {
  std::vector<std::string> texts{""};
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const LayerDescription& layer = model.layers[i];
    if (std::find(std::begin(symmetric_merges), std::end(symmetric_merges), layer.class_name) !=
        std::end(symmetric_merges))
      std::stable_sort(sources[i].begin(), sources[i].end(),
                       [&](std::size_t a, std::size_t b) { return texts[a] < texts[b]; });
    // A hash stands for what led here, so that texts stay short.
    std::string text = layer.class_name;
    for (const WeightDescription& weight : layer.weights) text += shape_text(weight.shape);
    for (const std::size_t source : sources[i])
      text += " " + std::to_string(std::hash<std::string>{}(texts[source]));
    texts.push_back(std::move(text));
  }
}

}  // namespace detail

/// The layers of a description in Keras' order, each with its sources written out.
struct OrderedDescription {
  /// The layers, by their numbers in the description, from 0
  std::vector<std::size_t> order;
  /// What each of them reads, as places in this order, from 1; 0 is the input
  std::vector<std::vector<std::size_t>> sources;
};
inline OrderedDescription in_keras_order(const ModelDescription& model) {
  std::vector<std::vector<std::size_t>> sources;
  for (std::size_t i = 0; i < model.layers.size(); ++i) sources.push_back(model.sources(i));
  detail::sort_sources(model, sources);
  OrderedDescription result{.order = keras_order(sources), .sources = {}};
  std::vector<std::size_t> place(sources.size() + 1);
  for (std::size_t i = 0; i < result.order.size(); ++i) place[result.order[i] + 1] = i + 1;
  for (const std::size_t layer : result.order) {
    result.sources.push_back(sources[layer]);
    for (std::size_t& source : result.sources.back()) source = place[source];
  }
  return result;
}

}  // namespace digitnet
