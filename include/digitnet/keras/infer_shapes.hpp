// The shape that a file's layer makes of those it gets, and the shapes of its weights, as its entry says.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "digitnet/keras/registry.hpp"

namespace digitnet::keras::detail {

// Fills in one layer's shapes and weights. What does not go together is a problem, and the layer's output is
// then unknown: empty.
inline void infer_shapes(const LayerEntry* entry, LayerDescription& layer, const std::vector<Extents>& given,
                         Problems& problems) {
  const auto problem = [&](const std::string& why) { problems.layer(layer.name, why); };
  // An axis decides whether a layer exists here, and is then the last one.
  const auto axis = std::find_if(layer.attributes.begin(), layer.attributes.end(),
                                 [](const Attribute& a) { return a.name == "axis"; });
  std::optional<std::vector<std::int64_t>> axes;
  if (axis != layer.attributes.end() && !(entry && entry->is_own())) {
    axes = std::get<std::vector<std::int64_t>>(axis->value);
    layer.attributes.erase(axis);
  }
  if (std::any_of(given.begin(), given.end(), [](const Extents& shape) { return shape.empty(); })) return;
  layer.input = given.front();
  if (axes && *axes != std::vector<std::int64_t>{-1} &&
      *axes != std::vector<std::int64_t>{static_cast<std::int64_t>(layer.input.size())}) {
    problem("its axis is " +
            (axes->size() == 1 ? std::to_string(axes->front()) : Attribute{"", *axes}.value_text()) +
            ", but only the last one of " + shape_text(layer.input) + " exists here");
    return;
  }
  ShapeReader shapes(layer, given, problems);
  layer.output = entry && entry->output ? entry->output(shapes) : layer.input;
  if (!layer.output.empty() && !product_of(layer.output)) {
    problem("its result " + shape_text(layer.output) + " is too large");
    layer.output.clear();
  }
}

}  // namespace digitnet::keras::detail
