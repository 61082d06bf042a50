// Keras' files, opened: the model's configuration, and the arrays of each of its layers.
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

#include "digitnet/core/number_text.hpp"
#include "digitnet/core/read_file.hpp"
#include "digitnet/io/hdf5_read.hpp"
#include "digitnet/io/zip_read.hpp"
#include "digitnet/keras/arrays.hpp"
#include "digitnet/keras/json.hpp"
#include "digitnet/keras/read_config.hpp"

namespace digitnet::keras {

/// An array of a file.
struct FileArray {
  /// The place in the file, for messages
  std::string place;
  hdf5::ArrayInfo info;
  std::function<std::vector<float>()> read;
};

/// The arrays of each layer of a model, and those that belong to none.
struct FileArrays {
  std::vector<std::vector<FileArray>> of_layers;
  std::vector<FileArray> others;
};

/// An open file: the model, unless it holds weights alone, and its arrays.
struct OpenFile {
  std::optional<FileModel> model;
  /// Of the model's layers, or (a file of weights alone) of a chain that is expected there.
  std::function<FileArrays(const FileModel&)> arrays;
};

namespace detail {

inline FileArray array_in(std::shared_ptr<hdf5::ReadFile> file, const std::string& group,
                          const std::string& name) {
  const std::string place = group.empty() ? name : group + "/" + name;
  return {place, file->root().info(place), [file, place] { return file->root().floats(place); }};
}

// Keras' .h5: groups named by the outermost layers. In files of weights alone layers are matched by the
// groups' order, as Keras does.
inline FileArrays grouped_arrays(const std::shared_ptr<hdf5::ReadFile>& file, const std::string& root,
                                 const FileModel& model, bool by_order, const std::string& path) {
  struct ArrayGroup {
    std::string name;
    std::vector<std::string> arrays;
    bool used = false;
  };
  const hdf5::ReadGroup top = root.empty() ? file->root().group(".") : file->root().group(root);
  std::vector<ArrayGroup> groups;  // those that have weights
  std::map<std::string, std::size_t> numbers;
  std::set<std::string> known;
  std::vector<std::string> names = top.long_words("layer_names");
  if (top.has("top_level_model_weights")) names.push_back("top_level_model_weights");
  for (const std::string& name : names) {
    if (!top.has(name)) fail(path + " names the layer " + name + ", but has no group for it: it is damaged");
    auto arrays = top.group(name).long_words("weight_names");
    if (std::set<std::string>(arrays.begin(), arrays.end()).size() < arrays.size())
      fail(path + " names an array of the layer " + name + " twice: it is damaged");
    if (!known.insert(name).second) fail(path + " names the layer " + name + " twice: it is damaged");
    if (arrays.empty()) continue;
    numbers.emplace(name, groups.size());
    groups.push_back({name, std::move(arrays)});
  }
  const auto array = [&](const ArrayGroup& group, std::size_t i) {
    return array_in(file, (root.empty() ? "" : root + "/") + group.name, group.arrays[i]);
  };

  FileArrays result{std::vector<std::vector<FileArray>>(model.layers.size()), {}};
  std::size_t next = 0;
  for (std::size_t i = 0; i < model.layers.size();) {
    const std::string& name = model.layers[i].group;
    std::vector<const FileLayer*> layers;
    std::vector<std::size_t> indices;
    for (; i < model.layers.size() && model.layers[i].group == name; ++i)
      if (!model.layers[i].description.weights.empty() || model.layers[i].weights_are_arrays) {
        layers.push_back(&model.layers[i]);
        indices.push_back(i);
      }
    if (layers.empty()) continue;
    const auto number = numbers.find(name);
    const std::size_t place = by_order ? next++ : number == numbers.end() ? groups.size() : number->second;
    if (place >= groups.size() || groups[place].used) continue;
    ArrayGroup& group = groups[place];
    group.used = true;
    const auto owned = numbers_of_layers(layers, group.arrays);
    if (!owned)
      fail(path + ": the arrays of \"" + group.name +
           "\" cannot be told apart: neither their names nor their order are those of its " +
           std::to_string(layers.size()) + " layers with weights");
    for (std::size_t layer = 0; layer < layers.size(); ++layer)
      for (const std::size_t one : (*owned)[layer])
        result.of_layers[indices[layer]].push_back(array(group, one));
  }
  for (const ArrayGroup& group : groups)
    if (!group.used)
      for (std::size_t i = 0; i < group.arrays.size(); ++i) result.others.push_back(array(group, i));
  return result;
}

// Keras 3's store, layers/conv2d_1/vars/0, where layers are numbered by class.
class Store {
 public:
  explicit Store(std::shared_ptr<hdf5::ReadFile> file) : file_(std::move(file)) {
    const hdf5::ReadGroup& root = file_->root();
    const std::string old = "_layer_checkpoint_dependencies";  // Keras 2.12 and 2.13
    is_old_ = !root.has("layers") && root.has(old);
    // On Windows a whole path is one name.
    for (const std::string& name : root.names()) {
      is_old_ = is_old_ || name.starts_with(old + "\\");
      for (std::size_t at = name.find('\\'); at != std::string::npos; at = name.find('\\', at + 1)) {
        is_windows_ = true;
        const std::size_t end = std::min(name.find('\\', at + 1), name.size());
        children_[slashed(name.substr(0, at))].insert(name.substr(at + 1, end - at - 1));
      }
    }
  }

