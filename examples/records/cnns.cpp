#include "record.hpp"

namespace records {

namespace {

// Two pairs of 3x3 convolutions with pooling between, and what comes after them.
template <class... End>
auto with_convolutions(Seed seed, float drop, End... end) {
  return Sequential{seed,
                    Input<28, 28, 1>{},
                    Conv2D<32, 3, 1, valid, no_bias>{},
                    BatchNormalization{},
                    ReLU{},
                    Conv2D<32, 3, 1, valid, no_bias>{},
                    BatchNormalization{},
                    ReLU{},
                    MaxPooling2D<2>{},
                    Dropout{drop},
                    Conv2D<64, 3, 1, valid, no_bias>{},
                    BatchNormalization{},
                    ReLU{},
                    Conv2D<64, 3, 1, valid, no_bias>{},
                    BatchNormalization{},
                    ReLU{},
                    MaxPooling2D<2>{},
                    Dropout{drop},
                    end...,
                    Dropout{0.4f},
                    Dense<10>{},
                    Softmax{}};
}

auto small_cnn(Seed seed) {
  return with_convolutions(seed, 0.2f, Flatten{}, Dense<48>{}, BatchNormalization{}, ReLU{});
}
auto cnn(Seed seed) {
  return with_convolutions(seed, 0.3f, Conv2D<256, 4, 1, valid, no_bias>{}, BatchNormalization{}, ReLU{},
                           Flatten{});
}

// How the images that are to be read are varied, for the mean of the answers.
constexpr Augmentation views{.rotation = 6, .shift = 1, .scale = 0.06f, .shear = 3};
constexpr std::size_t view_count = 16;

// Single models, and all of them together, each also with test-time augmentation.
void measure_ensemble(const Options& options, const std::string& wanted, std::vector<Line>& table) {
  const Recipe recipe{.name = "cnn-augmented",
                      .network = "CNN, augmentation",
                      .epochs = 25,
                      .learning_rate = 3e-3f,
                      .augmentation = {.rotation = 12, .shift = 2.5f, .scale = 0.12f, .shear = 8}};
  const auto is_wanted = [&](const std::string& name) { return wanted.empty() || wanted == name; };
  if (!is_wanted(recipe.name) && !is_wanted("cnn-views") && !is_wanted("ensemble") &&
      !is_wanted("ensemble-views"))
    return;
  const TrainTest data = data_for(options, recipe);
  const auto measured = [&](const Matrix& answers) {
    return 100 * accuracy(data.test.labels, classes_of(answers));
  };
  const auto of_views = [&](const auto& model) {
    return measured(predict_augmented(model, data.test.images, views, view_count));
  };
  const std::string views_text = "mean of an image and " + std::to_string(view_count) + " varied ones";
  Line line;
  const auto models = train_all(options, recipe, data, cnn, line);
  if (is_wanted(recipe.name)) table.push_back(line);
  if (is_wanted("cnn-views")) {
    Line varied{.name = "cnn-views",
                .network = "these CNNs, one at a time",
                .settings = views_text,
                .parameters = line.parameters,
                .seconds = line.seconds};
    for (const auto& model : models) varied.accuracies.push_back(of_views(model));
    table.push_back(varied);
  }
  if (models.size() != 5) return;
  const Ensemble ensemble{models[0], models[1], models[2], models[3], models[4]};
  Line together{.name = "ensemble",
                .network = "five of these CNNs",
                .settings = "mean of their probabilities",
                .parameters = decltype(ensemble)::parameter_count,
                .seconds = 5 * line.seconds};
  if (is_wanted(together.name)) {
    together.accuracies = {measured(ensemble.predict(data.test.images))};
    table.push_back(together);
  }
  if (is_wanted("ensemble-views")) {
    together.name = "ensemble-views";
    together.settings = views_text;
    together.accuracies = {of_views(ensemble)};
    table.push_back(together);
  }
}

}  // namespace

void measure_cnns(const Options& options, const std::string& wanted, std::vector<Line>& table) {
  using SeedCnn = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                             MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;
  measure<Method::adam>(
      options, wanted, table,
      {.name = "seed-cnn", .network = "the CNN above", .epochs = 5, .batch_size = 32, .learning_rate = 1e-3f},
      [](Seed seed) { return SeedCnn(seed); });
  measure(options, wanted, table,
          {.name = "small-cnn",
           .network = "CNN of at most 130,000 parameters",
           .epochs = 20,
           .learning_rate = 3e-3f},
          small_cnn);
  measure_ensemble(options, wanted, table);
  measure(options, wanted, table,
          {.name = "fashion-cnn",
           .network = "Fashion-MNIST: the CNN, augmentation",
           .dataset = "fashion-mnist",
           .epochs = 25,
           .learning_rate = 3e-3f,
           .augmentation = clothes_vary},
          cnn);
}

}  // namespace records
