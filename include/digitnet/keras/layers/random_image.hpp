// Random transforms of images in Keras' files.
#pragma once
#include "digitnet/keras/layer_entry.hpp"

namespace digitnet::keras::layers {

inline std::vector<LayerEntry> random_images() {
  const auto entry = [](const char* class_name, std::vector<Field> fields, Json written) {
    return LayerEntry{
        .class_name = class_name,
        .fields = std::move(fields),
        .written = std::move(written),
        .training = LayerEntry::Training::acts,
        .output = [](ShapeReader& shapes) { return shapes.is_image() ? shapes.input() : Extents{}; }};
  };
  const Json warps{{"interpolation", "bilinear"}, {"seed", nullptr}, {"fill_value", 0.0}};
  Json zooms = warps;
  zooms["width_factor"] = nullptr;
  return {
      entry("RandomFlip",
            {Field::word("mode", "horizontal_and_vertical",
                         {"horizontal", "vertical", "horizontal_and_vertical"},
                         "FlipMode::", Field::Place::value)},
            {{"seed", nullptr}}),
      entry("RandomRotation", {Field::range("factor", 1), Field::fill_mode()}, warps),
      entry("RandomTranslation",
            {Field::range("height_factor", 1), Field::range("width_factor", 1), Field::fill_mode()}, warps),
      entry("RandomZoom", {Field::range("height_factor", 0.99), Field::fill_mode()}, zooms)};
}

}  // namespace digitnet::keras::layers
