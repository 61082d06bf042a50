// Models as files of Keras: .h5, .keras and .weights.h5, with or without what they were compiled with.
#pragma once
#include <ctime>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/atomic_file.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/inspect/describe.hpp"
#include "digitnet/io/hdf5.hpp"
#include "digitnet/io/zip.hpp"
#include "digitnet/keras/config.hpp"
#include "digitnet/keras/optimizer.hpp"
#include "digitnet/keras/write_config.hpp"

namespace digitnet {

namespace keras::detail {

// Keras' variables of an optimizer, the first of which counts its steps; path(name, number) is where each
// goes.
template <class Path>
void put_optimizer(const hdf5::Group& group, const WrittenModel& written, std::size_t arena,
                   const Compiled& compiled, Path path) {
  std::vector<OptimizedLayer> layers;
  for (const WrittenLayer& layer : written.layers) layers.push_back({layer.name, layer.source});
  group.put_number(path("iteration", 0), static_cast<std::int64_t>(compiled.state.step));
  std::size_t number = 1;
  for (const OptimizerVariable& variable : compiled.variables(layers))
    group.put_floats(path(variable.name, number++),
                     variable.weight ? variable.weight->shape : std::vector<std::size_t>{},
                     compiled.values(variable, arena));
}

// Keras 3's store of weights.
inline std::vector<std::byte> store_bytes(const WrittenModel& written, std::span<const float> parameters,
                                          const Compiled* compiled = nullptr) {
  hdf5::File file;
  const hdf5::Group& root = file.root();
  root.make_group("vars").put_word("name", "sequential");
  for (const WrittenLayer& layer : written.layers) {
    const std::string place = "layers/" + layer.name + "/vars";
    root.make_group(place).put_word("name", layer.name);
    for (std::size_t i = 0; i < layer.source->weights.size(); ++i) {
      const WeightDescription& weight = layer.source->weights[i];
      root.put_floats(place + "/" + to_text(i), weight.shape,
                      parameters.subspan(weight.offset, weight.size()));
    }
  }
  if (compiled) {
    const hdf5::Group group = root.make_group("optimizer/vars");
    group.put_word("name", compiled->prefix());
    put_optimizer(group, written, parameters.size(), *compiled,
                  [](const std::string&, std::size_t number) { return to_text(number); });
  }
  return file.bytes();
}

// Keras 2's and 3's .h5 of a whole model.
inline std::vector<std::byte> model_bytes(const WrittenModel& written, std::span<const float> parameters,
                                          const Compiled* compiled) {
  hdf5::File file;
  const hdf5::Group& root = file.root();
  root.put_word("model_config", written.config.dump());
  root.put_word("keras_version", "2.15.0");  // of the format
  root.put_word("backend", "tensorflow");
  const hdf5::Group weights = root.make_group("model_weights");
  weights.put_word("keras_version", "2.15.0");
  weights.put_word("backend", "tensorflow");
  std::vector<std::string> names;
  for (const WrittenLayer& layer : written.layers) names.push_back(layer.name);
  weights.put_words("layer_names", names);
  for (const WrittenLayer& layer : written.layers) {
    const hdf5::Group group = weights.make_group(layer.name);
    std::vector<std::string> weight_names;
    for (const WeightDescription& weight : layer.source->weights)
      weight_names.push_back(layer.name + "/" + weight.name + ":0");
    group.put_words("weight_names", weight_names);
    for (std::size_t i = 0; i < weight_names.size(); ++i) {
      const WeightDescription& weight = layer.source->weights[i];
      group.put_floats(weight_names[i], weight.shape, parameters.subspan(weight.offset, weight.size()));
    }
  }
  weights.make_group("top_level_model_weights").put_words("weight_names", {});
  if (compiled) {
    root.put_word("training_config", compiled->training_config().dump());
    const hdf5::Group group = root.make_group("optimizer_weights");
    std::vector<std::string> variables;
    put_optimizer(group, written, parameters.size(), *compiled, [&](const std::string& name, std::size_t) {
      variables.push_back(compiled->prefix() + "/" + name);
      return variables.back();
    });
    group.put_words("weight_names", variables);
  }
  return file.bytes();
}

inline std::vector<std::byte> bytes_of(const std::string& text) {
  const auto* const begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

inline std::vector<std::byte> archive_bytes(const WrittenModel& written, std::span<const float> parameters,
                                            const Compiled* compiled) {
  char now[32];
  const std::time_t time = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::strftime(now, sizeof now, "%Y-%m-%d@%H:%M:%S", &parts);
  Json config = written.config;
  config["compile_config"] = compiled ? compiled->compile_config() : Json::object();
  return zip::write(
      {{"metadata.json", bytes_of(Json{{"keras_version", "3.10.0"}, {"date_saved", now}}.dump())},
       {"config.json", bytes_of(config.dump())},
       {"model.weights.h5", store_bytes(written, parameters, compiled)}});
}

inline void save(const ModelDescription& model, std::span<const float> parameters, const std::string& path,
                 const Compiled* compiled) {
  std::vector<std::byte> bytes;
  if (path.ends_with(".keras"))
    bytes = archive_bytes(write_config(model, Generation::keras3), parameters, compiled);
  else if (path.ends_with(".weights.h5"))
    bytes = store_bytes(write_config(model, Generation::keras3), parameters);
  else if (path.ends_with(".h5") || path.ends_with(".hdf5"))
    bytes = model_bytes(write_config(model, Generation::keras2_and_3), parameters, compiled);
  else
    fail(path + " must end with .keras, .h5 or .weights.h5, which say what is written");
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

}  // namespace keras::detail

/// Writes a model as Keras does, in the format that the name's ending says: .h5 (a whole model, for Keras 2
/// and 3), .keras (Keras 3), .weights.h5 (Keras 3, weights alone). A chain inside the chain is written as its
/// layers, a combinator as a functional model's branches. The file appears whole or not at all.
inline void save_keras(const ModelDescription& model, std::span<const float> parameters,
                       const std::string& path) {
  keras::detail::save(model, parameters, path, nullptr);
}
template <class Model>
requires requires(const Model& model) { model.body(); }
void save_keras(const Model& model, const std::string& path) {
  save_keras(describe(model), model.parameters(), path);
}
/// For ModelCheckpoint: `ModelCheckpoint("{epoch:02d}.keras", {.save = keras_files})`.
inline constexpr auto keras_files = [](const ModelDescription& model, std::span<const float> parameters,
                                       const std::string& path) { save_keras(model, parameters, path); };
/// The same with loss and optimizer and, in .keras and .h5, the optimizer's variables: Keras' load_model
/// compiles it and trains on where this training is, and so does load_keras of a trainer. Throws an Error for
/// settings that Keras does not have.
template <class Trainer>
requires requires(const Trainer& trainer) { trainer.optimizer(); }
void save_keras(const Trainer& trainer, const std::string& path) {
  const keras::Compiled compiled = keras::compiled(trainer);
  keras::detail::save(describe(trainer.model()), std::as_const(trainer.model()).parameters(), path,
                      &compiled);
}

}  // namespace digitnet
