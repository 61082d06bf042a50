#include "results.hpp"

#include <sys/resource.h>

#include <cmath>
#include <cstdio>
#include <digitnet/core/atomic_file.hpp>
#include <digitnet/core/number_text.hpp>
#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/train/model_checkpoint.hpp>
#ifdef DIGITNET_WITH_REPORT
#include <digitnet/report/report.hpp>
#include <digitnet/report/tensorboard.hpp>
#endif
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

namespace program {

using namespace digitnet;

Data load_data(const Flags& flags) {
  const datasets::Source source{.directory = flags.data_directory};
  if (flags.dataset == "fashion-mnist")
    return {datasets::fashion_mnist(source), flags.dataset, datasets::fashion_mnist_names()};
  if (flags.dataset == "synthetic-to-mnist")
    return {{synthetic_digits(60000, Seed{1}), datasets::mnist(source).test}, flags.dataset};
  if (flags.dataset == "mnist") {
    try {
      return {datasets::mnist(source), flags.dataset};
    } catch (const DatasetNotFound& error) {
      std::cerr << error.what() << "\nTraining on synthetic digits instead.\n";
    }
  }
  return {{synthetic_digits(60000, Seed{1}), synthetic_digits(10000, Seed{2})}, "synthetic"};
}

std::vector<CallbackHandle> callbacks(const Flags& flags) {
  std::vector<CallbackHandle> result;
#ifdef DIGITNET_WITH_REPORT
  if (!flags.tensorboard_folder.empty())
    result.emplace_back(
        TensorBoard({.log_dir = flags.tensorboard_folder, .histogram_freq = 1, .write_images = true}));
#endif
  constexpr bool delete_checkpoint = false;
  if (!flags.checkpoint_path.empty())
    result.emplace_back(BackupAndRestore(flags.checkpoint_path, delete_checkpoint));
  return result;
}

void check_folder(const std::string& folder, const std::string& file) {
#ifdef DIGITNET_WITH_REPORT
  report::make_folder(folder);
  AtomicFile(folder + "/" + file);
#else
  fail(folder +
       ": this program was built without reports and TensorBoard's files (Debian: libpng-dev), and writes "
       "no " +
       file);
#endif
}

namespace {

nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

void write_json(const Flags& flags, const Data& data, const report::Content& content) {
  nlohmann::ordered_json epochs = nlohmann::ordered_json::array();
  for (const EpochLogs& epoch : content.history.epochs)
    epochs.push_back({{"epoch", epoch.epoch},
                      {"seconds", number(epoch.seconds)},
                      {"images_per_second", number(epoch.images_per_second)},
                      {"loss", number(epoch.loss)},
                      {"accuracy", number(epoch.accuracy)},
                      {"val_loss", number(epoch.val_loss)},
                      {"val_accuracy", number(epoch.val_accuracy)}});
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const nlohmann::ordered_json json{{"model", flags.model},
                                    {"dataset", data.name},
                                    {"parameters", content.model.parameter_count()},
                                    {"seed", flags.seed},
                                    {"threads", flags.threads},
                                    {"batch_size", flags.batch_size},
                                    {"precision", flags.precision},
                                    {"epochs", epochs},
                                    {"train_seconds", number(content.history.train_seconds())},
                                    {"images_per_second", number(content.history.images_per_second())},
                                    {"test_loss", number(content.evaluation.loss)},
                                    {"test_accuracy", number(content.evaluation.accuracy)},
                                    {"peak_rss_mib", static_cast<double>(usage.ru_maxrss) / 1024}};
  const std::string text = json.dump(2) + "\n";
  AtomicFile file(flags.json_path);
  file.write(text.data(), text.size());
  file.commit();
}

#ifdef DIGITNET_WITH_REPORT
void write_report(const Flags& flags, const Data& data, report::Content& content) {
  const std::map<std::string, std::string> names{{"mnist", "MNIST"},
                                                 {"fashion-mnist", "Fashion-MNIST"},
                                                 {"synthetic", "synthetic digits"},
                                                 {"synthetic-to-mnist", "synthetic digits, tested on MNIST"}};
  content.title = flags.model + " on " + names.at(data.name);
  content.dataset = names.at(data.name);
  content.command = flags.command;
  content.settings = {{"model", flags.model},
                      {"seed", std::to_string(flags.seed)},
                      {"threads", std::to_string(flags.threads)}};
  if (!flags.load_path.empty()) content.settings.emplace_back("began with", flags.load_path);
  if (!content.history.epochs.empty()) {
    content.settings.insert(content.settings.end(),
                            {{"epochs", std::to_string(flags.epochs)},
                             {"batch size", std::to_string(flags.batch_size)},
                             {"highest learning rate", to_text(flags.learning_rate)}});
    if (flags.validation_split > 0)
      content.settings.emplace_back("validation",
                                    report::percent(flags.validation_split) + " of the training images");
  }
  const report::Written written = report::write(flags.report_folder, content);
  std::cout << "\nReport: " << flags.report_folder << "/report.html\n";
  for (const std::string& what : written.missing) std::cerr << what << "\n";
}
#endif

}  // namespace

int write_results(const Flags& flags, const Data& data, report::Content content) {
  if (!flags.json_path.empty()) write_json(flags, data, content);
#ifdef DIGITNET_WITH_REPORT
  if (!flags.report_folder.empty()) write_report(flags, data, content);
#endif
  // What a shell expects of a program that Ctrl-C ended.
  constexpr int interrupted = 130;
  if (content.history.interrupted) return interrupted;
  // All is written: the training is not needed any more.
  if (flags.trains && !flags.checkpoint_path.empty()) std::remove(flags.checkpoint_path.c_str());
  return 0;
}

}  // namespace program
