// How a network of the accuracy table is trained and measured, several times with different seeds.
#pragma once
#include <chrono>
#include <cmath>
#include <cstdio>
#include <digitnet/digitnet.hpp>
#ifdef DIGITNET_WITH_REPORT
#include <digitnet/report/report.hpp>
#endif
#include <string>
#include <vector>

namespace records {

using namespace digitnet;

/// What the command line asks for.
struct Options {
  std::vector<std::uint64_t> seeds{1, 2, 3, 4, 5};
  std::size_t threads = hardware_threads();
  bool validate = false;  ///< train on all but the last 5,000 training images, and measure on these
  std::string keep{};     ///< folder that keeps trained models, so that a run that was ended goes on
  std::string report{};   ///< folder for a report of each network's first seed, in a folder of its name
};

/// How a network is trained: with Adam, a rate that rises over a tenth of the steps and falls to zero, and
/// averaged parameters; or, as in the Keras tutorials, with Adam or SGD at a constant rate.
enum class Method { averaged, adam, sgd };

/// A line of the table: what is trained, on what, and how.
struct Recipe {
  Method method = Method::averaged;
  std::string name, network, dataset = "mnist";
  std::size_t epochs = 1, batch_size = 64;
  float learning_rate = 1e-3f, average = 0.999f, label_smoothing = 0, weight_decay = 0;
  Augmentation augmentation{};
  Augmentation views{};  ///< of the images that are read, for a second line with the mean of the answers
};

/// What was measured.
struct Line {
  std::string name, network, settings;
  std::size_t parameters = 0;
  std::vector<double> accuracies{};  ///< percent, one a seed
  double seconds = 0;                ///< of one training, the mean; 0 where nothing more was trained
};

inline double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}
inline double deviation(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) squares += std::pow(value - mean(values), 2);
  return values.size() > 1 ? std::sqrt(squares / static_cast<double>(values.size() - 1)) : 0;
}

/// The images to train on and those to measure on.
TrainTest data_for(const Options& options, const Recipe& recipe);
/// "20 epochs, batch 64, rate 0.003, ..."
std::string settings_text(const Recipe& recipe);

/// Where a trained model is kept, and beside it its seconds and settings; "" for nowhere.
std::string kept_path(const Options& options, const Recipe& recipe, std::uint64_t seed);
/// The seconds that a kept model was trained for; 0 where there is none, or one of other settings.
double kept_seconds(const std::string& path, const std::string& settings);
void keep_seconds(const std::string& path, double seconds, const std::string& settings);

template <Method method>
auto optimizer_of(const Recipe& recipe, std::size_t samples) {
  if constexpr (method == Method::sgd) {
    return SGD{.learning_rate = recipe.learning_rate};
  } else if constexpr (method == Method::adam) {
    return Adam{.learning_rate = recipe.learning_rate};
  } else {
    const std::size_t steps = (samples + recipe.batch_size - 1) / recipe.batch_size * recipe.epochs;
    return Adam{
        .learning_rate = OneCycle{.peak = recipe.learning_rate, .total_steps = steps, .rising_part = 0.1f},
        .weight_decay = recipe.weight_decay};
  }
}

/// A report of a model that was just trained.
template <class Model>
void write_report(const std::string& folder, const Recipe& recipe, const Model& model, const Dataset& test,
                  const History& history, const Evaluation& evaluation, std::uint64_t seed) {
#ifdef DIGITNET_WITH_REPORT
  report::Content content = report::content_of(model, test);
  content.title = recipe.network;
  content.dataset = recipe.dataset;
  content.command = "mnist_records --only " + recipe.name;
  content.settings = {{"seed", std::to_string(seed)}, {"settings", settings_text(recipe)}};
  if (recipe.dataset == "fashion-mnist") content.class_names = datasets::fashion_mnist_names();
  content.history = history;
  content.evaluation = evaluation;
  report::write(folder + "/" + recipe.name, content);
#else
  (void)recipe, (void)model, (void)test, (void)history, (void)evaluation, (void)seed;
  fail(folder + ": this program was built without reports (Debian: libpng-dev)");
#endif
}

