#include "program.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdlib>
#include <digitnet/core/atomic_file.hpp>
#include <digitnet/core/number_text.hpp>
#include <filesystem>
#ifdef DIGITNET_WITH_REPORT
#include <digitnet/report/report.hpp>
#include <digitnet/report/tensorboard.hpp>
#endif
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "number_option.hpp"

namespace program {

using namespace digitnet;

namespace {

void check_report_folder(const std::string& folder) {
#ifdef DIGITNET_WITH_REPORT
  report::make_folder(folder);
  AtomicFile(folder + "/report.html");
#else
  fail(folder + ": this program was built without reports (Debian: libpng-dev)");
#endif
}

// Before a schedule is made of their product.
void check_counts(const Settings& settings) {
  constexpr std::size_t most = 1'000'000'000;
  if (settings.epochs == std::size_t{0}) fail("fit needs at least 1 epoch, but 0 were asked for");
  if (settings.batch_size == std::size_t{0}) fail("The batch size must be at least 1, but is 0");
  if (std::max(settings.epochs.value_or(1), settings.batch_size.value_or(1)) > most)
    fail("--epochs and --batch-size may be " + std::to_string(most) + " at most");
}

void check_tensorboard_folder(const std::string& folder) {
#ifdef DIGITNET_WITH_REPORT
  report::make_folder(folder);
  AtomicFile(folder + "/events");
#else
  fail(folder + ": this program was built without TensorBoard's files (Debian: libpng-dev)");
#endif
}

}  // namespace

int run(int argc, char** argv, const std::string& description, const std::vector<std::string>& models,
        const std::function<int(const Settings&)>& main_function) {
  Settings settings{.model = models.front()};
  for (int i = 0; i < argc; ++i)
    settings.command +=
        (i ? " " : "") + (i ? std::string(argv[i]) : std::filesystem::path(argv[0]).filename().string());
  CLI::App app{description};
  app.add_option("--model", settings.model, "the network to train")
      ->check(CLI::IsMember(models))
      ->capture_default_str();
  app.add_option("--dataset", settings.dataset,
                 "what to learn; synthetic-to-mnist learns from drawn digits and is tested on MNIST")
      ->check(CLI::IsMember({"mnist", "fashion-mnist", "synthetic", "synthetic-to-mnist"}))
      ->capture_default_str();
  app.add_option("--data", settings.data_directory,
                 "folder of the dataset's four files (default: $DIGITNET_DATA, the user's cache, system "
                 "folders, a download)");
  add_number(app, "--epochs", settings.epochs, "times that every image is seen (default: the model's own)");
  add_number(app, "--batch-size", settings.batch_size, "images a step (default: the model's own)");
  add_number(app, "--learning-rate", settings.learning_rate,
             "the (highest) learning rate (default: the model's own)");
  add_number(app, "--validation-split", settings.validation_split,
             "last part of the training images that is held out");
  add_number(app, "--threads", settings.threads, "threads to train on");
  add_number(app, "--seed", settings.seed, "of initial weights and all other randomness");
  app.add_option("--json", settings.json_path, "file to write the results to");
  app.add_option("--load", settings.load_path,
                 "file with the model's parameters to begin with: .safetensors, .keras, .h5 or .weights.h5; "
                 "trains only if --epochs is given too");
  app.add_option("--save", settings.save_path,
                 "file to write the trained model to: .safetensors, .keras, .h5, .weights.h5 or .onnx");
  app.add_option("--checkpoint", settings.checkpoint_path,
                 "file that keeps the training after each epoch; a run that was killed goes on from it");
  app.add_option("--report", settings.report_folder,
                 "folder for a report: report.html, pictures of the training and of mistakes, a model card");
  app.add_option("--tensorboard", settings.tensorboard_folder,
                 "folder for TensorBoard's event files, written while the model trains");
  app.add_flag("--quiet", settings.quiet, "print only the results");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  try {
    // What cannot be written is better known before an hour of training than after it.
    if (!settings.json_path.empty()) AtomicFile(settings.json_path);
    if (!settings.report_folder.empty()) check_report_folder(settings.report_folder);
    if (!settings.tensorboard_folder.empty()) check_tensorboard_folder(settings.tensorboard_folder);
    check_counts(settings);
    return main_function(settings);
  } catch (const std::exception& error) {
    std::cerr << argv[0] << ": " << error.what() << "\n";
    return 1;
  }
}

std::vector<CallbackHandle> callbacks(const Settings& settings) {
  std::vector<CallbackHandle> result;
#ifdef DIGITNET_WITH_REPORT
  if (!settings.tensorboard_folder.empty())
    result.emplace_back(
        TensorBoard({.log_dir = settings.tensorboard_folder, .histogram_freq = 1, .write_images = true}));
#else
  (void)settings;
#endif
  return result;
}

TrainTest load(const Settings& settings, std::string& dataset) {
  dataset = settings.dataset;
  const datasets::Source source{.directory = settings.data_directory};
  if (dataset == "fashion-mnist") return datasets::fashion_mnist(source);
  if (dataset == "synthetic-to-mnist")
    return {synthetic_digits(60000, Seed{1}), datasets::mnist(source).test};
  if (dataset == "mnist") {
    try {
      return datasets::mnist(source);
    } catch (const DatasetNotFound& error) {
      std::cerr << error.what() << "\nTraining on synthetic digits instead.\n";
      dataset = "synthetic";
    }
  }
  return {synthetic_digits(60000, Seed{1}), synthetic_digits(10000, Seed{2})};
}

namespace {

nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

void write_json(const Settings& settings, const Result& result) {
  nlohmann::ordered_json epochs = nlohmann::ordered_json::array();
  for (const EpochLogs& epoch : result.history.epochs)
    epochs.push_back({{"epoch", epoch.epoch},
                      {"seconds", number(epoch.seconds)},
                      {"images_per_second", number(epoch.images_per_second)},
                      {"loss", number(epoch.loss)},
                      {"accuracy", number(epoch.accuracy)},
                      {"val_loss", number(epoch.val_loss)},
                      {"val_accuracy", number(epoch.val_accuracy)}});
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const nlohmann::ordered_json json{{"model", settings.model},
                                    {"dataset", result.dataset},
                                    {"parameters", result.model.parameter_count()},
                                    {"seed", settings.seed},
                                    {"threads", settings.threads},
                                    {"batch_size", result.batch_size},
                                    {"epochs", epochs},
                                    {"train_seconds", number(result.history.train_seconds())},
                                    {"images_per_second", number(result.history.images_per_second())},
                                    {"test_loss", number(result.test.loss)},
                                    {"test_accuracy", number(result.test.accuracy)},
                                    {"peak_rss_mib", static_cast<double>(usage.ru_maxrss) / 1024}};
  const std::string text = json.dump(2) + "\n";
  AtomicFile file(settings.json_path);
  file.write(text.data(), text.size());
  file.commit();
}

std::vector<std::string> class_names(const Result& result) {
  return result.dataset == "fashion-mnist" ? datasets::fashion_mnist_names() : std::vector<std::string>{};
}

#ifdef DIGITNET_WITH_REPORT
void write_report(const Settings& settings, const Result& result, const TrainTest& data) {
  const std::map<std::string, std::string> names{{"mnist", "MNIST"},
                                                 {"fashion-mnist", "Fashion-MNIST"},
                                                 {"synthetic", "synthetic digits"},
                                                 {"synthetic-to-mnist", "synthetic digits, tested on MNIST"}};
  const std::string& dataset = names.at(result.dataset);
  report::Content content{.title = settings.model + " on " + dataset,
                          .dataset = dataset,
                          .command = settings.command,
                          .settings = {{"model", settings.model},
                                       {"seed", std::to_string(settings.seed)},
                                       {"threads", std::to_string(settings.threads)}},
                          .model = result.model,
                          .plan = result.plan,
                          .parameters = result.parameters,
                          .history = result.history,
                          .evaluation = result.test,
                          .train = &data.train,
                          .test = &data.test,
                          .scores = result.scores};
  content.class_names = class_names(result);
  if (!settings.load_path.empty()) content.settings.emplace_back("began with", settings.load_path);
  if (!result.history.epochs.empty()) {
    content.settings.insert(content.settings.end(),
                            {{"epochs", std::to_string(result.epochs)},
                             {"batch size", std::to_string(result.batch_size)},
                             {"highest learning rate", to_text(result.learning_rate)}});
    if (settings.validation_split > 0)
      content.settings.emplace_back("validation",
                                    report::percent(settings.validation_split) + " of the training images");
  }
  const report::Written written = report::write(settings.report_folder, content);
  std::cout << "\nReport: " << settings.report_folder << "/report.html\n";
  for (const std::string& what : written.missing) std::cerr << what << "\n";
}
#endif

}  // namespace

int report(const Settings& settings, const Result& result, const TrainTest& data) {
  const Labels& labels = data.test.labels;
  const Labels predictions = classes_of(result.scores);
  std::cout << "\nTest: loss " << result.test.loss << ", accuracy "
            << percent_with_error(result.test.accuracy, labels.size()) << " (" << result.dataset << ", "
            << labels.size() << " images)\n\n"
            << classification_report(labels, predictions, class_names(result)) << "\n";
  const ConfusionMatrix counts = confusion_matrix(labels, predictions, 10);
  const std::vector<std::string> names = class_names(result);
  const bool color = ::isatty(STDOUT_FILENO) && std::getenv("NO_COLOR") == nullptr;
  std::cout << (color ? terminal_confusion_matrix(counts, names) : confusion_table(counts)) << std::flush;
  if (!settings.json_path.empty()) write_json(settings, result);
#ifdef DIGITNET_WITH_REPORT
  if (!settings.report_folder.empty()) write_report(settings, result, data);
#endif
  constexpr int interrupted = 130;  // what a shell expects of a program that Ctrl-C ended
  return result.history.interrupted ? interrupted : 0;
}

}  // namespace program
