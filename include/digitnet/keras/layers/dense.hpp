// Dense in Keras' files.
#pragma once
#include "digitnet/keras/layer_entry.hpp"

namespace digitnet::keras::layers {

inline std::vector<LayerEntry> dense() {
  return {{.class_name = "Dense",
           .fields = {Field::count("units"), Field::flag("use_bias", true)},
           .written = {{"activity_regularizer", nullptr}},
           .weights = {{"kernel", "GlorotUniform"}, {"bias", "Zeros"}},
           .has_activation = true,
           .output = [](ShapeReader& shapes) -> Extents {
             if (shapes.input().size() != 1)
               return shapes.refuse("Dense needs a flat input here, but gets " + shape_text(shapes.input()));
             const std::size_t units = shapes.count("units");
             shapes.add_weight("kernel", {shapes.last(), units});
             shapes.add_weight("bias", {units}, "use_bias");
             return {units};
           }}};
}

}  // namespace digitnet::keras::layers
