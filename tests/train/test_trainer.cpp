#include <csignal>
#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/batch_normalization.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/input.hpp>
#include <digitnet/layers/regularizers.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/testing/gradient_check.hpp>
#include <digitnet/train/callbacks.hpp>
#include <digitnet/train/history.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/metrics.hpp>
#include <digitnet/train/model_checkpoint.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/schedules.hpp>
#include <digitnet/train/trainer.hpp>

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
  Trainer trainer{model, SGD{.learning_rate = 1e-30f}, CategoricalCrossentropy{}};
  double square = 0;
  for (const float w : model.parameters()) square += double{w} * w;
  auto plain = Sequential{Seed{1}, Input<784>{}, Dense<10>{}, Softmax{}};
  Trainer other{plain, SGD{.learning_rate = 1e-30f}, CategoricalCrossentropy{}};
  const double penalty = trainer.evaluate(digits()).loss - other.evaluate(digits()).loss;
  CHECK(penalty == doctest::Approx(0.01 * square));
  CHECK(trainer.fit(digits(), options(1)).epochs[0].loss - other.fit(digits(), options(1)).epochs[0].loss ==
        doctest::Approx(0.01 * square));
}

TEST_CASE("a batch larger than the data is one batch of all") {
  Net large{Seed{1}}, whole{Seed{1}};
  Trainer trainer{large, Adam{}, CategoricalCrossentropy{}};
  trainer.fit(digits(), options(2, 100'000));
  CHECK(trainer.steps() == 2);
  Trainer{whole, Adam{}, CategoricalCrossentropy{}}.fit(digits(), options(2, 600));
  CHECK(std::ranges::equal(large.parameters(), whole.parameters()));
}

TEST_CASE("settings of optimizers that make no sense are refused when a trainer is made") {
  Net model{Seed{1}};
  const float nan = std::nanf(""), infinity = std::numeric_limits<float>::infinity();
  const auto make = [&](auto optimizer) { Trainer{model, optimizer, CategoricalCrossentropy{}}; };
  for (const float rate : {0.0f, -0.1f, nan, infinity}) {
    CHECK_ERROR("An optimizer's learning rate must be a number above 0, but is ",
                make(SGD{.learning_rate = rate}));
    CHECK_ERROR("a number above 0", make(Adam{.learning_rate = double{rate}}));
  }
  for (const float bad : {-0.1f, nan, infinity}) {
    CHECK_ERROR("SGD's momentum must be at least 0 and at most 1, but is ", make(SGD{.momentum = bad}));
    CHECK_ERROR("RMSprop's rho must be at least 0 and below 1", make(RMSprop{.rho = bad}));
    CHECK_ERROR("Adam's beta_1 must be", make(Adam{.beta_1 = bad}));
    CHECK_ERROR("Adam's beta_2 must be", make(Adam{.beta_2 = bad}));
    CHECK_ERROR("Adam's epsilon must be a number above 0", make(Adam{.epsilon = bad}));
    CHECK_ERROR("AdamW's weight_decay must be a number of at least 0", make(AdamW{.weight_decay = bad}));
    CHECK_ERROR("Lion's beta_2 must be", make(Lion{.beta_2 = bad}));
    CHECK_ERROR("Nadam's momentum_decay must be", make(Nadam{.momentum_decay = bad}));
    CHECK_ERROR("Adagrad's initial_accumulator_value", make(Adagrad{.initial_accumulator_value = bad}));
    CHECK_ERROR("SGD's clipnorm must be", make(SGD{.clipnorm = bad}));
    CHECK_ERROR("SGD's global_clipnorm must be", make(SGD{.global_clipnorm = bad}));
    CHECK_ERROR("SGD's clipvalue must be", make(SGD{.clipvalue = bad}));
  }
  CHECK_ERROR("Adam's beta_1 must be at least 0 and below 1, but is 1", make(Adam{.beta_1 = 1}));
}

TEST_CASE("schedules that make no sense are refused when a learning rate is made of them") {
  const float nan = std::nanf("");
  const auto refused = [](const char* part, auto schedule) { CHECK_ERROR(part, LearningRate{schedule}); };
  refused("StepDecay's step_size must be at least 1 step, but is 0", StepDecay{0.1f, 0});
  refused("StepDecay's factor must be a number above 0, but is nan", StepDecay{0.1f, 5, nan});
  refused("PiecewiseConstantDecay needs a value more", PiecewiseConstantDecay{{5}, {0.1f}});
  refused("boundaries must rise, but 5 follows 5", PiecewiseConstantDecay{{5, 5}, {1, 2, 3}});
  refused("PiecewiseConstantDecay's value", PiecewiseConstantDecay{{5}, {0.1f, nan}});
  refused("ExponentialDecay's decay_steps", ExponentialDecay{0.1f, 0, 0.9f});
  refused("ExponentialDecay's decay_rate", ExponentialDecay{0.1f, 10, -1});
  refused("ExponentialDecay's initial_learning_rate", ExponentialDecay{-0.1f, 10, 0.9f});
  refused("CosineDecay's decay_steps", CosineDecay{0.1f, 0});
  refused("CosineDecay's alpha", CosineDecay{0.1f, 10, nan});
  refused("CosineDecay's warmup_target must be a number above 0, but is 0", CosineDecay{0, 10, 0, 0, 5});
  refused("OneCycle's total_steps", OneCycle{0.1f, 0});
  refused("OneCycle's rising_part must be from 0 to 1", OneCycle{0.1f, 10, 2});
  refused("OneCycle's peak", OneCycle{std::numeric_limits<float>::infinity(), 10});
  refused("OneCycle's final_division", OneCycle{0.1f, 10, 0.3f, 25, 0});
  // What a function gives is only known when it is asked.
  Net model{Seed{1}};
  Trainer trainer{model,
                  SGD{.learning_rate = [](std::uint64_t step) { return step < 3 ? 0.1f : std::nanf(""); }},
                  CategoricalCrossentropy{}};
  CHECK_ERROR("gives nan at step 3, but a rate must be", trainer.fit(digits(), options(1)));
  CHECK(std::ranges::all_of(model.parameters(), [](float value) { return std::isfinite(value); }));
  CHECK_ERROR("gives nan at step 0",
              Trainer(model, SGD{.learning_rate = [](std::uint64_t) { return std::nanf(""); }},
                      CategoricalCrossentropy{}));
}

TEST_CASE("a diverged training says so, and goes on") {
  Net model{Seed{1}};
  Trainer trainer{model, SGD{.learning_rate = 1e30f}, MeanSquaredError{}};
  CHECK(trainer.fit(digits(), options(2)).diverged);
  // Though no loss has seen it yet.
  Net other{Seed{1}};
  Trainer once{other, SGD{}, CategoricalCrossentropy{}};
  FitOptions spoilt = options(1);
  spoilt.callbacks = {LambdaCallback(
      [](TrainingControl& control, const EpochLogs&) { control.parameters()[0] = std::nanf(""); })};
  CHECK(once.fit(digits(), spoilt).diverged);
  Net good{Seed{1}};
  Trainer well{good, SGD{}, CategoricalCrossentropy{}};
  CHECK_FALSE(well.fit(digits(), options(1)).diverged);
}

TEST_CASE("callbacks that cannot do their work are refused before the first step") {
  const support::Folder folder;
  Net model{Seed{1}};
  const Net before = model;
  Trainer trainer{model, SGD{}, CategoricalCrossentropy{}};
  Trainer scheduled{model, SGD{.learning_rate = CosineDecay{0.1f, 10}}, CategoricalCrossentropy{}};
  const auto fit = [&](auto& with, CallbackHandle callback) {
    FitOptions settings = options(1);
    settings.callbacks = {std::move(callback)};
    with.fit(digits(), settings);
  };
  CHECK_ERROR("\"val_loss\" is not measured in this training", fit(trainer, EarlyStopping{}));
  CHECK_ERROR("no quantity \"val_los\"", fit(trainer, EarlyStopping({.monitor = "val_los"})));
  CHECK_ERROR("\"val_loss\" is not measured", fit(trainer, ReduceLROnPlateau{}));
  CHECK_ERROR(
      "\"val_accuracy\" is not measured",
      fit(trainer, ModelCheckpoint(folder / "a", {.monitor = "val_accuracy", .save_best_only = true})));
  CHECK_ERROR("\"val_loss\" is not measured", fit(trainer, ModelCheckpoint(folder / "{val_loss}")));
  CHECK_ERROR("No such file or directory", fit(trainer, ModelCheckpoint(folder / "none/a")));
  CHECK_ERROR("No such file or directory", fit(trainer, CSVLogger(folder / "none/a")));
  CHECK_ERROR("No such file or directory", fit(trainer, BackupAndRestore(folder / "none/a")));
  CHECK_ERROR("ReduceLROnPlateau cannot set it", fit(scheduled, ReduceLROnPlateau({.monitor = "loss"})));
  CHECK_ERROR("LearningRateScheduler cannot set it",
              fit(scheduled, LearningRateScheduler([](std::size_t, float rate) { return rate; })));
  CHECK(trainer.steps() == 0);
  CHECK(scheduled.steps() == 0);
  CHECK(std::ranges::equal(model.parameters(), before.parameters()));
  CHECK(folder.files().empty());
  CHECK_ERROR("factor must be above 0 and below 1, but is nan", ReduceLROnPlateau({.factor = std::nanf("")}));
  CHECK_ERROR("min_lr must be at least 0", ReduceLROnPlateau({.min_lr = -1}));
  for (const float rate : {-1.0f, std::nanf("")})
    CHECK_ERROR("A training's learning rate must be a number of at least 0",
                fit(trainer, LearningRateScheduler([=](std::size_t, float) { return rate; })));
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
  for (const auto& count : std::vector<std::pair<std::size_t FitOptions::*, const char*>>{
           {&FitOptions::epochs, "The number of epochs"},
           {&FitOptions::initial_epoch, "The initial epoch"},
           {&FitOptions::batch_size, "The batch size"},
           {&FitOptions::gradient_accumulation, "gradient_accumulation"}})
    CHECK_ERROR(std::string(count.second) + " is 18446744073709551615, but may be 2147483648 at most",
                fit([&](FitOptions& o) { o.*count.first = static_cast<std::size_t>(-1); }));
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
