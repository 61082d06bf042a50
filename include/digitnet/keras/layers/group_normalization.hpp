// GroupNormalization in Keras' files.
#pragma once
#include "digitnet/keras/layer_entry.hpp"

namespace digitnet::keras::layers {

inline std::vector<LayerEntry> group_normalizations() {
  return {{.class_name = "GroupNormalization",
           .fields = {{"groups", Field::Kind::whole, Field::Place::nowhere, Field::Value(std::int64_t{32})},
                      Field::flag("center", true, Field::Place::nowhere),
                      Field::flag("scale", true, Field::Place::nowhere),
                      Field::number("epsilon", 1e-3),
                      Field::list("axis")},
           .written = {{"axis", -1}},
           .weights = {{"beta", "Zeros"}, {"gamma", "Ones"}},
           .output = [](ShapeReader& shapes) -> Extents {
             const auto channels = static_cast<std::int64_t>(shapes.last());
             for (Attribute& attribute : shapes.layer().attributes)
               if (std::int64_t* const groups = std::get_if<std::int64_t>(&attribute.value)) {
                 // As Keras does once it knows the channels.
                 if (*groups == -1) *groups = channels;
                 if (*groups < 1 || channels % *groups != 0)
                   return shapes.refuse("its " + attribute.text() + " must divide its " + to_text(channels) +
                                        " channels");
               }
             shapes.add_weight("gamma", {shapes.last()}, "scale");
             shapes.add_weight("beta", {shapes.last()}, "center");
             return shapes.input();
           },
           .type =
               [](const LayerDescription& layer) {
                 const bool center = layer.attribute<bool>("center"), scale = layer.attribute<bool>("scale");
                 const std::string groups = to_text(layer.attribute<std::int64_t>("groups"));
                 if (center && scale) return "GroupNormalization<" + groups + ">";
                 return "BasicGroupNormalization<" + groups + (center ? ", true, " : ", false, ") +
                        (scale ? "true>" : "false>");
               }}};
}

}  // namespace digitnet::keras::layers
