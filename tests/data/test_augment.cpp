// Augmentation, alone and in training; averaged weights; accumulated gradients.
#include <digitnet/core/dataset.hpp>
#include <digitnet/data/augment.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/batch_normalization.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/input.hpp>
#include <digitnet/layers/layer_normalization.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/train/callbacks.hpp>
#include <digitnet/train/history.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/trainer.hpp>
#include <digitnet/train/weight_averaging.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

constexpr std::size_t side = 12;
using Image = std::vector<float>;

Image varied(const Augmentation& settings, const Image& image, std::uint64_t seed,
             std::array<std::size_t, 3> extents = {side, side, 1}) {
  Image result = image;
  ImageAugmenter augmenter(settings);
  augmenter.begin(extents, 1);
  augmenter.apply(result.data(), RandomKey(Seed{seed}), 0);
  return result;
}

// A soft spot off the middle.
Image spot() {
  Image image(side * side);
  for (std::size_t r = 0; r < side; ++r)
    for (std::size_t c = 0; c < side; ++c) {
      const double y = static_cast<double>(r) - 4, x = static_cast<double>(c) - 6;
      image[r * side + c] = static_cast<float>(std::exp(-(y * y + x * x) / 6));
    }
  return image;
}
double sum(const Image& image) { return std::accumulate(image.begin(), image.end(), 0.0); }
std::array<double, 2> centre(const Image& image) {
  double r = 0, c = 0;
  for (std::size_t i = 0; i < image.size(); ++i) {
    r += image[i] * static_cast<double>(i / side);
    c += image[i] * static_cast<double>(i % side);
  }
  return {r / sum(image), c / sum(image)};
}

using Linear = Sequential<Input<side, side, 1>, Flatten, Dense<2>, Softmax>;

Dataset spots(std::size_t count) {
  Dataset data{Images::from_shape({count, side, side, 1}), Labels::from_shape({count})};
  Random random(Seed{1});
  for (std::size_t i = 0; i < count; ++i) {
    data.labels(i) = static_cast<std::uint8_t>(i % 2);
    for (std::size_t j = 0; j < side * side; ++j)
      data.images.data()[i * side * side + j] = static_cast<std::uint8_t>(
          (j % side < side / 2) == (i % 2 == 0) ? 55 + random.below(200) : random.below(80));
  }
  return data;
}

template <class Model>
std::vector<float> trained(const Dataset& data, FitOptions options, std::size_t threads = 1) {
  Model model{Seed{2}};
  Trainer trainer{model, SGD{.learning_rate = 0.1f}, CategoricalCrossentropy{}, {.threads = threads}};
  options.verbose = Verbose::silent;
  trainer.fit(data, options);
  return {model.parameters().begin(), model.parameters().end()};
}

}  // namespace

TEST_CASE("nothing varies with settings of 0, and the same key gives the same image") {
  const Image image = spot();
  CHECK(varied({}, image, 1) == image);
  const Augmentation all{
      .rotation = 20, .shift = 2, .scale = 0.2f, .shear = 10, .elastic_alpha = 20, .erasing = 1};
  CHECK(varied(all, image, 1) == varied(all, image, 1));
  CHECK(varied(all, image, 1) != varied(all, image, 2));
}

TEST_CASE("each transform does what its name says, within its bounds") {
  const Image image = spot();
  const auto [row, column] = centre(image);
  double furthest = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    // A shift moves the centre by no more than its bound, along both axes.
    const auto [r, c] = centre(varied({.shift = 1.5f}, image, seed));
    CHECK(std::abs(r - row) < 1.6);
    CHECK(std::abs(c - column) < 1.6);
    furthest = std::max({furthest, std::abs(r - row), std::abs(c - column)});
    // A rotation keeps the distance from the middle, and the ink.
    const Image turned = varied({.rotation = 90}, image, seed);
    const auto distance = [](std::array<double, 2> p) { return std::hypot(p[0] - 5.5, p[1] - 5.5); };
    CHECK(std::abs(distance(centre(turned)) - distance({row, column})) < 0.1);
    CHECK(sum(turned) == doctest::Approx(sum(image)).epsilon(0.02));
    // Scaling multiplies the ink by the product of the factors.
    const double ink = sum(varied({.scale = 0.25f}, image, seed)) / sum(image);
    CHECK(ink > 0.74 * 0.74);
    CHECK(ink < 1.27 * 1.27);
    // Elastic distortion moves things, but not far.
    const Image bent = varied({.elastic_alpha = 8, .elastic_sigma = 3}, image, seed);
    CHECK(bent != image);
    CHECK(std::abs(centre(bent)[0] - row) < 2);
    // Half of the images are mirrored.
    const Image flipped = varied({.horizontal_flip = true}, image, seed);
    CHECK((flipped == image || std::abs(centre(flipped)[1] - (11 - column)) < 1e-4));
  }
  CHECK(furthest > 1.2);
}