  static bool is_in(const hdf5::ReadGroup& root) {
    if (root.has("layers") || root.has("_layer_checkpoint_dependencies")) return true;
    for (const std::string& name : root.names())
      if (name.starts_with("layers\\") || name.starts_with("_layer_checkpoint_dependencies\\")) return true;
    return false;
  }

  /// The arrays of the layer that Keras 3 stores at that path.
  std::vector<FileArray> arrays(const std::string& store) {
    std::string place = is_old_ ? old_place(store) : store;
    if (is_windows_) std::replace(place.begin(), place.end(), '/', '\\');
    place += "/vars";
    std::vector<FileArray> result;
    if (store.empty() || !file_->root().has(place)) return result;
    const std::size_t count = file_->root().group(place).names().size();
    for (std::size_t i = 0; i < count; ++i)
      if (file_->root().has(place + "/" + std::to_string(i)))
        result.push_back(array_in(file_, place, std::to_string(i)));
    return result;
  }

 private:
  static std::string slashed(std::string path) {
    std::replace(path.begin(), path.end(), '\\', '/');
    return path;
  }
  const std::set<std::string>& children(const std::string& group) {
    const auto [found, is_new] = children_.try_emplace(group);
    if (is_new && !is_windows_ && file_->root().has(group))
      for (const std::string& name : file_->root().group(group).names()) found->second.insert(name);
    return found->second;
  }
  // Keras 2.12 and 2.13 count a layer that has weights twice, so that there is no dense_1 after dense: the
  // layers of a class are those that are there, in their order.
  std::string old_place(const std::string& store) {
    std::string place;
    std::size_t at = 0;
    while (at < store.size()) {  // "layers/", and a name
      const std::size_t begin = store.find('/', at), end = std::min(store.find('/', begin + 1), store.size());
      place += (place.empty() ? "" : "/") + std::string("_layer_checkpoint_dependencies");
      const auto [kind, number] = numbered(store.substr(begin + 1, end - begin - 1));
      const std::vector<std::string>& same = of_kind(place, kind);
      if (number >= same.size()) return "";
      place += "/" + same[number];
      at = end + 1;
    }
    return place;
  }
  const std::vector<std::string>& of_kind(const std::string& group, const std::string& kind) {
    const auto [found, is_new] = kinds_.try_emplace(group);
    if (is_new) {
      std::map<std::pair<std::string, std::size_t>, std::string> sorted;
      for (const std::string& name : children(group)) sorted.emplace(numbered(name), name);
      for (const auto& [key, name] : sorted) found->second[key.first].push_back(name);
    }
    return found->second[kind];
  }
  // "conv2d_1" is conv2d's number 1.
  static std::pair<std::string, std::size_t> numbered(const std::string& name) {
    const std::size_t line = name.rfind('_');
    if (line != std::string::npos)
      if (const auto number = parse_number<std::size_t>(std::string_view(name).substr(line + 1)))
        return {name.substr(0, line), *number};
    return {name, 0};
  }

