#include <clocale>
#include <cstdlib>
#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/input.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/train/callbacks.hpp>
#include <digitnet/train/history.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/model_checkpoint.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/schedules.hpp>
#include <digitnet/train/trainer.hpp>
#include <locale>

#include "support/support.hpp"

using namespace digitnet;

namespace {

/// A training that only a callback sees.
struct FakeTraining : TrainingControl {
  float rate = 0.1f;
  std::vector<float> weights{1, 2, 3};
  std::string reason;
  mutable std::vector<std::string> lines;

  float learning_rate() const override { return rate; }
  void set_learning_rate(float value) override { rate = value; }
  std::span<float> parameters() override { return weights; }
  std::size_t epochs() const override { return 100; }
  void stop(std::string why) override { reason = std::move(why); }
  void print(const std::string& line) const override { lines.push_back(line); }
  ModelDescription description() const override { return {}; }
  TrainingState state() const override { return {}; }
  void restore(TrainingState) override {}
  std::size_t slots() const override { return 0; }
  void update_statistics() override {}
};

EpochLogs logs(std::size_t epoch, double val_loss, double val_accuracy = 0.5) {
  EpochLogs result{.epoch = epoch,
                   .loss = 1,
                   .accuracy = 0.25,
                   .val_loss = val_loss,
                   .val_accuracy = val_accuracy,
                   .learning_rate = 0.1};
  result.has_validation = true;
  return result;
}

}  // namespace

TEST_CASE("EarlyStopping waits, stops, and restores the best weights") {
  FakeTraining training;
  EarlyStopping stopping({.patience = 2, .restore_best_weights = true});
  stopping.on_train_begin(training);
  stopping.on_epoch_end(training, logs(1, 0.5));
  training.weights = {4, 5, 6};
  stopping.on_epoch_end(training, logs(2, 0.4));
  training.weights = {7, 8, 9};
  stopping.on_epoch_end(training, logs(3, 0.45));
  CHECK(training.reason.empty());
  stopping.on_epoch_end(training, logs(4, 0.41));
  CHECK(training.reason == "EarlyStopping: val_loss has not improved since epoch 2");
  stopping.on_train_end(training, {});
  CHECK(training.weights == std::vector<float>{4, 5, 6});
  CHECK(stopping.best_epoch() == 2);
}

TEST_CASE("EarlyStopping knows that accuracies should rise, and what min_delta is") {
  FakeTraining training;
  EarlyStopping stopping({.monitor = "val_accuracy", .min_delta = 0.01, .patience = 1});
  stopping.on_train_begin(training);
  stopping.on_epoch_end(training, logs(1, 1, 0.90));
  stopping.on_epoch_end(training, logs(2, 1, 0.95));
  CHECK(training.reason.empty());
  stopping.on_epoch_end(training, logs(3, 1, 0.955));
  CHECK(support::contains(training.reason, "since epoch 2"));
  EarlyStopping unknown({.monitor = "vall_loss"});
  CHECK_ERROR("There is no quantity \"vall_loss\" to monitor", unknown.on_epoch_end(training, logs(1, 1)));
  EpochLogs without = logs(1, 1);
  without.has_validation = false;
  CHECK_ERROR("\"val_loss\" is not measured in this training: give fit a validation set",
              EarlyStopping{}.on_epoch_end(training, without));
}