/// Trains (or finds kept) a model of each seed, and measures it. `make` gives a model of a seed.
template <Method method = Method::averaged, class Make>
auto train_all(const Options& options, const Recipe& recipe, const TrainTest& data, const Make& make,
               Line& line) {
  std::vector<decltype(make(Seed{}))> models;
  using Model = decltype(make(Seed{}));
  line = {.name = recipe.name,
          .network = recipe.network,
          .settings = settings_text(recipe),
          .parameters = Model::parameter_count};
  for (const std::uint64_t seed : options.seeds) {
    models.push_back(make(Seed{seed}));
    Model& model = models.back();
    const std::string path = kept_path(options, recipe, seed);
    double seconds = kept_seconds(path, line.settings);
    Trainer trainer{model,
                    optimizer_of<method>(recipe, data.train.size()),
                    CategoricalCrossentropy{.label_smoothing = recipe.label_smoothing},
                    {.threads = options.threads, .seed = Seed{seed}}};
    History history;
    if (seconds > 0) {
      load_safetensors(model, path);
    } else {
      FitOptions fit{.epochs = recipe.epochs, .batch_size = recipe.batch_size, .verbose = Verbose::silent};
      if (recipe.augmentation != Augmentation{}) fit.augmentation = recipe.augmentation;
      if (method == Method::averaged)
        fit.callbacks = {ExponentialMovingAverage{{.momentum = recipe.average, .every = 4}}};
      const auto begin = std::chrono::steady_clock::now();
      history = trainer.fit(data.train, fit);
      seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      if (history.interrupted) fail("Interrupted: what was trained before is kept where --keep is given");
      if (!path.empty()) {
        save_safetensors(model, path);
        keep_seconds(path, seconds, line.settings);
      }
    }
    const Evaluation evaluation = trainer.evaluate(data.test);
    const double found = 100 * evaluation.accuracy;
    if (!options.report.empty() && seed == options.seeds.front())
      write_report(options.report, recipe, model, data.test, history, evaluation, seed);
    std::printf("%s, seed %llu: %.2f %% after %.0f s\n", recipe.name.c_str(),
                static_cast<unsigned long long>(seed), found, seconds);
    std::fflush(stdout);
    line.accuracies.push_back(found);
    line.seconds += seconds / static_cast<double>(options.seeds.size());
  }
  return models;
}

/// The lines that each file measures, if `wanted` (a name, or "" for all) is among them.
void measure_anns(const Options& options, const std::string& wanted, std::vector<Line>& table);
void measure_cnns(const Options& options, const std::string& wanted, std::vector<Line>& table);
void measure_resnets(const Options& options, const std::string& wanted, std::vector<Line>& table);
void measure_mobilenets(const Options& options, const std::string& wanted, std::vector<Line>& table);

inline bool is_wanted(const std::string& wanted, const std::string& name) {
  return wanted.empty() || wanted == name;
}

/// Right answers, in percent, by the mean over an image and varied ones (test-time augmentation).
inline constexpr std::size_t view_count = 16;
template <class Model>
double accuracy_of_views(const Model& model, const Dataset& test, const Augmentation& views) {
  return 100 * accuracy(test.labels, classes_of(predict_augmented(model, test.images, views, view_count)));
}
inline std::string views_text() {
  return "mean of an image and " + std::to_string(view_count) + " varied ones";
}

/// The lines of a network that are wanted: as it is, and NAME-views where the recipe has them. Returns the
/// models; none where no line is wanted, nor are they `needed` otherwise.
template <Method method = Method::averaged, class Make>
auto measure(const Options& options, const std::string& wanted, std::vector<Line>& table, Recipe recipe,
             const Make& make, bool needed = false) {
  recipe.method = method;
  const bool varied = recipe.views != Augmentation{} && is_wanted(wanted, recipe.name + "-views");
  std::vector<decltype(make(Seed{}))> models;
  if (!is_wanted(wanted, recipe.name) && !varied && !needed) return models;
  const TrainTest data = data_for(options, recipe);
  Line line;
  models = train_all<method>(options, recipe, data, make, line);
  if (is_wanted(wanted, recipe.name)) table.push_back(line);
  if (varied) {
    line.name += "-views";
    line.network = "these models, one at a time";
    line.settings = views_text();
    line.accuracies.clear();
    line.seconds = 0;
    for (const auto& model : models)
      line.accuracies.push_back(accuracy_of_views(model, data.test, recipe.views));
    table.push_back(line);
  }
  return models;
}

/// How MNIST's digits are varied for dense networks, and for convolutions, which elastic distortion makes
/// worse.
inline constexpr Augmentation digits_vary{
    .rotation = 8, .shift = 1.5f, .scale = 0.1f, .shear = 5, .elastic_alpha = 36, .elastic_sigma = 5};
inline constexpr Augmentation digits_move{.rotation = 10, .shift = 2, .scale = 0.1f, .shear = 5};
/// And Fashion-MNIST's clothes.
inline constexpr Augmentation clothes_vary{.shift = 1, .horizontal_flip = true};
/// Digits and clothes that are read.
inline constexpr Augmentation digits_seen{.rotation = 6, .shift = 1, .scale = 0.06f, .shear = 3};
inline constexpr Augmentation clothes_seen = clothes_vary;

}  // namespace records
