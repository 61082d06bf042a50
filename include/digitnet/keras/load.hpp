// The parameters of a model out of Keras' files.
#pragma once
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/inspect/describe.hpp"
#include "digitnet/io/differences.hpp"
#include "digitnet/keras/read_file.hpp"
#include "digitnet/keras/write_config.hpp"

namespace digitnet {

namespace keras {

namespace detail {

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
  // A user's own class may be called as one of the library.
  const auto registered = [](const LayerDescription& layer) {
    const LayerEntry* const own = layer.file_entry<LayerEntry>();
    return own ? own->registered_name : "";
  };
  if (a.class_name != b.class_name || registered(a) != registered(b) || a.attributes != b.attributes)
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

}  // namespace keras

/// Fills a model's parameters from a file of Keras: a whole model (.h5, .keras) or weights (.h5,
/// .weights.h5). In two steps: first everything is read and compared - layers, shapes, activations, types -
/// and if anything differs an Error lists all differences with both sides, and nothing has changed. What only
/// matters for training (a Dropout's rate, a momentum) may differ.
inline void load_keras(const ModelDescription& model, std::span<float> parameters, const std::string& path) {
  const keras::OpenFile file = keras::open_file(path, keras::Registry(model));
  keras::FileModel theirs = file.model ? *file.model : keras::detail::expected_model(model);
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
  for (std::size_t i = 0; i < ours && i < files; ++i)
    if (keras::FileLayer& layer = theirs.layers[their_order.order[i]]; layer.weights_are_arrays) {
      layer.description.weights = our_layer(i).weights;
      layer.weights_are_arrays = false;
    }
  const auto all_arrays = file.arrays(theirs);
  for (std::size_t i = 0; i < ours && i < files; ++i) {
    const LayerDescription& layer = our_layer(i);
    const std::vector<keras::FileArray>& arrays = all_arrays.of_layers[their_order.order[i]];
    // Between layers of other kinds there is nothing to compare.
    if (layer.class_name != their_layer(i).class_name) continue;
    keras::detail::compare_weights(layer, arrays, differences);
  }
  for (const keras::FileArray& array : all_arrays.others)
    differences.push_back("the file has " + array.place + " " + shape_text(array.info.shape) +
                          ", the model has nothing for it");
  digitnet::detail::fail_of_differences(path, differences);
  std::vector<std::pair<std::size_t, std::vector<float>>> values;
  for (std::size_t i = 0; i < ours; ++i) {
    const std::vector<WeightDescription>& weights = our_layer(i).weights;
    for (std::size_t w = 0; w < weights.size(); ++w) {
      const keras::FileArray& array = all_arrays.of_layers[their_order.order[i]][w];
      values.emplace_back(weights[w].offset, array.read());
      digitnet::detail::add_non_finite(array.place, weights[w].shape, values.back().second, differences);
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
