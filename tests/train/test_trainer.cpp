#include <csignal>
#include <digitnet/digitnet.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

using Net = Sequential<Input<784>, Dense<32>, ReLU, Dense<10>, Softmax>;

FitOptions options(std::size_t epochs, std::size_t batch_size = 32) {
  FitOptions result;
  result.epochs = epochs;
  result.batch_size = batch_size;
  result.verbose = Verbose::silent;
  return result;
}

const Dataset& digits() {
  static const Dataset data = synthetic_digits(600, Seed{1});
  return data;
}
const Dataset& more_digits() {
  static const Dataset data = synthetic_digits(200, Seed{2});
  return data;
}

}  // namespace

TEST_CASE("a model learns, and history says how") {
  Net model{Seed{1}};
  Trainer trainer{model, Adam{.learning_rate = 3e-3f}, CategoricalCrossentropy{}, {.threads = 2}};
  FitOptions settings = options(8);
  settings.validation = &more_digits();
  const History history = trainer.fit(digits(), settings);
  REQUIRE(history.epochs.size() == 8);
  CHECK(history.epochs.back().accuracy > 0.95);
  CHECK(history.epochs.back().val_accuracy > 0.9);
  CHECK(history.epochs.back().loss < history.epochs.front().loss);
  CHECK(history.epochs.back().learning_rate == doctest::Approx(3e-3));
  CHECK(history.train_seconds() > 0);
  CHECK(history.images_per_second() > 0);
  CHECK_FALSE(history.interrupted);
  const Evaluation evaluation = trainer.evaluate(more_digits());
  CHECK(evaluation.accuracy == history.epochs.back().val_accuracy);
  CHECK(evaluation.loss == history.epochs.back().val_loss);
  CHECK(evaluation.accuracy == accuracy(more_digits().labels, model.predict_classes(more_digits().images)));
  CHECK(trainer.steps() == 8 * 19);
}

TEST_CASE("regression, one-hot rows and a single output learn as well") {
  Matrix x = Matrix::from_shape({256, 2}), y = Matrix::from_shape({256, 1}),
         one_hot = Matrix::from_shape({256, 2});
  Labels sign = Labels::from_shape({256});
  Random random(Seed{4});
  for (std::size_t i = 0; i < 256; ++i) {
    x(i, 0) = static_cast<float>(random.uniform(-1, 1));
    x(i, 1) = static_cast<float>(random.uniform(-1, 1));
    y(i, 0) = 2 * x(i, 0) - x(i, 1) + 0.5f;
    sign(i) = y(i, 0) > 0;
    one_hot(i, 0) = sign(i) ? 0 : 1;
    one_hot(i, 1) = sign(i) ? 1 : 0;
  }
  {
    Sequential<Input<2>, Dense<1>> model;
    Trainer trainer{model, Adam{.learning_rate = 0.05f}, MeanSquaredError{}};
    const History history = trainer.fit(x, y, options(40));
    CHECK(history.epochs.back().loss < 1e-3);
    CHECK(std::isnan(history.epochs.back().accuracy));
    CHECK(model.parameter("dense/kernel")(0, 0) == doctest::Approx(2).epsilon(0.02));
  }
  {
    Sequential<Input<2>, Dense<1>, Sigmoid> model;
    Trainer trainer{model, Adam{.learning_rate = 0.1f}, BinaryCrossentropy{}};
    CHECK(trainer.fit(x, sign, options(40)).epochs.back().accuracy > 0.97);
    CHECK(trainer.evaluate({x, sign}).accuracy == accuracy(sign, model.predict_classes(x)));
  }
  {
    Sequential<Input<2>, Dense<2>, Softmax> model;
    Trainer trainer{model, Adam{.learning_rate = 0.1f}, CategoricalCrossentropy{}};
    CHECK(trainer.fit(x, one_hot, options(40)).epochs.back().accuracy > 0.97);
  }
}

TEST_CASE("outputs that are not a softmax are normalised by the loss") {
  Sequential<Input<784>, Dense<32>, ReLU, Dense<10>, Sigmoid> model{Seed{1}};
  Trainer trainer{model, Adam{.learning_rate = 3e-3f}, CategoricalCrossentropy{}};
  CHECK(trainer.fit(digits(), options(8)).epochs.back().accuracy > 0.9);
}

