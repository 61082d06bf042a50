// Builds the model of a file, layer by layer, with the shapes of their results.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/keras/infer_shapes.hpp"
#include "digitnet/keras/read_layer.hpp"

namespace digitnet::keras::detail {

// Where a layer stands: in which models.
struct Place {
  std::string group, store, path;
  bool trainable = true;
  bool training = false;  // whether it always behaves as in training
  int depth = 0;
};

// The shape of a sample in Keras' [null, 28, 28]; nothing if it is not known.
inline std::optional<Extents> shape_in(const Json& list) {
  if (!list.is_array() || list.size() < 2) return {};
  Extents shape;
  for (std::size_t axis = 1; axis < list.size(); ++axis) {
    const auto extent = whole_number(list[axis]);
    if (!extent || *extent < 1 || *extent > Settings::most) return {};
    shape.push_back(static_cast<std::size_t>(*extent));
  }
  if (!product_of(shape)) return {};
  return shape;
}

class ModelBuilder {
 public:
  explicit ModelBuilder(Problems& problems) : problems_(problems) {}

  FileModel& model() { return model_; }

  // Of the first layer that says it, the outermost model's first.
  void read_input(const Json& list, const std::string& name) {
    if (input_is_read_ || !model_.layers.empty()) return;
    input_is_read_ = true;
    if (const auto shape = shape_in(list))
      results_[0] = model_.input = *shape;
    else
      problems_.layer(
          name, "the input has the shape " + shown(list) + ", but all extents after the first must be known");
  }

  // Adds a layer behind the results `sources`; returns the number of its result.
  std::size_t add(LayerDescription layer, const std::vector<std::size_t>& sources, const Place& place,
                  bool known = true, const std::optional<Extents>& said = {}) {
    // A small file may not take much memory, and half of what reads models compares layers with layers.
    if (model_.layers.size() == 10'000)
      fail("The model has more than 10000 layers, which no model of Keras has");
    std::vector<Extents> given;
    for (const std::size_t source : sources) given.push_back(results_[source]);
    if (said && given.size() == 1 && given.front().empty()) given.front() = *said;
    const LayerEntry* const entry = Registry::find(layer);
    const bool is_own = entry && entry->is_own();
    if (known) infer_shapes(entry, layer, given, problems_);
    results_.push_back(layer.output);
    if (sources != std::vector<std::size_t>{model_.layers.size()}) layer.sources = sources;
    model_.layers.push_back(
        {std::move(layer), place.group, place.store, place.path, place.trainable, is_own});
    return model_.layers.size();
  }

  std::size_t add_all(const Described& layers, std::size_t source, const Settings& settings,
                      const Place& place, const std::optional<Extents>& said) {
    std::size_t result = source;
    for (const LayerDescription& layer : layers) {
      const LayerEntry* const entry = Registry::find(layer);
      if (entry && entry->merge) {
        // Of one result it is that result.
        if (entry->merge->negates_second) settings.problem("it needs two inputs");
        continue;
      }
      result = add(layer, {result}, place, true, result == source ? said : std::nullopt);
    }
    return result;
  }

  // The layers that have several inputs, made of those that exist here.
  std::size_t add_merge(const Described& layers, std::vector<std::size_t> sources, const Settings& settings,
                        const Place& place) {
    LayerDescription merge = layers.empty() ? plain_layer("Identity", settings.name()) : layers.front();
    const LayerEntry* const entry = Registry::find(merge);
    if (!entry || !entry->merge || (entry->merge->negates_second && sources.size() != 2)) {
      settings.problem(
          "it has several inputs, but only Add, Average, Concatenate, Multiply and Subtract of two "
          "may here");
      return add(merge, sources, place, false);
    }
    const MergeRule& rule = *entry->merge;
    merge.class_name = rule.here;
    if (rule.negates_second) sources[1] = add(rescaling(settings.name(), -1, 0), {sources[1]}, place);
    while (rule.by_pairs && sources.size() > 2) {
      const std::size_t product = add(merge, {sources[0], sources[1]}, place);
      sources.erase(sources.begin());
      sources[0] = product;
    }
    const std::size_t result = add(merge, sources, place);
    if (!rule.averages) return result;
    return add(rescaling(settings.name(), 1.0 / static_cast<double>(sources.size()), 0), {result}, place);
  }

  // Every layer must contribute to the result, which is the last one's.
  void check_results_are_used(const std::string& name, std::size_t result) {
    const ModelDescription model = model_.description();
    if (model.layers.empty()) problems_.model(name, "it has no layers that compute anything");
    std::vector<bool> used(model.layers.size() + 1);
    for (std::size_t i = 0; i < model.layers.size(); ++i)
      for (const std::size_t source : model.sources(i)) used[source] = true;
    for (std::size_t i = 1; i <= model.layers.size(); ++i)
      if (!used[i] && i != result)
        problems_.layer(model.layers[i - 1].name, "the model's result does not depend on it");
    if (result > 0 && used[result])
      problems_.layer(model.layers[result - 1].name,
                      "it is the model's output, but other layers use its result too");
  }

 private:
  FileModel model_;
  Problems& problems_;
  std::vector<Extents> results_{{}};  // shapes: of the input and of each layer; empty where it is not known
  bool input_is_read_ = false;
};

}  // namespace digitnet::keras::detail