TEST_CASE("elastic displacements have the size that Simard's method gives") {
  // Noise of variance 1/3 under a Gaussian of sigma has the variance 1 / (3 * 4 pi sigma^2) well inside.
  const std::size_t large = 64;
  Image ramp(large * large);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i % large);
  const double alpha = 40, sigma = 4;
  double squares = 0, count = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Image bent =
        varied({.elastic_alpha = static_cast<float>(alpha), .elastic_sigma = static_cast<float>(sigma)}, ramp,
               seed, {large, large, 1});
    for (std::size_t r = 20; r < 44; ++r)
      for (std::size_t c = 20; c < 44; ++c, ++count)
        squares += std::pow(bent[r * large + c] - static_cast<float>(c), 2);
  }
  const double wanted = alpha * std::sqrt(1.0 / 3 / (4 * std::numbers::pi * sigma * sigma));
  CHECK(std::sqrt(squares / count) == doctest::Approx(wanted).epsilon(0.1));
}

TEST_CASE("channels move together, flat samples are square images") {
  const Image image = spot();
  Image colours;
  for (const float value : image) colours.insert(colours.end(), {value, 2 * value, 0.0f});
  const Augmentation settings{.rotation = 30, .elastic_alpha = 10, .horizontal_flip = true};
  const Image one = varied(settings, image, 3), three = varied(settings, colours, 3, {side, side, 3});
  for (std::size_t i = 0; i < image.size(); ++i) {
    CHECK(three[3 * i] == one[i]);
    CHECK(three[3 * i + 1] == doctest::Approx(2 * one[i]));
    CHECK(three[3 * i + 2] == 0);
  }
  ImageAugmenter augmenter(settings);
  Image flat = image;
  augmenter.begin(std::array<std::size_t, 1>{side * side}, 1);
  augmenter.apply(flat.data(), RandomKey(Seed{3}), 0);
  CHECK(flat == one);
}

TEST_CASE("random erasing leaves all but a rectangle") {
  const Image image(side * side, 2.0f);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Image erased = varied({.erasing = 1}, image, seed);
    std::size_t top = side, bottom = 0, left = side, right = 0, changed = 0;
    for (std::size_t i = 0; i < erased.size(); ++i) {
      if (erased[i] == 2.0f) continue;
      ++changed;
      CHECK((erased[i] >= 0 && erased[i] < 1));
      top = std::min(top, i / side);
      bottom = std::max(bottom, i / side);
      left = std::min(left, i % side);
      right = std::max(right, i % side);
    }
    CHECK(changed >= 1);
    CHECK(changed == (bottom - top + 1) * (right - left + 1));
    CHECK(changed <= side * side * 0.45);
  }
}

TEST_CASE("errors of augmentation name what was found and what is possible") {
  CHECK_ERROR("Augmentation's rotation must be from 0", varied({.rotation = -1}, spot(), 1));
  CHECK_ERROR("Augmentation's scale must be from 0", varied({.scale = 1}, spot(), 1));
  ImageAugmenter augmenter(Augmentation{.rotation = 1});
  CHECK_ERROR("15 is no square number", augmenter.begin(std::array<std::size_t, 1>{15}, 1));
  CHECK_ERROR("samples of shape (3, 5)", augmenter.begin(std::array<std::size_t, 2>{3, 5}, 1));
}

TEST_CASE("training with augmentation gives the same bits with any number of threads") {
  const Dataset data = spots(50);
  const FitOptions options{
      .epochs = 2,
      .batch_size = 16,
      .augmentation =
          Augmentation{.rotation = 10, .shift = 1, .elastic_alpha = 5, .erasing = 0.5f, .mixup = 0.4f}};
  const auto one = trained<Linear>(data, options, 1);
  CHECK(one == trained<Linear>(data, options, 3));
  CHECK(one != trained<Linear>(data, {.epochs = 2, .batch_size = 16}, 1));
}

TEST_CASE("mixup trains on mixtures of samples and of their targets") {
  // Two samples of different labels: the parts decide the targets, so the loss at a uniform answer is log 2
  // whatever they are, and weights move less than with pure samples.
  struct Half : SampleTransform {
    void begin(std::span<const std::size_t>, std::size_t) override {}
    void apply(float*, RandomKey, std::size_t) override {}
    float part_in_mixture(RandomKey) const override { return 0.5f; }
  } half;
  Dataset data = spots(2);
  data.labels(1) = 1;
  Linear model;
  std::ranges::fill(model.parameters(), 0.0f);
  Trainer trainer{model, SGD{.learning_rate = 1.0f}, CategoricalCrossentropy{}};
  const History history =
      trainer.fit(data, {.batch_size = 2, .augmentation = &half, .verbose = Verbose::silent});
  CHECK(history.epochs[0].loss == doctest::Approx(std::log(2.0)));
  // A sample mixed with the other half and half has the target (1/2, 1/2): no gradient. Mixed with itself, it
  // has its own. So the bias tells who was mixed with whom.
  const auto bias = model.parameter("dense/bias");
  CHECK(bias(0) == doctest::Approx(-bias(1)));
  CHECK(std::abs(bias(0)) <= 0.26f);
}

