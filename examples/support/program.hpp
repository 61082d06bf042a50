// What the example programs have in common: the command line, the data, and the results.
#pragma once
#include <cstdio>
#include <digitnet/digitnet.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace program {

/// The command line. Without a value a model's own default holds.
struct Settings {
  std::string model{};
  std::string dataset = "mnist";
  std::string data_directory{};
  std::optional<std::size_t> epochs{};
  std::optional<std::size_t> batch_size{};
  std::optional<float> learning_rate{};
  double validation_split = 0;
  std::size_t threads = digitnet::hardware_threads();
  std::uint64_t seed = 42;
  std::string json_path{};
  std::string load_path{};
  std::string save_path{};
  std::string checkpoint_path{};
  bool quiet = false;
};

/// How a model is trained unless the command line says otherwise.
struct Defaults {
  std::size_t epochs;
  std::size_t batch_size{};
  float learning_rate;
};

/// Parses the command line, runs `main_function`, and turns errors into one sentence and exit status 1.
int run(int argc, char** argv, const std::string& description, const std::vector<std::string>& models,
        const std::function<int(const Settings&)>& main_function);

/// The chosen dataset. Falls back to synthetic digits, and says so, where MNIST can be neither found nor
/// fetched; `dataset` then becomes "synthetic".
digitnet::TrainTest load(const Settings& settings, std::string& dataset);

/// Fills a model's parameters from a file, or writes them, in the format that its ending says: .safetensors,
/// or, in a program built with them, .keras, .h5 and .weights.h5, and .onnx (written only). `check_save_path`
/// refuses other endings, and places that cannot be written.
void load_parameters(const digitnet::ModelDescription& model, std::span<float> parameters,
                     const std::string& path);
void save_parameters(const digitnet::ModelDescription& model, std::span<const float> parameters,
                     const std::string& path);
void check_save_path(const std::string& path);

/// What --checkpoint asks for.
std::vector<digitnet::CallbackHandle> callbacks(const Settings& settings);

/// What is known after a training.
struct Result {
  std::string dataset{};
  std::size_t parameters{};
  std::size_t batch_size{};
  digitnet::History history{};
  digitnet::Evaluation test{};
};

/// Prints the classification report and the confusion matrix, and writes --json. Returns the exit status.
int report(const Settings& settings, const Result& result, const digitnet::Labels& labels,
           const digitnet::Labels& predictions);

/// Trains a model as the command line asks for and reports; a model that was loaded is trained further only
/// if
/// --epochs is given. `optimizer` maps a learning rate and the number of steps to an optimizer.
template <class Model, class MakeOptimizer>
int train(const Settings& settings, Model model, const Defaults& defaults, MakeOptimizer make_optimizer) {
  using namespace digitnet;
  Result result{.parameters = Model::parameter_count};
  if (!settings.load_path.empty()) load_parameters(describe(model), model.parameters(), settings.load_path);
  if (!settings.save_path.empty()) check_save_path(settings.save_path);
  const auto [train, test] = load(settings, result.dataset);
  if (!settings.quiet) std::fputs(model.summary(settings.model).c_str(), stdout);

  const std::size_t epochs = settings.epochs.value_or(defaults.epochs);
  result.batch_size = settings.batch_size.value_or(defaults.batch_size);
  const std::size_t steps_per_epoch =
      (train.size() + result.batch_size) / std::max<std::size_t>(1, result.batch_size);
  Trainer trainer{
      model,
      make_optimizer(settings.learning_rate.value_or(defaults.learning_rate), epochs * steps_per_epoch),
      CategoricalCrossentropy{}, TrainerOptions{.threads = settings.threads, .seed = Seed{settings.seed}}};
  if (settings.load_path.empty() || settings.epochs)
    result.history = trainer.fit(train, {.epochs = epochs,
                                         .batch_size = result.batch_size,
                                         .validation_split = settings.validation_split,
                                         .callbacks = callbacks(settings),
                                         .verbose = settings.quiet ? Verbose::silent : Verbose::automatic});
  if (!settings.save_path.empty())
    save_parameters(describe(model), std::as_const(model).parameters(), settings.save_path);
  result.test = trainer.evaluate(test);
  return report(settings, result, test.labels, model.predict_classes(test.images));
}

}  // namespace program
