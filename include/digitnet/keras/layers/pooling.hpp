// Poolings in Keras' files.
#pragma once
#include "digitnet/keras/layer_entry.hpp"

namespace digitnet::keras::layers {

inline std::vector<LayerEntry> poolings() {
  const std::vector<Field> fields{Field::pair("pool_size"), Field::pair("strides", {}, "pool_size"),
                                  Field::padding()};
  return {{.class_name = "MaxPooling2D",
           .fields = fields,
           .written = {{"data_format", "channels_last"}},
           .output = [](ShapeReader& shapes) -> Extents {
             if (!shapes.is_image()) return {};
             const Extents pool = shapes.pair("pool_size");
             if (pool[0] * pool[1] > 256)
               return shapes.refuse("its pool_size " + shape_text(pool) + " has more than 256 positions");
             return shapes.windows(pool, shapes.last());
           }},
          {.class_name = "AveragePooling2D",
           .fields = fields,
           .written = {{"data_format", "channels_last"}},
           .output = [](ShapeReader& shapes) -> Extents {
             return shapes.is_image() ? shapes.windows(shapes.pair("pool_size"), shapes.last()) : Extents{};
           }},
          {.class_name = "GlobalAveragePooling2D",
           .written = {{"data_format", "channels_last"}, {"keepdims", false}},
           .read =
               [](const LayerEntry& entry, const detail::Settings& settings) {
                 detail::Described result{entry.one(settings)};
                 if (settings.flag("keepdims", false))
                   result.push_back(detail::plain_layer(
                       "Reshape", settings.name(), {{"target_shape", std::vector<std::int64_t>{1, 1, -1}}}));
                 return std::optional(result);
               },
           .output = [](ShapeReader& shapes) -> Extents {
             return shapes.is_image() ? Extents{shapes.last()} : Extents{};
           }}};
}

}  // namespace digitnet::keras::layers