TEST_CASE("accumulated gradients are those of one large batch") {
  const Dataset data = spots(70);
  using Net = Sequential<Input<side, side, 1>, Flatten, Dense<8>, ReLU, Dense<2>, Softmax>;
  const auto large = trained<Net>(data, {.epochs = 2, .batch_size = 28});
  const auto parts = trained<Net>(data, {.epochs = 2, .batch_size = 7, .gradient_accumulation = 4});
  support::check_close(parts, large, 1e-6);
  CHECK(trained<Net>(data, {.epochs = 2, .batch_size = 7, .gradient_accumulation = 4}, 3) == parts);
  CHECK_ERROR("gradient_accumulation must be at least 1", trained<Net>(data, {.gradient_accumulation = 0}));
}

namespace {

// Remembers the parameters after each step, and at the end of each epoch.
struct Recorder : Callback {
  std::vector<std::vector<float>> steps, epochs;
  void on_batch_end(TrainingControl& control, std::size_t, const EpochLogs&) override {
    steps.emplace_back(control.parameters().begin(), control.parameters().end());
  }
  void on_epoch_end(TrainingControl& control, const EpochLogs&) override {
    epochs.emplace_back(control.parameters().begin(), control.parameters().end());
  }
};

}  // namespace

TEST_CASE("ExponentialMovingAverage ends with the average of the steps") {
  const Dataset data = spots(40);
  for (const std::size_t every : {1u, 2u}) {
    Recorder recorder;
    const auto found = trained<Linear>(
        data, {.epochs = 3,
               .batch_size = 10,
               .callbacks = {&recorder, ExponentialMovingAverage{{.momentum = 0.5f, .every = every}}}});
    std::vector<double> wanted;
    double t = 0;
    for (std::size_t step = every - 1; step < recorder.steps.size(); step += every, ++t) {
      const double kept = t == 0 ? 0 : std::min(std::pow(0.5, every), (1 + t) / (10 + t));
      wanted.resize(found.size());
      for (std::size_t i = 0; i < found.size(); ++i)
        wanted[i] = kept * wanted[i] + (1 - kept) * recorder.steps[step][i];
    }
    support::check_close(found, wanted, 1e-6);
    CHECK(found != recorder.steps.back());
  }
  CHECK_ERROR("momentum must be at least 0 and below 1", ExponentialMovingAverage{{.momentum = 1}});
}

TEST_CASE("StochasticWeightAveraging ends with the mean of the epochs, and statistics that fit it") {
  const Dataset data = spots(40);
  {
    Recorder recorder;
    const auto found =
        trained<Linear>(data, {.epochs = 4,
                               .batch_size = 10,
                               .callbacks = {&recorder, StochasticWeightAveraging{{.start_epoch = 3}}}});
    std::vector<float> wanted;
    for (std::size_t i = 0; i < found.size(); ++i)
      wanted.push_back((recorder.epochs[2][i] + recorder.epochs[3][i]) / 2);
    support::check_close(found, wanted, 1e-6);
  }
  using Net =
      Sequential<Input<side, side, 1>, Flatten, Dense<6>, BasicBatchNormalization<>, ReLU, Dense<2>, Softmax>;
  Net model{Seed{2}};
  Trainer trainer{model, SGD{.learning_rate = 0.1f}, CategoricalCrossentropy{}};
  Recorder recorder;
  trainer.fit(data, {.epochs = 6,
                     .batch_size = 10,
                     .callbacks = {&recorder, StochasticWeightAveraging{{.start_epoch = 5}}},
                     .verbose = Verbose::silent});
  const std::size_t trained_end = 144 * 6 + 16;
  for (std::size_t i = 0; i < trained_end; ++i)
    CHECK(model.parameters()[i] ==
          doctest::Approx((recorder.epochs[4][i] + recorder.epochs[5][i]) / 2).epsilon(1e-4));
  const auto mean = model.parameter("batch_normalization/moving_mean");
  CHECK(std::vector<float>(mean.begin(), mean.end()) !=
        std::vector<float>(recorder.epochs[5].begin() + 144 * 6 + 48,
                           recorder.epochs[5].begin() + 144 * 6 + 54));
}

TEST_CASE("test-time augmentation averages the answers to varied images") {
  const Dataset data = spots(9);
  const Linear model{Seed{4}};
  support::check_close(predict_augmented(model, data.images, {}, 3), model.predict(data.images), 1e-6);
  const Matrix varied = predict_augmented(model, data.images, {.rotation = 20, .shift = 2}, 4);
  CHECK(varied == predict_augmented(model, data.images, {.rotation = 20, .shift = 2}, 4));
  CHECK(varied != model.predict(data.images));
  for (std::size_t i = 0; i < 9; ++i) CHECK(varied(i, 0) + varied(i, 1) == doctest::Approx(1));
}
