// BatchNormalization, LayerNormalization and Normalization in Keras' files.
#pragma once
#include <algorithm>
#include <cmath>

#include "digitnet/keras/layer_entry.hpp"

namespace digitnet::keras::layers {

// Keras' Normalization of known mean and variance, the same for all channels, is a Rescaling.
inline std::optional<detail::Described> read_normalization(const LayerEntry&,
                                                           const detail::Settings& settings) {
  const auto only_number = [&](const char* key) -> std::optional<double> {
    const Json* value = settings.find(key);
    if (!value) return {};
    std::vector<double> numbers;
    const Json flat = value->is_structured() ? value->flatten() : Json{{"", *value}};
    for (const Json& one : flat) {
      const auto number = detail::finite_number(one);
      if (!number || (!numbers.empty() && *number != numbers.front())) return {};
      numbers.push_back(*number);
    }
    if (numbers.empty()) return {};
    return numbers.front();
  };
  const auto mean = only_number("mean"), variance = only_number("variance");
  if (!mean || !variance || *variance < 0) {
    settings.problem(
        "a Normalization is a Rescaling here, which needs one mean and one variance for all channels");
    return {};
  }
  const double deviation = std::max(std::sqrt(*variance), 1e-7);
  if (settings.flag("invert", false))
    return detail::Described{detail::rescaling(settings.name(), deviation, *mean)};
  return detail::Described{detail::rescaling(settings.name(), 1 / deviation, -*mean / deviation)};
}

// "BatchNormalization", or "BasicBatchNormalization<false, true>".
inline std::string normalization_type(const LayerDescription& layer) {
  const bool center = layer.attribute<bool>("center"), scale = layer.attribute<bool>("scale");
  if (center && scale) return layer.class_name;
  return "Basic" + layer.class_name + "<" + (center ? "true, " : "false, ") + (scale ? "true>" : "false>");
}

inline Extents normalized(ShapeReader& shapes) {
  shapes.add_weight("gamma", {shapes.last()}, "scale");
  shapes.add_weight("beta", {shapes.last()}, "center");
  return shapes.input();
}

inline std::vector<LayerEntry> normalizations() {
  // Which axis is the last is known when shapes are.
  const Field center = Field::flag("center", true, Field::Place::nowhere),
              scale = Field::flag("scale", true, Field::Place::nowhere),
              epsilon = Field::number("epsilon", 1e-3), momentum = Field::number("momentum", 0.99),
              axis = Field::list("axis");
  return {{.class_name = "BatchNormalization",
           .fields = {center, scale, epsilon, momentum, axis},
           .written = {{"axis", -1}},
           .required = {{"renorm", false}},
           .weights = {{"beta", "Zeros"},
                       {"gamma", "Ones"},
                       {.key = "moving_mean", .initializer = "Zeros", .is_trainable = false},
                       {.key = "moving_variance", .initializer = "Ones", .is_trainable = false}},
           .training = LayerEntry::Training::acts_while_trainable,
           .output =
               [](ShapeReader& shapes) {
                 normalized(shapes);
                 shapes.add_weight("moving_mean", {shapes.last()}, nullptr, false);
                 shapes.add_weight("moving_variance", {shapes.last()}, nullptr, false);
                 return shapes.input();
               },
           .type = normalization_type,
           .value =
               [](const LayerDescription& layer) {
                 return "{.momentum = " + Field::number("momentum").text(layer) +
                        ", .epsilon = " + Field::number("epsilon").text(layer) + "}";
               }},
          {.class_name = "LayerNormalization",
           .fields = {center, scale, epsilon, axis},
           .written = {{"axis", -1}},
           .required = {{"rms_scaling", false}},
           .weights = {{"beta", "Zeros"}, {"gamma", "Ones"}},
           .output = normalized,
           .type = normalization_type},
          {.class_name = "Normalization", .read = read_normalization}};
}

}  // namespace digitnet::keras::layers
