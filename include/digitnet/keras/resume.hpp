// Trainings out of Keras' files: the parameters, and the optimizer where its training was.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/core/read_file.hpp"
#include "digitnet/keras/load.hpp"
#include "digitnet/keras/optimizer.hpp"
#include "digitnet/keras/read_file.hpp"

namespace digitnet {

namespace keras {

/// An optimizer of a file.
struct FileOptimizer {
  std::string class_name;
  std::uint64_t iterations = 0;
  float learning_rate = 0;
  /// The optimizer's slots, in Keras' order
  std::vector<FileArray> slots;
  std::vector<float> scalars{};
};

namespace detail {

inline FileOptimizer read_optimizer(const std::shared_ptr<hdf5::ReadFile>& file, const std::string& group,
                                    const std::vector<std::string>& names, const Json& config,
                                    const std::string& path) {
  FileOptimizer result{.class_name = config.at("class_name").get<std::string>(), .slots = {}};
  if (const Json registered = config.value("registered_name", Json()); registered.is_string())
    if (const auto name = registered.get<std::string>(); name.find('>') != std::string::npos)
      result.class_name = name;
  std::vector<FileArray> arrays;
  for (std::size_t i = 1; i < names.size(); ++i) arrays.push_back(array_in(file, group, names[i]));
  // Keras 2.10 and before had another order, and no rate there.
  if (arrays.empty() || !arrays[0].info.shape.empty() || arrays[0].info.type != "float32")
    fail(path + ": the variables of its " + result.class_name +
         " are not laid out as Keras lays them out from 2.11 on: load the model alone, with "
         "load_keras(trainer.model(), path), or save it again with a later Keras");
  const std::int64_t iterations = file->root().number(group + "/" + names[0]);
  if (iterations < 0) fail(path + " says that its optimizer did " + to_text(iterations) + " steps");
  result.iterations = static_cast<std::uint64_t>(iterations);
  result.learning_rate = arrays[0].read().at(0);
  if (!(result.learning_rate >= 0 && result.learning_rate <= 1e30f))
    fail(path + "'s learning rate is " + to_text(result.learning_rate));
  // Keras keeps scalars behind the slots or, before 3.10, before them.
  for (std::size_t i = 1; i < arrays.size(); ++i) {
    if (!arrays[i].info.shape.empty()) {
      result.slots.push_back(std::move(arrays[i]));
      continue;
    }
    result.scalars.push_back(arrays[i].read().at(0));
    if (!(result.scalars.back() >= 0 && result.scalars.back() <= 1e30f))
      fail(path + "'s " + arrays[i].place + " is " + to_text(result.scalars.back()));
  }
  return result;
}

}  // namespace detail

/// The optimizer of a whole model's file, .keras or .h5. Throws an Error if there is none.
inline FileOptimizer open_optimizer(const std::string& path) {
  try {
    std::vector<std::byte> bytes = read_file(path);
    if (detail::is_archive(bytes)) {
      const auto text = zip::read(bytes, path, "config.json");
      const Json config =
          parse_json({reinterpret_cast<const char*>(text.data()), text.size()}, path + ":config.json");
      const auto file = std::make_shared<hdf5::ReadFile>(zip::read(bytes, path, "model.weights.h5"),
                                                         path + ":model.weights.h5");
      const std::string group = "optimizer/vars";
      if (config.contains("compile_config") && config["compile_config"].contains("optimizer") &&
          file->root().has(group)) {
        std::vector<std::string> names;
        const std::size_t count = file->root().group(group).names().size();
        for (std::size_t i = 0; i < count; ++i) names.push_back(to_text(i));
        return detail::read_optimizer(file, group, names, config["compile_config"]["optimizer"], path);
      }
    } else {
      const auto file = std::make_shared<hdf5::ReadFile>(std::move(bytes), path);
      const hdf5::ReadGroup& root = file->root();
      if (root.has_attribute("training_config") && root.has("optimizer_weights")) {
        const auto words = root.words("training_config");
        if (words.size() == 1)
          return detail::read_optimizer(
              file, "optimizer_weights", root.group("optimizer_weights").long_words("weight_names"),
              parse_json(words.front(), path + "'s training_config").at("optimizer_config"), path);
      }
    }
  } catch (const Json::exception& error) {
    fail(path + "'s optimizer is not what Keras writes: " + error.what());
  }
  fail(path + " holds no optimizer: load the model alone, with load_keras(trainer.model(), path)");
}

/// The slots of an optimizer that `compiled` describes, laid out as a TrainingState's, from a model's file.
/// Throws an Error that lists every difference.
inline Arena<float> load_slots(const FileOptimizer& optimizer, const Compiled& compiled,
                               const ModelDescription& model, std::size_t arena, const std::string& path) {
  // Keras' order is that of the file's layers.
  const ModelDescription theirs = open_file(path, Registry(model)).model.value().description();
  const OrderedDescription our_order = in_keras_order(model), their_order = in_keras_order(theirs);
  std::vector<OptimizedLayer> layers(theirs.layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::size_t place = their_order.order[i];
    layers[place] = {theirs.layers[place].name, &model.layers[our_order.order[i]]};
  }
  std::vector<OptimizerVariable> wanted = compiled.variables(layers);
  std::erase_if(wanted, [](const OptimizerVariable& variable) { return !variable.weight; });
  std::vector<std::string> differences;
  if (compiled.class_name() != optimizer.class_name)
    differences.push_back("the optimizer is " + compiled.class_name() + ", in the file " +
                          optimizer.class_name);
  else if (wanted.size() != optimizer.slots.size())
    differences.push_back("the optimizer has " + to_text(wanted.size()) +
                          " slots of parameters, in the file " + to_text(optimizer.slots.size()));
  std::size_t count = 0;
  for (const auto& list : compiled.entry.slots) count += list.size();
  Arena<float> slots(count * arena);
  for (std::size_t i = 0; i < wanted.size() && differences.empty(); ++i) {
    const FileArray& array = optimizer.slots[i];
    if (array.info.shape != wanted[i].weight->shape || array.info.type != "float32") {
      differences.push_back(wanted[i].name + " is float32 " + shape_text(wanted[i].weight->shape) + ", " +
                            array.info.type + " " + shape_text(array.info.shape) + " in the file (" +
                            array.place + ")");
      continue;
    }
    const std::vector<float> values = array.read();
    digitnet::detail::add_non_finite(array.place, array.info.shape, values, differences);
    std::copy(values.begin(), values.end(), slots.data() + wanted[i].slot * arena + wanted[i].weight->offset);
  }
  digitnet::detail::fail_of_differences(path, differences);
  return slots;
}

}  // namespace keras

/// Goes on where the training is that save_keras(trainer, path), or Keras 2.11 to 3.x, saved: the model's
/// parameters, the optimizer's slots, its count of steps and, unless it follows a schedule, its learning
/// rate. The other settings and the count of epochs stay the trainer's. Throws an Error that lists what does
/// not fit; then nothing has changed.
template <class Trainer>
requires requires(const Trainer& trainer) { trainer.optimizer(); }
void load_keras(Trainer& trainer, const std::string& path) {
  const ModelDescription model = describe(trainer.model());
  const auto before = std::as_const(trainer.model()).parameters();
  std::vector<float> parameters(before.begin(), before.end());
  load_keras(model, parameters, path);
  const keras::FileOptimizer optimizer = keras::open_optimizer(path);
  const keras::Compiled compiled = keras::compiled(trainer);
  Arena<float> slots = keras::load_slots(optimizer, compiled, model, parameters.size(), path);
  std::copy(parameters.begin(), parameters.end(), trainer.model().parameters().begin());
  trainer.restore_optimizer(optimizer.iterations, optimizer.learning_rate, std::move(slots),
                            compiled.entry.numbers
                                ? compiled.entry.numbers(optimizer.iterations, optimizer.scalars)
                                : std::vector<double>{});
}

}  // namespace digitnet
