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

// The CNN, and five of it together, each also with test-time augmentation.
void measure_ensemble(const Options& options, const std::string& wanted, std::vector<Line>& table) {
  const Recipe recipe{.name = "cnn-augmented",
                      .network = "CNN, augmentation",
                      .epochs = 50,
                      .learning_rate = 3e-3f,
                      .augmentation = {.rotation = 12, .shift = 2.5f, .scale = 0.12f, .shear = 8},
                      .views = digits_seen};
  const bool plain = is_wanted(wanted, "ensemble"), varied = is_wanted(wanted, "ensemble-views");
  const auto models = measure(options, wanted, table, recipe, cnn, plain || varied);
  if (models.size() != 5 || (!plain && !varied)) return;
  const Dataset test = data_for(options, recipe).test;
  const Ensemble ensemble{models[0], models[1], models[2], models[3], models[4]};
  Line line{.name = "ensemble",
            .network = "five of these CNNs",
            .settings = "mean of their probabilities",
            .parameters = decltype(ensemble)::parameter_count};
  if (plain) {
    line.accuracies = {100 * accuracy(test.labels, classes_of(ensemble.predict(test.images)))};
    table.push_back(line);
  }
  if (varied) {
    line.name = "ensemble-views";
    line.settings = views_text();
    line.accuracies = {accuracy_of_views(ensemble, test, recipe.views)};
    table.push_back(line);
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
           .augmentation = clothes_vary,
           .views = clothes_seen},
          cnn);
}

}  // namespace records
