#include <csignal>
#include <digitnet/core/sample_stream.hpp>
#include <digitnet/data/augment.hpp>
#include <digitnet/data/idx_stream.hpp>
#include <digitnet/data/mapped_idx.hpp>
#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/batch_normalization.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/dropout.hpp>
#include <digitnet/layers/input.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/train/callbacks.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/trainer.hpp>
#include <digitnet/train/weight_averaging.hpp>

#include "support/support.hpp"

using namespace digitnet;
using support::Folder;

namespace {

constexpr std::size_t count = 300;

const Dataset& digits() {
  static const Dataset made = synthetic_digits(count, Seed{1});
  return made;
}

// The digits, in their order, and what was asked for.
struct Stream : SampleStream {
  explicit Stream(std::size_t samples_of_part) : size(samples_of_part) {}
  std::size_t count() const override { return ::count; }
  std::size_t part() const override { return size; }
  void begin_epoch(RandomKey, bool) override {
    ++epochs;
    place = 0;
  }
  DataView read(std::size_t samples) override {
    asked.push_back(samples);
    if (place >= fails_at) throw std::runtime_error("the disk is gone");
    const std::size_t first = std::exchange(place, place + samples);
    Labels labels = Labels::from_shape({samples});
    std::copy_n(digits().labels.begin() + static_cast<std::ptrdiff_t>(first), samples, labels.begin());
    return {Samples(digits().images).part(first, samples - lacks), Targets(std::move(labels))};
  }
  std::size_t size, place = 0, epochs = 0, fails_at = ~std::size_t{0}, lacks = 0;
  std::vector<std::size_t> asked;
};

auto model() {
  return Sequential{Seed{1}, Input<784>{},  Dense<20>{}, BatchNormalization{},
                    ReLU{},  Dropout{0.2f}, Dense<10>{}, Softmax{}};
}

struct Trained {
  std::vector<float> parameters;
  History history;
};

template <class Data>
Trained train(Data&& data, const FitOptions& options, std::size_t threads = 2) {
  auto net = model();
  Trainer trainer{net, Adam{}, CategoricalCrossentropy{}, {.threads = threads, .seed = Seed{3}}};
  History history = trainer.fit(data, options);
  return {{net.parameters().begin(), net.parameters().end()}, std::move(history)};
}

FitOptions options_of(std::size_t batch_size) {
  return {.epochs = 2, .batch_size = batch_size, .verbose = Verbose::silent};
}

}  // namespace

TEST_CASE("a stream of one part trains to the bits of the same data in memory") {
  for (const bool shuffle : {false, true}) {
    FitOptions options = options_of(32);
    options.shuffle = shuffle;
    options.class_weights = {1, 2, 1, 1, 1, 1, 1, 1, 1, 3};
    options.augmentation = Augmentation{.rotation = 10, .mixup = 0.2f};
    options.validation = &digits();
    options.callbacks = {StochasticWeightAveraging{{.start_epoch = 1}}};
    const Trained memory = train(digits(), options);
    Stream stream(1000);
    const Trained streamed = train(stream, options);
    CHECK(streamed.parameters == memory.parameters);
    CHECK(streamed.history.epochs[1].loss == memory.history.epochs[1].loss);
    CHECK(streamed.history.epochs[1].val_loss == memory.history.epochs[1].val_loss);
    // Two epochs, and a pass for the statistics of the averages.
    CHECK(stream.epochs == 3);
    CHECK(stream.asked == std::vector<std::size_t>(3, count));
  }
}

TEST_CASE("without shuffling, parts change nothing") {
  FitOptions options = options_of(20);
  options.shuffle = false;
  const Trained memory = train(digits(), options);
  for (const std::size_t part : {1, 20, 59, 100, 299}) {
    Stream stream(part);
    CHECK((train(stream, options).parameters == memory.parameters) == true);
    // Whole steps.
    CHECK(stream.asked[0] == std::max<std::size_t>(1, part / 20) * 20);
  }
}

TEST_CASE("a shuffled stream has the same bits with any number of threads, and learns") {
  Stream stream(100), again(100);
  const Trained first = train(stream, options_of(25), 1);
  CHECK(train(again, options_of(25), 3).parameters == first.parameters);
  CHECK(first.parameters != train(digits(), options_of(25)).parameters);
  CHECK(first.history.epochs[1].loss < first.history.epochs[0].loss);
  CHECK(stream.asked == std::vector<std::size_t>(6, 100));
}

TEST_CASE("another pass through a stream, in the middle of an epoch, leaves the epoch as it is") {
  struct Measure : Callback {
    void on_batch_end(TrainingControl& control, std::size_t step, const EpochLogs&) override {
      if (step == 3 || step == 15) control.update_statistics();
    }
  };
  FitOptions options = options_of(20);
  options.callbacks = {Measure{}};
  for (const bool shuffle : {false, true}) {
    options.shuffle = shuffle;
    Stream parts(100), whole(1000), calm(100);
    const Trained streamed = train(parts, options);
    // Statistics of shuffled parts are not those of shuffled data, but what is trained on stays the same.
    if (!shuffle) CHECK(train(whole, options).history.epochs[0].loss == streamed.history.epochs[0].loss);
    CHECK(streamed.history.epochs[1].loss < streamed.history.epochs[0].loss);
    FitOptions without = options;
    without.callbacks = {};
    CHECK(train(calm, without).history.epochs[0].loss == streamed.history.epochs[0].loss);
  }
}

