// What Keras' configurations and digitnet's descriptions share. Needs nlohmann/json.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "digitnet/core/number_text.hpp"
#include "digitnet/inspect/description.hpp"

namespace digitnet::keras {

using Json = nlohmann::ordered_json;

/// A layer of a file, and where the file keeps its weights.
struct FileLayer {
  LayerDescription description;
  /// Name of the outermost layer that it belongs to: its group in .h5 files
  std::string group;
  /// Its path in .weights.h5 files, such as "layers/conv2d_1"
  std::string store;
  /// Names of the models around it and its own: "backbone/conv2d_1"
  std::string path{};
  /// Whether it and all models around it learn
  bool trainable = true;
  /// Whether what weights it has is only known from the file's arrays.
  bool weights_are_arrays = false;
};

/// A model of a file, as digitnet's layers: an activation inside a layer stands behind it.
struct FileModel {
  std::vector<std::size_t> input;
  std::vector<FileLayer> layers;

  ModelDescription description() const {
    ModelDescription result{.input = input, .layers = {}};
    for (const FileLayer& layer : layers) result.layers.push_back(layer.description);
    return result;
  }
};

namespace detail {

/// The shortest number that is the same float32: Keras' 0.001, not 0.0010000000474974513.
inline double short_number(double number) {
  return parse_number<double>(Attribute{"", number}.value_text()).value();
}

}  // namespace detail

}  // namespace digitnet::keras