TEST_CASE("NaN is no improvement, and nothing is measured against it") {
  const double nan = std::nan("");
  FakeTraining training;
  {
    EarlyStopping stopping({.patience = 2});
    stopping.on_train_begin(training);
    for (std::size_t epoch = 1; epoch <= 2; ++epoch) stopping.on_epoch_end(training, logs(epoch, nan));
    CHECK(training.reason.empty());
    stopping.on_epoch_end(training, logs(3, nan));
    CHECK(support::contains(training.reason, "val_loss has not improved since epoch 1"));
  }
  training.reason.clear();
  {
    EarlyStopping stopping({.patience = 2});
    stopping.on_train_begin(training);
    std::size_t epoch = 0;
    for (const double value : {nan, 0.5, nan, 0.4, 0.45})
      stopping.on_epoch_end(training, logs(++epoch, value));
    CHECK(stopping.best_epoch() == 4);
    CHECK(training.reason.empty());
  }
  ReduceLROnPlateau plateau({.factor = 0.5f, .patience = 2});
  plateau.on_train_begin(training);
  std::size_t epoch = 0;
  for (const double value : {nan, nan, 0.5, 0.4}) plateau.on_epoch_end(training, logs(++epoch, value));
  CHECK(training.rate == 0.1f);
  for (int i = 0; i < 2; ++i) plateau.on_epoch_end(training, logs(++epoch, nan));
  CHECK(training.rate == 0.05f);
  const support::Folder folder;
  ModelCheckpoint best(folder / "{epoch}", {.save_best_only = true, .save_weights_only = true});
  epoch = 0;
  for (const double value : {nan, 0.5, nan, 0.6, 0.4}) {
    best.on_epoch_end(training, logs(++epoch, value));
    best.after_epoch(training, logs(epoch, value));
  }
  CHECK(folder.files() == std::vector<std::string>{"2", "5"});
}

TEST_CASE("ReduceLROnPlateau reduces, cools down, and stops at its minimum") {
  FakeTraining training;
  ReduceLROnPlateau plateau({.factor = 0.5f, .patience = 2, .cooldown = 1, .min_lr = 0.03f});
  plateau.on_train_begin(training);
  std::vector<float> rates;
  for (std::size_t epoch = 1; epoch <= 9; ++epoch) {
    plateau.on_epoch_end(training, logs(epoch, 0.5));
    rates.push_back(training.rate);
  }
  // As Keras: reduced at epochs 3 and 5 (the epoch after a reduction only cools down), then at the minimum.
  CHECK(rates == std::vector<float>{0.1f, 0.1f, 0.05f, 0.05f, 0.03f, 0.03f, 0.03f, 0.03f, 0.03f});
}

TEST_CASE("LearningRateScheduler sets the rate; a schedule refuses it") {
  const Dataset data = synthetic_digits(64, Seed{1});
  Sequential<Input<784>, Dense<10>, Softmax> model;
  Trainer trainer{model, SGD{.learning_rate = 1.0f}, CategoricalCrossentropy{}};
  const auto halve = [](std::size_t epoch, float rate) { return epoch == 0 ? rate : rate / 2; };
  const History history = trainer.fit(
      data, {.epochs = 3, .callbacks = {LearningRateScheduler(halve)}, .verbose = Verbose::silent});
  CHECK(history.epochs[2].learning_rate == 0.25);
  Trainer scheduled{model, SGD{.learning_rate = CosineDecay{0.1f, 10}}, CategoricalCrossentropy{}};
  CHECK_ERROR("follows a schedule",
              scheduled.fit(data, {.callbacks = {LearningRateScheduler(halve)}, .verbose = Verbose::silent}));
}

TEST_CASE("TerminateOnNaN ends a training that diverges") {
  const Dataset data = synthetic_digits(128, Seed{1});
  Sequential<Input<784>, Dense<64>, ReLU, Dense<10>> model;
  Trainer trainer{model, SGD{.learning_rate = 1e20f}, MeanSquaredError{}};
  const History history =
      trainer.fit(data, {.epochs = 5, .callbacks = {TerminateOnNaN{}}, .verbose = Verbose::silent});
  CHECK(support::contains(history.stopped_because, "the loss is not finite after step"));
  CHECK(history.epochs.size() == 1);
}

TEST_CASE("CSVLogger writes a line an epoch, and says when it cannot") {
  const support::Folder folder;
  FakeTraining training;
  for (const bool append : {false, true}) {
    CSVLogger logger(folder / "log.csv", append);
    logger.on_train_begin(training);
    logger.on_epoch_end(training, logs(1, 0.5));
    logger.on_train_end(training, {});
  }
  CHECK(support::read_file(folder / "log.csv") ==
        "epoch,accuracy,loss,val_accuracy,val_loss,learning_rate\n0,0.25,1,0.5,0.5,0.1\n0,0.25,1,0.5,0.5,0."
        "1\n");
  CSVLogger nowhere(folder / "missing/log.csv");
  CHECK_ERROR("CSVLogger cannot write", nowhere.on_train_begin(training));
}

