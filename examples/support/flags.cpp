#include "flags.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <digitnet/core/atomic_file.hpp>
#include <digitnet/core/error.hpp>
#include <filesystem>
#include <iostream>

#include "number_option.hpp"
#include "parameter_files.hpp"
#include "processes.hpp"
#include "results.hpp"

namespace program {

using namespace digitnet;

namespace {

// Before a schedule is made of their product.
void check_counts(const Flags& flags) {
  constexpr std::size_t most = 1'000'000'000;
  if (flags.epochs == 0) fail("fit needs at least 1 epoch, but 0 were asked for");
  if (flags.batch_size == 0) fail("The batch size must be at least 1, but is 0");
  if (std::max(flags.epochs, flags.batch_size) > most)
    fail("--epochs and --batch-size may be " + std::to_string(most) + " at most");
}

// What cannot be written is better known before an hour of training than after it.
void check_paths(const Flags& flags) {
  if (!flags.json_path.empty()) AtomicFile(flags.json_path);
  if (!flags.report_folder.empty()) check_folder(flags.report_folder, "report.html");
  if (!flags.tensorboard_folder.empty()) check_folder(flags.tensorboard_folder, "events");
  if (!flags.save_path.empty()) check_save_path(flags.save_path);
}

}  // namespace

int run(int argc, char** argv, const std::string& description, const std::vector<ModelDefaults>& models,
        const std::function<int(const Flags&)>& main_function) {
  Flags flags{.model = models.front().model, .command = std::filesystem::path(argv[0]).filename().string()};
  for (int i = 1; i < argc; ++i) flags.command.append(" ").append(argv[i]);
  std::vector<std::string> names;
  for (const ModelDefaults& each : models) names.push_back(each.model);
  std::optional<std::size_t> epochs, batch_size;
  std::optional<float> learning_rate;

  CLI::App app{description};
  app.add_option("--model", flags.model, "the network to train")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  app.add_option("--dataset", flags.dataset,
                 "what to learn; synthetic-to-mnist learns from drawn digits and is tested on MNIST")
      ->check(CLI::IsMember({"mnist", "fashion-mnist", "synthetic", "synthetic-to-mnist"}))
      ->capture_default_str();
  app.add_option("--data", flags.data_directory,
                 "folder of the dataset's four files (default: $DIGITNET_DATA, the user's cache, system "
                 "folders, a download)");
  add_number(app, "--epochs", epochs, "times that every image is seen (default: the model's own)");
  add_number(app, "--batch-size", batch_size, "images a step (default: the model's own)");
  add_number(app, "--learning-rate", learning_rate, "the (highest) learning rate (default: the model's own)");
  add_number(app, "--validation-split", flags.validation_split,
             "last part of the training images that is held out");
  app.add_option("--precision", flags.precision,
                 "number format of the products of dense layers and 1x1 convolutions; the rest is float32")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->capture_default_str();
  bool mpi = false;
  app.add_flag("--mpi", mpi, "train on all processes that mpirun has started");
  CLI::Option* const threads = add_number(app, "--threads", flags.threads, "threads to train on");
  add_number(app, "--seed", flags.seed, "of initial weights and all other randomness");
  app.add_option("--json", flags.json_path, "file to write the results to");
  app.add_option("--load", flags.load_path,
                 "file with the model's parameters to begin with: .safetensors, .keras, .h5 or .weights.h5; "
                 "trains only if --epochs is given too");
  app.add_option("--save", flags.save_path,
                 "file to write the trained model to: .safetensors, .keras, .h5, .weights.h5 or .onnx");
  app.add_option("--checkpoint", flags.checkpoint_path,
                 "file that keeps the training after each epoch; a run that was killed goes on from it");
  app.add_option("--report", flags.report_folder,
                 "folder for a report: report.html, pictures of the training and of mistakes, a model card");
  app.add_option("--tensorboard", flags.tensorboard_folder,
                 "folder for TensorBoard's event files, written while the model trains");
  app.add_flag("--quiet", flags.quiet, "print only the results");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  const auto defaults = std::find_if(models.begin(), models.end(),
                                     [&](const ModelDefaults& each) { return each.model == flags.model; });
  flags.epochs = epochs.value_or(defaults->epochs);
  flags.batch_size = batch_size.value_or(defaults->batch_size);
  flags.learning_rate = learning_rate.value_or(defaults->learning_rate);
  flags.trains = flags.load_path.empty() || epochs;
  const auto checked = [&](const Flags& final_flags) {
    check_paths(final_flags);
    check_counts(final_flags);
    return main_function(final_flags);
  };
  flags.color = ::isatty(STDOUT_FILENO) && std::getenv("NO_COLOR") == nullptr;
  try {
    if (mpi) return run_processes(argc, argv, flags, threads->count() == 0, checked);
    return checked(flags);
  } catch (const std::exception& error) {
    std::cerr << argv[0] << ": " << error.what() << "\n";
    return 1;
  }
}

}  // namespace program
