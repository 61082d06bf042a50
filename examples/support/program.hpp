// What the example programs have in common: the command line, the data, and the results.
#pragma once
#include <cstdio>
#include <digitnet/digitnet.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "parameter_files.hpp"

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
  std::string report_folder{};
  std::string tensorboard_folder{};
  std::string command{};  // the whole command line
  bool quiet = false;
};

/// How a model is trained unless the command line says otherwise.
struct Defaults {
  std::size_t epochs;
  std::size_t batch_size{};
  float learning_rate;
  /// How training images vary each time they are seen.
  digitnet::SampleTransformHandle augmentation{};
  /// What to train on, made of the dataset's training images.
  std::function<digitnet::Dataset(digitnet::Dataset)> prepare{};
};

/// Parses the command line, runs `main_function`, and turns errors into one sentence and exit status 1.
int run(int argc, char** argv, const std::string& description, const std::vector<std::string>& models,
        const std::function<int(const Settings&)>& main_function);

/// The chosen dataset. Falls back to synthetic digits, and says so, where MNIST can be neither found nor
/// fetched; `dataset` then becomes "synthetic".
digitnet::TrainTest load(const Settings& settings, std::string& dataset);

/// What --tensorboard asks for.
std::vector<digitnet::CallbackHandle> callbacks(const Settings& settings);

/// What is known after a training.
struct Result {
  std::string dataset{};
  std::size_t epochs{}, batch_size{};
  float learning_rate{};
  digitnet::ModelDescription model{};
  std::vector<digitnet::PlannedOperation> plan{};
  std::span<const float> parameters{};
  digitnet::History history{};
  digitnet::Evaluation test{};
  digitnet::Matrix scores{};  ///< the model's answers to the test images
};

/// Prints the classification report and the confusion matrix, and writes what --json and --report ask for.
/// Returns the exit status.
int report(const Settings& settings, const Result& result, const digitnet::TrainTest& data);

/// Trains a model as the command line asks for and reports; a model that was loaded is trained further only
/// if
/// --epochs is given. `optimizer` maps a learning rate and the number of steps to an optimizer.
template <class Model, class MakeOptimizer>
int train(const Settings& settings, Model model, const Defaults& defaults, MakeOptimizer make_optimizer) {
  using namespace digitnet;
  Result result;
  if (!settings.load_path.empty()) load_parameters(describe(model), model.parameters(), settings.load_path);
  if (!settings.save_path.empty()) check_save_path(settings.save_path);
  TrainTest data = load(settings, result.dataset);
  const bool trains = settings.load_path.empty() || settings.epochs;
  if (trains && defaults.prepare) data.train = defaults.prepare(std::move(data.train));
  if (!settings.quiet) std::fputs(model.summary(settings.model).c_str(), stdout);

  result.epochs = settings.epochs.value_or(defaults.epochs);
  result.batch_size = settings.batch_size.value_or(defaults.batch_size);
  result.learning_rate = settings.learning_rate.value_or(defaults.learning_rate);
  const std::size_t steps_per_epoch =
      (data.train.size() + result.batch_size) / std::max<std::size_t>(1, result.batch_size);
  Trainer trainer{model, make_optimizer(result.learning_rate, result.epochs * steps_per_epoch),
                  CategoricalCrossentropy{},
                  TrainerOptions{.threads = settings.threads, .seed = Seed{settings.seed}}};
  std::optional<BackupAndRestore> backup;
  if (trains) {
    FitOptions options{.epochs = result.epochs,
                       .batch_size = result.batch_size,
                       .validation_split = settings.validation_split,
                       .augmentation = defaults.augmentation,
                       .callbacks = callbacks(settings),
                       .verbose = settings.quiet ? Verbose::silent : Verbose::automatic};
    // Kept until everything that follows has gone well.
    if (!settings.checkpoint_path.empty())
      options.callbacks.emplace_back(&backup.emplace(settings.checkpoint_path, false));
    result.history = trainer.fit(data.train, std::move(options));
  }
  if (result.history.diverged) fail("The training has diverged: nothing is saved or reported");
  result.model = describe(model);
  result.parameters = std::as_const(model).parameters();
  // Whatever comes after this, the trained model is kept.
  if (!settings.save_path.empty()) save_parameters(result.model, result.parameters, settings.save_path);
  result.plan = model.operations();
  result.test = trainer.evaluate(data.test);
  result.scores = model.predict(data.test.images);
  const int status = report(settings, result, data);
  if (backup && status == 0) backup->remove();
  return status;
}

}  // namespace program