TEST_CASE("a gradient of the whole batch: batches of any size step like one sample after the other") {
  // One step of SGD equals the mean of the gradients that central differences of the loss give.
  using Tiny = Sequential<Input<3>, Dense<2>, Softmax>;
  Matrix x = Matrix::from_shape({5, 3});
  Labels y = Labels::from_shape({5});
  for (std::size_t i = 0; i < 5; ++i) {
    for (std::size_t j = 0; j < 3; ++j) x(i, j) = std::sin(static_cast<float>(3 * i + j));
    y(i) = i % 2;
  }
  const std::vector<float> weights{1, 2, 0, 0.5f, 3};
  for (const bool weighted : {false, true}) {
    Tiny model{Seed{2}};
    const Tiny before = model;
    Trainer trainer{model, SGD{.learning_rate = 1.0f}, CategoricalCrossentropy{}};
    FitOptions settings = options(1, 5);
    if (weighted) settings.sample_weights = weights;
    trainer.fit(x, y, settings);
    const auto loss = [&](const Tiny& at) {
      const Matrix p = at.predict(x);
      double sum = 0;
      for (std::size_t i = 0; i < 5; ++i) sum -= (weighted ? weights[i] : 1) * std::log(double{p(i, y(i))});
      return sum / 5;
    };
    for (std::size_t i = 0; i < 6; ++i) {
      Tiny above = before, below = before;
      above.parameters()[i] += 1e-2f;
      below.parameters()[i] -= 1e-2f;
      CHECK(before.parameters()[i] - model.parameters()[i] ==
            doctest::Approx((loss(above) - loss(below)) / 2e-2).epsilon(1e-3));
    }
  }
}

TEST_CASE("gradients formed over the whole batch equal those that the layers add up themselves") {
  using Body = Sequential<Dense<450>, ReLU, Dense<20, no_bias>, Tanh, Dense<3>>;
  using Model = Sequential<Input<300>, Dense<450>, ReLU, Dense<20, no_bias>, Tanh, Dense<3>>;
  constexpr std::size_t samples = 21;
  Matrix x = Matrix::from_shape({samples, 300}), y = Matrix::from_shape({samples, 3});
  Random random(Seed{4});
  for (float& value : x) value = static_cast<float>(random.uniform(-1, 1));
  for (float& value : y) value = static_cast<float>(random.uniform(-1, 1));
  const Model initial{Seed{5}};
  const Body body{};
  testing::detail::Bench<Body, Shape<300>, float> bench{.layer = body, .samples = samples};
  std::copy(x.begin(), x.end(), bench.x.data());
  std::copy(initial.parameters().begin(), initial.parameters().end(), bench.parameters.data());
  bench.forward(RandomKey{});
  for (std::size_t i = 0; i < y.size(); ++i)
    bench.dy.data()[i] = 2 * (bench.y.data()[i] - y.data()[i]) / static_cast<float>(y.size());
  bench.gradients.fill(0);
  bench.backward();
  for (const std::size_t threads : {1, 2, 3})
    for (const float clipnorm : {0.0f, 1e9f}) {  // with a bound on the norm, gradients take another way
      Model model = initial;
      Trainer trainer{model,
                      SGD{.learning_rate = 1.0f, .global_clipnorm = clipnorm},
                      MeanSquaredError{},
                      {.threads = threads}};
      trainer.fit(x, y, options(1, samples));
      for (std::size_t i = 0; i < Model::arena_size; ++i)
        CHECK_UNARY(std::abs(initial.parameters()[i] - model.parameters()[i] - bench.gradients.data()[i]) <
                    2e-6f);
    }
}

TEST_CASE("class weights are sample weights by class") {
  Net first{Seed{1}}, second{Seed{1}};
  FitOptions by_class = options(1), by_sample = options(1);
  by_class.class_weights = {1, 2, 3, 0, 1, 1, 1, 1, 0.5f, 1};
  for (const auto label : digits().labels) by_sample.sample_weights.push_back(by_class.class_weights[label]);
  Trainer{first, SGD{}, CategoricalCrossentropy{}}.fit(digits(), by_class);
  Trainer{second, SGD{}, CategoricalCrossentropy{}}.fit(digits(), by_sample);
  CHECK(std::equal(first.parameters().begin(), first.parameters().end(), second.parameters().begin()));
}

TEST_CASE("a validation split is the last part, is not trained on, and is measured") {
  Net first{Seed{1}}, second{Seed{1}};
  const Dataset head = slice(digits(), 0, 480), tail = slice(digits(), 480, 120);
  FitOptions split = options(2), given = options(2);
  split.validation_split = 0.2;
  given.validation = &tail;
  const History a = Trainer{first, SGD{}, CategoricalCrossentropy{}}.fit(digits(), split);
  const History b = Trainer{second, SGD{}, CategoricalCrossentropy{}}.fit(head, given);
  CHECK(a.epochs[1].val_loss == b.epochs[1].val_loss);
  CHECK(a.epochs[1].loss == b.epochs[1].loss);
}