TEST_CASE("callbacks write where their paths pointed when they were made, in no locale's words") {
  struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  const support::Folder folder, elsewhere, locales;
  // A locale of the system's own kind, where it can be made.
  const bool made =
      std::system(
          ("localedef -i de_DE -f UTF-8 '" + locales / "de_DE.UTF-8" + "' 2>/dev/null >&2").c_str()) == 0;
  ::setenv("LOCPATH", locales.path().c_str(), 1);
  if (!made || !std::setlocale(LC_ALL, "de_DE.UTF-8"))
    MESSAGE("there is no German locale here: only C++'s is set");
  const std::locale before = std::locale::global(std::locale(std::locale(), new Comma));
  char start[4096];
  REQUIRE(::getcwd(start, sizeof start));
  REQUIRE(::chdir(folder.path().c_str()) == 0);
  const Dataset data = synthetic_digits(1500, Seed{1});
  Sequential<Input<784>, Dense<10>, Softmax> model, other;
  CSVLogger log("log.csv");
  ModelCheckpoint named("{epoch:03d}-{learning_rate:.2f}-{learning_rate:08.3e}-{learning_rate:g}",
                        {.save_weights_only = true});
  BackupAndRestore backup("backup", false);
  LambdaCallback leave(
      [&](TrainingControl&, const EpochLogs&) { REQUIRE(::chdir(elsewhere.path().c_str()) == 0); });
  Trainer trainer{model, SGD{.learning_rate = 0.05f}, CategoricalCrossentropy{}};
  trainer.fit(data, {.epochs = 2,
                     .batch_size = 1250,
                     .callbacks = {&log, &named, &backup, &leave},
                     .verbose = Verbose::silent});
  Trainer resumed{other, SGD{.learning_rate = 0.5f}, CategoricalCrossentropy{}};
  resumed.resume(folder / "backup");
  CHECK(resumed.optimizer().learning_rate(0) == 0.05f);
  const std::string text = to_text(1234.5, 6);
  std::locale::global(before);
  std::setlocale(LC_ALL, "C");
  ::unsetenv("LOCPATH");
  REQUIRE(::chdir(start) == 0);
  CHECK(text == "1234.5");
  CHECK(elsewhere.files().empty());
  CHECK(folder.files() == std::vector<std::string>{"001-0.05-5.000e-02-0.05", "002-0.05-5.000e-02-0.05",
                                                   "backup", "backup.lock", "log.csv"});
  const std::string csv = support::read_file(folder / "log.csv");
  CHECK(csv.starts_with("epoch,accuracy,loss,learning_rate\n0,0."));
  CHECK(std::ranges::count(csv, ',') == 3 * 3);
  CHECK(csv.ends_with(",0.0500000007\n"));
  backup.remove();
  CHECK(folder.files().size() == 3);
}

TEST_CASE("a callback of one's own sees every step and epoch, and may stop") {
  struct Counter : Callback {
    int begun = 0, epochs = 0, steps = 0, ended = 0;
    void on_train_begin(TrainingControl&) override { ++begun; }
    void on_epoch_begin(TrainingControl&, std::size_t) override { ++epochs; }
    void on_batch_end(TrainingControl& control, std::size_t, const EpochLogs&) override {
      if (++steps == 7) control.stop("enough");
    }
    void on_train_end(TrainingControl&, const History&) override { ++ended; }
  } counter;
  const Dataset data = synthetic_digits(128, Seed{1});
  Sequential<Input<784>, Dense<10>, Softmax> model;
  Trainer trainer{model, SGD{}, CategoricalCrossentropy{}};
  int lambda_epochs = 0;
  const History history = trainer.fit(
      data,
      {.epochs = 5,
       .callbacks = {&counter, LambdaCallback([&](TrainingControl&, const EpochLogs&) { ++lambda_epochs; })},
       .verbose = Verbose::silent});
  CHECK(counter.begun == 1);
  CHECK(counter.epochs == 2);
  CHECK(counter.steps == 7);
  CHECK(counter.ended == 1);
  CHECK(history.stopped_because == "enough");
  CHECK(lambda_epochs == 2);
}
