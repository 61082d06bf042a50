// Dropout, SpatialDropout2D and GaussianNoise in Keras' files.
#pragma once
#include "digitnet/keras/layer_entry.hpp"

namespace digitnet::keras::layers {

inline std::vector<LayerEntry> dropouts() {
  const auto acts = LayerEntry::Training::acts;
  return {{.class_name = "Dropout",
           .fields = {Field::part("rate", 0.5, 1)},
           .written = {{"noise_shape", nullptr}, {"seed", nullptr}},
           .training = acts},
          {.class_name = "SpatialDropout2D",
           .fields = {Field::part("rate", 0.5, 1)},
           .written = {{"seed", nullptr}, {"data_format", "channels_last"}},
           .training = acts,
           // Keras 3 takes nothing here that it has not written itself.
           .write =
               [](const LayerDescription&, Json& config, bool) {
                 config.erase("trainable");
                 config["dtype"] = "float32";
               },
           .output = [](ShapeReader& shapes) { return shapes.is_image() ? shapes.input() : Extents{}; }},
          {.class_name = "GaussianNoise",
           .fields = {Field::part("stddev", 0.1, 1e30)},
           .written = {{"seed", nullptr}},
           .training = acts}};
}

}  // namespace digitnet::keras::layers