TEST_CASE("penalties are part of the loss that is reported") {
  auto model = Sequential{Seed{1}, Input<784>{}, Dense<10>{.kernel_regularizer = L2(0.01f)}, Softmax{}};
  Trainer trainer{model, SGD{.learning_rate = 0.0f}, CategoricalCrossentropy{}};
  double square = 0;
  for (const float w : model.parameters()) square += double{w} * w;
  auto plain = Sequential{Seed{1}, Input<784>{}, Dense<10>{}, Softmax{}};
  Trainer other{plain, SGD{.learning_rate = 0.0f}, CategoricalCrossentropy{}};
  const double penalty = trainer.evaluate(digits()).loss - other.evaluate(digits()).loss;
  CHECK(penalty == doctest::Approx(0.01 * square));
  CHECK(trainer.fit(digits(), options(1)).epochs[0].loss - other.fit(digits(), options(1)).epochs[0].loss ==
        doctest::Approx(0.01 * square));
}

TEST_CASE("fitting twice goes on where the first ended") {
  Net once{Seed{1}}, twice{Seed{1}};
  Trainer{once, Adam{}, CategoricalCrossentropy{}}.fit(digits(), options(4));
  Trainer trainer{twice, Adam{}, CategoricalCrossentropy{}};
  trainer.fit(digits(), options(1));
  trainer.fit(digits(), options(3));
  CHECK(std::equal(once.parameters().begin(), once.parameters().end(), twice.parameters().begin()));
}

TEST_CASE("unusable data and options are refused before anything changes, in one sentence each") {
  Net model{Seed{1}};
  const std::vector<float> before(model.parameters().begin(), model.parameters().end());
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}};
  const auto fit = [&](auto change) {
    FitOptions settings = options(1);
    change(settings);
    trainer.fit(digits(), settings);
  };
  CHECK_ERROR("at least 1 epoch, but 0 were asked for", fit([](FitOptions& o) { o.epochs = 0; }));
  CHECK_ERROR("The batch size must be at least 1, but is 0", fit([](FitOptions& o) { o.batch_size = 0; }));
  CHECK_ERROR("The batch size is 601, but there are only 600 samples",
              fit([](FitOptions& o) { o.batch_size = 601; }));
  CHECK_ERROR("The validation split must be at least 0 and below 1",
              fit([](FitOptions& o) { o.validation_split = 1; }));
  CHECK_ERROR("leaves no sample of 600 to validate on",
              fit([](FitOptions& o) { o.validation_split = 1e-6; }));
  CHECK_ERROR("Both a validation set and a validation split", fit([](FitOptions& o) {
                o.validation_split = 0.5;
                o.validation = &more_digits();
              }));
  CHECK_ERROR("There are 3 class weights, but 10 are needed", fit([](FitOptions& o) {
                o.class_weights = {1, 2, 3};
              }));
  CHECK_ERROR("A class weight is negative or not finite",
              fit([](FitOptions& o) { o.class_weights.assign(10, -1.0f); }));
  CHECK_ERROR("There are 1 sample weights, but 600 are needed",
              fit([](FitOptions& o) { o.sample_weights = {1}; }));
  Dataset wrong = digits();
  wrong.labels(7) = 10;
  CHECK_ERROR("Label 10 of sample 7 is beyond the last class 9", trainer.fit(wrong, options(1)));
  CHECK_ERROR("Label 10 of sample 7", trainer.evaluate(wrong));
  CHECK_ERROR("There are no samples to train on", trainer.fit(slice(digits(), 0, 0), options(1)));
  Matrix x = Matrix::from_shape({2, 784});
  x.fill(0);
  x(1, 5) = std::nanf("");
  CHECK_ERROR("Sample 1 contains NaN at element 5",
              trainer.fit(x, slice(digits(), 0, 2).labels, options(1, 2)));
  CHECK_ERROR(
      "samples of shape (28, 27, 1)",
      trainer.fit(Dataset{Images::from_shape({1, 28, 27, 1}), Labels::from_shape({1})}, options(1, 1)));
  CHECK(std::equal(before.begin(), before.end(), model.parameters().begin()));
}

TEST_CASE("Ctrl-C ends after the current step, keeps what was learnt, and reports") {
  struct Interrupter : Callback {
    void on_batch_end(TrainingControl&, std::size_t step, const EpochLogs&) override {
      if (step == 3) std::raise(SIGINT);
    }
  } interrupter;
  struct sigaction usual;
  sigaction(SIGINT, nullptr, &usual);
  Net model{Seed{1}};
  const Net before = model;
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}};
  FitOptions settings = options(5);
  settings.callbacks = {&interrupter};
  const History history = trainer.fit(digits(), settings);
  CHECK(history.interrupted);
  CHECK(history.epochs.size() == 1);
  CHECK(trainer.steps() == 3);
  CHECK(support::contains(history.stopped_because, "Interrupted in epoch 1"));
  CHECK_FALSE(std::equal(before.parameters().begin(), before.parameters().end(), model.parameters().begin()));
  // Afterwards the signal has its former effect again.
  struct sigaction after;
  sigaction(SIGINT, nullptr, &after);
  CHECK_UNARY(after.sa_handler == usual.sa_handler);
}