  std::shared_ptr<hdf5::ReadFile> file_;
  bool is_old_ = false, is_windows_ = false;
  std::map<std::string, std::set<std::string>> children_;
  std::map<std::string, std::map<std::string, std::vector<std::string>>> kinds_;  // of each group
};

inline FileArrays stored_arrays(const std::shared_ptr<hdf5::ReadFile>& file, const FileModel& model) {
  Store store(file);
  FileArrays result;
  for (const FileLayer& layer : model.layers) result.of_layers.push_back(store.arrays(layer.store));
  return result;
}

// Keras 1 laid weights out in other ways.
inline void check_version(const hdf5::ReadGroup& group, const std::string& path) {
  if (!group.has_attribute("keras_version")) return;
  const auto words = group.words("keras_version");
  if (words.size() == 1 && (words[0].starts_with("0.") || words[0].starts_with("1.")))
    fail(path + " was written by Keras " + words[0].substr(0, 20) +
         ", but Keras 2.0 or later is needed: load it with Keras 2 and save it again");
}

inline bool is_archive(std::span<const std::byte> bytes) {
  static constexpr char zip_signature[] = {'P', 'K', 3, 4};
  return bytes.size() >= 4 && std::memcmp(bytes.data(), zip_signature, 4) == 0;
}

inline OpenFile open(const std::string& path, const Registry& registry) {
  std::vector<std::byte> bytes = read_file(path);
  if (is_archive(bytes)) {
    const auto config = zip::read(bytes, path, "config.json");
    auto file = std::make_shared<hdf5::ReadFile>(zip::read(bytes, path, "model.weights.h5"),
                                                 path + ":model.weights.h5");
    return {read_config(parse_json({reinterpret_cast<const char*>(config.data()), config.size()},
                                   path + ":config.json"),
                        registry),
            [file](const FileModel& model) { return stored_arrays(file, model); }};
  }
  auto file = std::make_shared<hdf5::ReadFile>(std::move(bytes), path);
  const hdf5::ReadGroup& root = file->root();
  check_version(root, path);
  if (root.has_attribute("nb_layers"))
    fail(path + " holds weights of Keras 0.3 (nb_layers), but Keras 2.0 or later is needed");
  if (root.has_attribute("model_config")) {
    const auto config = root.words("model_config");
    if (config.size() != 1 || !root.has("model_weights"))
      fail(path + " has a model_config, but no model_weights: it is not a whole model of Keras");
    check_version(root.group("model_weights"), path);
    return {read_config(parse_json(config.front(), path + "'s model_config"), registry),
            [file, path](const FileModel& model) {
              return grouped_arrays(file, "model_weights", model, false, path);
            }};
  }
  if (Store::is_in(root))
    return {std::nullopt, [file](const FileModel& model) { return stored_arrays(file, model); }};
  if (!root.long_words("layer_names").empty())
    return {std::nullopt,
            [file, path](const FileModel& model) { return grouped_arrays(file, "", model, true, path); }};
  fail(path + " is an HDF5 file, but neither a model nor weights of Keras");
}

/// Adds what differs between a layer's weights and the arrays that a file has for it.
inline void compare_weights(const LayerDescription& layer, const std::vector<FileArray>& arrays,
                            std::vector<std::string>& differences) {
  for (std::size_t w = 0; w < std::max(layer.weights.size(), arrays.size()); ++w) {
    if (w >= layer.weights.size()) {
      differences.push_back("the file has " + arrays[w].place + " " + shape_text(arrays[w].info.shape) +
                            ", the model has nothing for it");
      continue;
    }
    const WeightDescription& weight = layer.weights[w];
    const std::string name = layer.name + "/" + weight.name;
    if (w >= arrays.size()) {
      differences.push_back("the model has " + name + " " + shape_text(weight.shape) + ", the file does not");
      continue;
    }
    const FileArray& array = arrays[w];
    if (array.info.shape != weight.shape)
      differences.push_back(name + " is " + shape_text(weight.shape) + " in the model, " +
                            shape_text(array.info.shape) + " in the file (" + array.place + ")");
    else if (array.info.type != "float32")
      differences.push_back(name + " is float32 in the model, " + array.info.type + " in the file (" +
                            array.place + ")");
  }
}

}  // namespace detail

/// Opens a .h5, .keras or .weights.h5 file of Keras 2.0 to 3.x; `registry` has the entries of layers of one's
/// own.
inline OpenFile open_file(const std::string& path, const Registry& registry = {}) {
  return detail::open(path, registry);
}

}  // namespace digitnet::keras
