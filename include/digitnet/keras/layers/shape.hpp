// Layers that change a shape or scale numbers, and what is no layer here, in Keras' files.
#pragma once
#include <algorithm>

#include "digitnet/keras/layer_entry.hpp"

namespace digitnet::keras::layers {

// One extent may be -1: what is left for it.
inline Extents reshaped(ShapeReader& shapes) {
  auto target = shapes.layer().attribute<std::vector<std::int64_t>>("target_shape");
  const std::size_t size = detail::product_of(shapes.input()).value_or(0);
  const auto refuse = [&](const std::string& why) {
    return shapes.refuse("its target_shape " + Attribute{"", target}.value_text() + " " + why);
  };
  if (target.empty()) return refuse("has no extents");
  if (std::count(target.begin(), target.end(), -1) > 1) return refuse("leaves more than one extent open");
  if (std::any_of(target.begin(), target.end(), [](std::int64_t e) { return e < 1 && e != -1; }))
    return refuse("has extents that are no extents");
  Extents known;
  for (const std::int64_t extent : target)
    if (extent > 0) known.push_back(static_cast<std::size_t>(extent));
  const std::size_t product = detail::product_of(known).value_or(0);
  if (product == 0 || (known.size() < target.size() ? size % product != 0 : size != product))
    return refuse("has another size than its input " + shape_text(shapes.input()));
  for (std::int64_t& extent : target)
    if (extent == -1) extent = static_cast<std::int64_t>(size / product);
  for (Attribute& attribute : shapes.layer().attributes)
    if (attribute.name == "target_shape") attribute.value = target;
  return {target.begin(), target.end()};
}

inline std::optional<detail::Described> read_reshape(const LayerEntry& entry,
                                                     const detail::Settings& settings) {
  // The operation of that name is another one.
  if (settings.find("newshape")) return entry.refuse(settings);
  if (settings.find("target_shape")) return detail::Described{entry.one(settings)};
  settings.problem("its configuration has no \"target_shape\"");
  return {};
}

// Keras' ((top, bottom), (left, right)).
inline std::optional<detail::Described> read_zero_padding(const LayerEntry& entry,
                                                          const detail::Settings& settings) {
  const Json usual{{"padding", 1}};
  const Json* const value = settings.find("padding");
  if (!value) return detail::Described{entry.one(settings.with(usual))};
  if (!value->is_array() || value->size() != 2 || !(*value)[0].is_array())
    return detail::Described{entry.one(settings)};
  Json sides = Json::array();
  for (const Json& both : *value) {
    if (!both.is_array() || both.size() != 2 || both[0] != both[1]) {
      settings.problem("its padding is " + detail::shown(*value) +
                       ", but only equal padding on both sides exists here");
      sides = {1, 1};
      break;
    }
    sides.push_back(both[0]);
  }
  const Json equal{{"padding", sides}};
  return detail::Described{entry.one(settings.with(equal))};
}

inline std::vector<LayerEntry> shapes() {
  Field frame = Field::pair("padding");
  frame.least = 0;
  const Field list = Field::list("target_shape");
  return {
      {.class_name = "Flatten",
       .written = {{"data_format", "channels_last"}},
       .output = [](ShapeReader& shapes) -> Extents {
         return {detail::product_of(shapes.input()).value_or(0)};
       }},
      {.class_name = "Reshape",
       .fields = {list},
       .read = read_reshape,
       .output = reshaped,
       .type =
           [](const LayerDescription& layer) {
             const std::string text = shape_text(layer.output);
             return "Reshape<" + text.substr(1, text.size() - 2) + ">";
           }},
      {.class_name = "ZeroPadding2D",
       .fields = {frame},
       .written = {{"data_format", "channels_last"}},
       .read = read_zero_padding,
       .write =
           [](const LayerDescription& layer, Json& config, bool) {
             const auto both = layer.attribute<std::vector<std::int64_t>>("padding", {1, 1});
             config["padding"] = {{both[0], both[0]}, {both[1], both[1]}};
           },
       .output = [](ShapeReader& shapes) -> Extents {
         if (!shapes.is_image()) return {};
         const Extents border = shapes.pair("padding");
         return {shapes.input()[0] + 2 * border[0], shapes.input()[1] + 2 * border[1], shapes.last()};
       }},
      {.class_name = "Rescaling", .fields = {Field::number("scale", 1.0), Field::number("offset", 0.0)}},
      {.class_name = "Identity",
       .is_of_keras = false,
       .read = [](const LayerEntry&, const detail::Settings&) { return std::optional(detail::Described{}); }},
      {.class_name = "InputLayer", .role = LayerEntry::Role::input},
      {.class_name = "TFOpLambda", .role = LayerEntry::Role::function},
      {.class_name = "Sequential", .role = LayerEntry::Role::sequential},
      {.class_name = "Functional", .role = LayerEntry::Role::graph},
      {.class_name = "Model", .role = LayerEntry::Role::graph}};
}

}  // namespace digitnet::keras::layers