TEST_CASE("evaluate measures a stream") {
  auto net = model();
  Trainer trainer{net, Adam{}, CategoricalCrossentropy{}};
  const Evaluation memory = trainer.evaluate(digits());
  Stream stream(70);
  const Evaluation streamed = trainer.evaluate(stream);
  CHECK(streamed.loss == doctest::Approx(memory.loss));
  CHECK(streamed.accuracy == memory.accuracy);
  CHECK(stream.asked == std::vector<std::size_t>{70, 70, 70, 70, 20});
  // One that is made for the call.
  CHECK(trainer.evaluate(Stream(70)).loss == streamed.loss);
  CHECK(trainer.fit(Stream(70), options_of(20)).epochs.size() == 2);
}

TEST_CASE("what goes wrong in a stream ends the training with its reason") {
  Stream broken(100);
  broken.fails_at = 200;
  CHECK_THROWS_WITH(train(broken, options_of(50)), "the disk is gone");
  Stream fewer(100);
  fewer.lacks = 1;
  CHECK_THROWS_WITH(train(fewer, options_of(50)),
                    "There are 99 samples but 100 targets: every sample needs one");
  struct Short final : Stream {
    using Stream::Stream;
    DataView read(std::size_t samples) override { return Stream::read(samples / 2); }
  } half(100);
  CHECK_THROWS_WITH(
      train(half, options_of(50)),
      "The 100 samples of the stream from 0 on were asked for, but 50 came: it says that it has 300");
  struct Wrong final : Stream {
    using Stream::Stream;
    DataView read(std::size_t samples) override {
      return {xt::xtensor<float, 2>(xt::zeros<float>({samples, std::size_t{5}})),
              xt::xtensor<int, 1>(xt::zeros<int>({samples}))};
    }
  } wrong(100);
  CHECK_THROWS_WITH(
      train(wrong, options_of(50)),
      doctest::Contains(
          "Of the 100 samples of the stream from 0 on: The model takes samples of shape (784,)"));
  struct Empty final : Stream {
    using Stream::Stream;
    std::size_t count() const override { return 0; }
  } empty(100);
  CHECK_THROWS_WITH(train(empty, options_of(50)), doctest::Contains("has no samples"));
  Stream stream(100);
  FitOptions options = options_of(50);
  options.validation_split = 0.1;
  CHECK_THROWS_WITH(train(stream, options),
                    doctest::Contains("leave out sample_weights and validation_split"));
  options = options_of(50);
  options.sample_weights.assign(count, 1);
  CHECK_THROWS_WITH(train(stream, options),
                    doctest::Contains("leave out sample_weights and validation_split"));
  options = options_of(0);
  CHECK_THROWS_WITH(train(stream, options), doctest::Contains("batch size"));
  CHECK(stream.epochs == 0);
}

TEST_CASE("a training on a stream goes on in the middle of an epoch, to the same bits") {
  const Folder folder;
  Stream undisturbed(100);
  const Trained whole = train(undisturbed, options_of(20));
  // Stops in the second part of the second epoch.
  struct Stop : Callback {
    void on_batch_end(TrainingControl& control, std::size_t step, const EpochLogs& logs) override {
      if (logs.epoch == 2 && step == 7) {
        (void)control;
        std::raise(SIGINT);
      }
    }
  };
  auto net = model();
  Trainer trainer{net, Adam{}, CategoricalCrossentropy{}, {.seed = Seed{3}}};
  Stream stream(100);
  FitOptions options = options_of(20);
  options.callbacks = {Stop{}};
  CHECK(trainer.fit(stream, options).interrupted);
  trainer.save(folder / "checkpoint");
  auto other = model();
  Trainer resumed{other, Adam{}, CategoricalCrossentropy{}, {.seed = Seed{9}}};
  resumed.resume(folder / "checkpoint");
  Stream rest(100);
  options = options_of(20);
  options.initial_epoch = 1;
  resumed.fit(rest, options);
  CHECK(std::ranges::equal(other.parameters(), whole.parameters));
}

TEST_CASE("IDX files train as a stream, and mapped as the same data in memory") {
  const Folder folder;
  write_idx(folder / "images", digits().images);
  write_idx(folder / "labels", digits().labels);
  const Trained memory = train(digits(), options_of(32));
  const auto mapped = train(
      DataView(idx::map<std::uint8_t, 4>(folder / "images"), idx::map<std::uint8_t, 1>(folder / "labels")),
      options_of(32));
  CHECK(mapped.parameters == memory.parameters);
  IdxStream stream(folder / "images", folder / "labels", {.block = 16, .part = 128});
  const Trained streamed = train(stream, options_of(32));
  CHECK(streamed.history.epochs[1].loss < streamed.history.epochs[0].loss);
  IdxStream again(folder / "images", folder / "labels", {.block = 16, .part = 128});
  CHECK(train(again, options_of(32), 1).parameters == streamed.parameters);
}
