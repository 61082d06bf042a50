// Reproduces the accuracy table of docs/accuracy.md: trains each of its networks five times, with different
// seeds, on all training images, and measures it once on the test images. Settings were chosen on the last
// 5,000 training images, held out (--validate).
#include <CLI/CLI.hpp>
#include <digitnet/core/atomic_file.hpp>
#include <digitnet/core/number_text.hpp>
#include <fstream>
#include <iostream>

#include "records/record.hpp"
#include "support/number_option.hpp"

namespace records {

TrainTest data_for(const Options& options, const Recipe& recipe) {
  TrainTest data = recipe.dataset == "mnist" ? datasets::mnist() : datasets::fashion_mnist();
  constexpr std::size_t held_out = 5000;
  if (!options.validate) return data;
  const std::size_t trained = data.train.size() - held_out;
  return {data.train.slice(0, trained), data.train.slice(trained, held_out)};
}

std::string settings_text(const Recipe& recipe) {
  const auto number = [](float value) { return to_text(double{value}, 6); };
  std::string text = std::to_string(recipe.epochs) + " epochs, batch " + std::to_string(recipe.batch_size) +
                     ", " + (recipe.method == Method::sgd ? "SGD" : "Adam") + ", rate " +
                     (recipe.method == Method::averaged ? "to " : "") + number(recipe.learning_rate);
  if (recipe.method == Method::averaged) text += ", average " + number(recipe.average);
  const auto add = [&](const char* name, float value, const char* unit = "") {
    if (value > 0) text.append(", ").append(name).append(" ").append(number(value)).append(unit);
  };
  add("label smoothing", recipe.label_smoothing);
  add("weight decay", recipe.weight_decay);
  const Augmentation& vary = recipe.augmentation;
  add("rotation", vary.rotation, "°");
  add("shift", vary.shift, " px");
  add("scale", vary.scale);
  add("shear", vary.shear, "°");
  add("elastic", vary.elastic_alpha);
  if (vary.elastic_alpha > 0) text += "/" + number(vary.elastic_sigma);
  if (vary.horizontal_flip) text += ", flip";
  add("erasing", vary.erasing);
  add("mixup", vary.mixup);
  return text;
}

std::string kept_path(const Options& options, const Recipe& recipe, std::uint64_t seed) {
  if (options.keep.empty()) return "";
  return options.keep + "/" + recipe.name + "-" + std::to_string(seed) +
         (options.validate ? "-validate" : "") + ".safetensors";
}
double kept_seconds(const std::string& path, const std::string& settings) {
  std::ifstream file(path + ".seconds");
  std::string seconds, kept;
  if (path.empty() || !std::getline(file, seconds) || !std::getline(file, kept) || kept != settings) return 0;
  return parse_number<double>(seconds).value_or(0);
}
void keep_seconds(const std::string& path, double seconds, const std::string& settings) {
  const std::string text = to_fixed_text(seconds, 6) + "\n" + settings + "\n";
  AtomicFile file(path + ".seconds");
  file.write(text.data(), text.size());
  file.commit();
}

namespace {

void print(const std::vector<Line>& table, const std::string& what) {
  std::printf("\n| name | network | settings | parameters | %s | seconds |\n|---|---|---|---|---|---|\n",
              what.c_str());
  for (const Line& line : table) {
    const std::string parameters = digitnet::detail::with_thousands(line.parameters);
    std::printf("| `%s` | %s | %s | %s | %.2f", line.name.c_str(), line.network.c_str(),
                line.settings.c_str(), parameters.c_str(), mean(line.accuracies));
    if (line.accuracies.size() > 1) std::printf(" ± %.2f", deviation(line.accuracies));
    std::printf(" %% | ");
    if (line.seconds > 0) std::printf("%.0f ", line.seconds);
    std::printf("|\n");
  }
}

}  // namespace

}  // namespace records

int main(int argc, char** argv) {
  using namespace records;
  Options options;
  std::string wanted;
  CLI::App app{"Trains the networks of the accuracy table and prints it."};
  app.add_option("--only", wanted, "one line of the table, by its name")
      ->check(CLI::IsMember({"linear", "seed-ann", "seed-cnn", "ann", "ann-augmented", "small-cnn",
                             "cnn-augmented", "cnn-augmented-views", "ensemble", "ensemble-views", "resnet",
                             "mobilenet", "fashion-cnn", "fashion-cnn-views", "fashion-resnet",
                             "fashion-resnet-views"}));
  app.add_option_function<std::vector<std::string>>(
         "--seeds",
         [&](const std::vector<std::string>& texts) {
           options.seeds.clear();
           for (const std::string& text : texts)
             options.seeds.push_back(program::option_number<std::uint64_t>("--seeds", text));
         },
         "of initial weights and all other randomness")
      ->delimiter(',');
  program::add_number(app, "--threads", options.threads,
                      "threads to train on; the results do not depend on it");
  app.add_flag("--validate", options.validate,
               "train on all but the last 5,000 training images and measure on these");
  app.add_option("--keep", options.keep, "folder for the trained models; what is there is not trained again")
      ->check(CLI::ExistingDirectory);
  app.add_option("--report", options.report,
                 "folder for a report of each network's first seed (as mnist_cnn --report)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  try {
    std::vector<Line> table;
    measure_anns(options, wanted, table);
    measure_cnns(options, wanted, table);
    measure_resnets(options, wanted, table);
    measure_mobilenets(options, wanted, table);
    print(table, options.validate ? "of 5,000 held out images" : "of the test images");
  } catch (const std::exception& error) {
    std::cerr << argv[0] << ": " << error.what() << "\n";
    return 1;
  }
}
