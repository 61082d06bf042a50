// Keras' model files, both ways: whole models as .h5 and .keras, weights as .weights.h5. Needs HDF5, libzip
// and nlohmann/json (CMake: digitnet::keras).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/read_file.hpp"
#include "digitnet/io/differences.hpp"
#include "digitnet/io/hdf5.hpp"
#include "digitnet/io/hdf5_read.hpp"
#include "digitnet/io/keras_json.hpp"
#include "digitnet/io/keras_read_config.hpp"
#include "digitnet/io/keras_save.hpp"
#include "digitnet/io/keras_write_config.hpp"
#include "digitnet/io/zip.hpp"
#include "digitnet/io/zip_read.hpp"
#include "digitnet/model/describe.hpp"

namespace digitnet {

namespace keras {

/// An array of a file.
struct FileArray {
  std::string place;  ///< for messages
  hdf5::ArrayInfo info;
  std::function<std::vector<float>()> read;
};

/// An open file: the model, unless it holds weights alone, and the arrays of each layer that has weights.
struct OpenFile {
  std::optional<FileModel> model;
  /// Of the model's layers, or (a file of weights alone) of a chain that is expected there.
  std::function<std::vector<std::vector<FileArray>>(const FileModel&)> arrays;
};

namespace detail {

inline FileArray array_in(std::shared_ptr<hdf5::ReadFile> file, const std::string& group,
                          const std::string& name) {
  const std::string place = group + "/" + name;
  return {place, file->root().info(place), [file, place] { return file->root().floats(place); }};
}

// Keras' .h5: groups named by the outermost layers, each with its weights in order, those that train first.
inline std::vector<std::vector<FileArray>> grouped_arrays(const std::shared_ptr<hdf5::ReadFile>& file,
                                                          const std::string& root, const FileModel& model,
                                                          bool by_order, const std::string& path) {
  const hdf5::ReadGroup top = root.empty() ? file->root().group(".") : file->root().group(root);
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;  // those that have weights
  std::set<std::string> names;
  for (const std::string& name : top.long_words("layer_names")) {
    if (!names.insert(name).second) fail(path + " names the layer " + name + " twice: it is damaged");
    if (!top.has(name)) fail(path + " names the layer " + name + ", but has no group for it: it is damaged");
    auto weights = top.group(name).long_words("weight_names");
    if (std::set<std::string>(weights.begin(), weights.end()).size() < weights.size())
      fail(path + " names an array of the layer " + name + " twice: it is damaged");
    if (!weights.empty()) groups.emplace_back(name, std::move(weights));
  }
  std::vector<std::vector<FileArray>> result(model.layers.size());
  std::map<std::string, std::size_t> places;
  for (std::size_t g = 0; g < groups.size(); ++g) places[groups[g].first] = g;
  // In files of weights alone, layers are matched by their order, as Keras does.
  std::size_t next = 0;
  for (std::size_t i = 0; i < model.layers.size();) {
    std::size_t end = i;
    bool has_weights = false;
    for (; end < model.layers.size() && model.layers[end].group == model.layers[i].group; ++end)
      has_weights = has_weights || !model.layers[end].description.weights.empty();
    if (has_weights) {
      std::size_t place = groups.size();
      if (by_order) {
        place = next++;
      } else if (const auto found = places.find(model.layers[i].group); found != places.end()) {
        place = found->second;
      }
      if (place < groups.size()) {
        const auto& [name, weights] = groups[place];
        std::size_t weight = 0;
        for (const bool trainable : {true, false})
          for (std::size_t layer = i; layer < end; ++layer)
            for (const WeightDescription& wanted : model.layers[layer].description.weights)
              if (wanted.trainable == trainable && weight < weights.size())
                result[layer].push_back(
                    array_in(file, (root.empty() ? "" : root + "/") + name, weights[weight++]));
        for (; weight < weights.size(); ++weight)
          result[end - 1].push_back(array_in(file, (root.empty() ? "" : root + "/") + name, weights[weight]));
      }
    }
    i = end;
  }
  for (; by_order && next < groups.size(); ++next)
    for (const std::string& weight : groups[next].second)
      if (!result.empty())
        result.back().push_back(
            array_in(file, (root.empty() ? "" : root + "/") + groups[next].first, weight));
  return result;
}

// Keras 3's store: layers/conv2d_1/vars/0, named by class and order.
inline std::vector<std::vector<FileArray>> stored_arrays(const std::shared_ptr<hdf5::ReadFile>& file,
                                                         const FileModel& model) {
  std::vector<std::vector<FileArray>> result;
  for (const FileLayer& layer : model.layers) {
    result.emplace_back();
    std::string store = layer.store;
    if (store.empty()) continue;
    if (!file->root().has(store)) {  // Keras 2.12 to 2.15
      const std::string old = "_layer_checkpoint_dependencies" + store.substr(std::string("layers").size());
      if (!file->root().has(old)) continue;
      store = old;
    }
    store += "/vars";
    if (!file->root().has(store)) continue;
    const std::size_t count = file->root().group(store).names().size();
    for (std::size_t i = 0; i < count; ++i)
      if (file->root().has(store + "/" + std::to_string(i)))
        result.back().push_back(array_in(file, store, std::to_string(i)));
  }
  return result;
}

inline OpenFile open(const std::string& path) {
  std::vector<std::byte> bytes = read_file(path);
  static constexpr char zip_signature[] = {'P', 'K', 3, 4};
  if (bytes.size() >= 4 && std::memcmp(bytes.data(), zip_signature, 4) == 0) {
    const auto config = zip::read(bytes, path, "config.json");
    auto file = std::make_shared<hdf5::ReadFile>(zip::read(bytes, path, "model.weights.h5"),
                                                 path + ":model.weights.h5");
    return {read_config(parse_json({reinterpret_cast<const char*>(config.data()), config.size()},
                                   path + ":config.json")),
            [file](const FileModel& model) { return stored_arrays(file, model); }};
  }
  auto file = std::make_shared<hdf5::ReadFile>(std::move(bytes), path);
  const hdf5::ReadGroup& root = file->root();
  if (root.has_attribute("model_config")) {
    const auto config = root.words("model_config");
    if (config.size() != 1 || !root.has("model_weights"))
      fail(path + " has a model_config, but no model_weights: it is damaged");
    return {read_config(parse_json(config.front(), path + "'s model_config")),
            [file, path](const FileModel& model) {
              return grouped_arrays(file, "model_weights", model, false, path);
            }};
  }
  if (root.has("layers") || root.has("_layer_checkpoint_dependencies"))
    return {std::nullopt, [file](const FileModel& model) { return stored_arrays(file, model); }};
  if (!root.long_words("layer_names").empty())
    return {std::nullopt,
            [file, path](const FileModel& model) { return grouped_arrays(file, "", model, true, path); }};
  fail(path + " is an HDF5 file, but neither a model nor weights of Keras");
}

// What differs between a model's layer and a file's, in what decides outputs.
inline void compare_layers(const LayerDescription& ours, const LayerDescription& theirs,
                           std::vector<std::string>& differences) {
  const auto relevant = [](const LayerDescription& layer) {
    LayerDescription result = layer;
    std::erase_if(result.attributes, [](const Attribute& a) {
      return a.name == "rate" || a.name == "momentum" || a.name == "stddev" || a.name == "mode" ||
             a.name == "fill_mode" || a.name.ends_with("factor");
    });
    for (Attribute& a : result.attributes)
      if (double* const number = std::get_if<double>(&a.value)) *number = static_cast<float>(*number);
    return result;
  };
  const LayerDescription a = relevant(ours), b = relevant(theirs);
  if (a.class_name != b.class_name || a.attributes != b.attributes)
    differences.push_back("layer " + ours.name + " is " + a.text() + " in the model, " + b.text() +
                          " in the file (" + theirs.name + ")");
}

// The typed model as the file has it, where the file does not tell its own: in the order of the layers of a
// model that is written.
inline FileModel expected_model(const ModelDescription& model) {
  std::map<const LayerDescription*, std::string> stores;
  for (const WrittenLayer& layer : write_config(model, Generation::keras3).layers)
    stores[layer.source] = "layers/" + layer.name;
  const OrderedDescription ordered = in_keras_order(model);
  FileModel result{.input = model.input, .layers = {}};
  for (std::size_t i = 0; i < ordered.order.size(); ++i) {
    const LayerDescription& layer = model.layers[ordered.order[i]];
    const auto store = stores.find(&layer);
    result.layers.push_back({layer, layer.name, store == stores.end() ? "" : store->second});
    result.layers.back().description.sources = ordered.sources[i];
  }
  return result;
}

}  // namespace detail

/// Opens a .h5, .keras or .weights.h5 file of Keras 2.0 to 3.x.
[[gnu::cold]] inline OpenFile open_file(const std::string& path) { return detail::open(path); }

}  // namespace keras

/// Fills a model's parameters from a file of Keras: a whole model (.h5, .keras) or weights (.h5,
/// .weights.h5). In two phases: first everything is read and compared - layers, shapes, activations, types -
/// and if anything differs an Error lists all differences with both sides, and nothing has changed. What only
/// matters for training (a Dropout's rate, a momentum) may differ.
[[gnu::cold]] inline void load_keras(const ModelDescription& model, std::span<float> parameters,
                                     const std::string& path) {
  const keras::OpenFile file = keras::open_file(path);
  const keras::FileModel theirs = file.model ? *file.model : keras::detail::expected_model(model);
  const ModelDescription their_description = theirs.description();
  const OrderedDescription our_order = in_keras_order(model), their_order = in_keras_order(their_description);
  std::vector<std::string> differences;
  if (theirs.input != model.input)
    differences.push_back("the input is " + shape_text(model.input) + " in the model, " +
                          shape_text(theirs.input) + " in the file");
  const auto our_layer = [&](std::size_t i) -> const LayerDescription& {
    return model.layers[our_order.order[i]];
  };
  const auto their_layer = [&](std::size_t i) -> const LayerDescription& {
    return their_description.layers[their_order.order[i]];
  };
  const std::size_t ours = model.layers.size(), files = theirs.layers.size();
  for (std::size_t i = 0; i < std::max(ours, files); ++i) {
    if (i >= files) {
      differences.push_back("layer " + our_layer(i).name + " is " + our_layer(i).text() +
                            " in the model; the file has no more layers");
    } else if (i >= ours) {
      differences.push_back("the model has no more layers; the file has " + their_layer(i).text() + " (" +
                            their_layer(i).name + ")");
    } else {
      const std::size_t before = differences.size();
      keras::detail::compare_layers(our_layer(i), their_layer(i), differences);
      if (differences.size() == before && our_order.sources[i] != their_order.sources[i])
        differences.push_back("layer " + our_layer(i).name +
                              " gets its input from other layers in the model than in the file (" +
                              their_layer(i).name + ")");
    }
  }
  std::vector<std::pair<std::size_t, std::vector<float>>> values;
  const auto all_arrays = file.arrays(theirs);
  for (std::size_t i = 0; i < ours && i < files; ++i) {
    const LayerDescription& layer = our_layer(i);
    const std::vector<keras::FileArray>& arrays = all_arrays[their_order.order[i]];
    // Between layers of other kinds there is nothing to compare.
    if (layer.class_name != their_layer(i).class_name) continue;
    for (std::size_t w = 0; w < std::max(layer.weights.size(), arrays.size()); ++w) {
      if (w >= layer.weights.size()) {
        differences.push_back("the file has " + arrays[w].place + " " + shape_text(arrays[w].info.shape) +
                              ", the model has nothing for it");
        continue;
      }
      const WeightDescription& weight = layer.weights[w];
      const std::string name = layer.name + "/" + weight.name;
      if (w >= arrays.size()) {
        differences.push_back("the model has " + name + " " + shape_text(weight.shape) +
                              ", the file does not");
        continue;
      }
      const keras::FileArray& array = arrays[w];
      if (array.info.shape != weight.shape)
        differences.push_back(name + " is " + shape_text(weight.shape) + " in the model, " +
                              shape_text(array.info.shape) + " in the file (" + array.place + ")");
      else if (array.info.type != "float32")
        differences.push_back(name + " is float32 in the model, " + array.info.type + " in the file (" +
                              array.place + ")");
      else if (differences.empty()) {
        values.emplace_back(weight.offset, array.read());
        digitnet::detail::add_non_finite(array.place, weight.shape, values.back().second, differences);
      }
    }
  }
  digitnet::detail::fail_of_differences(path, differences);
  for (const auto& [offset, numbers] : values)
    std::copy(numbers.begin(), numbers.end(), parameters.data() + offset);
}
template <class Model>
void load_keras(Model& model, const std::string& path) {
  load_keras(describe(model), model.parameters(), path);
}

}  // namespace digitnet
