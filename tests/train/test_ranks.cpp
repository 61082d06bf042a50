#include <digitnet/data/augment.hpp>
#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/batch_normalization.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/dropout.hpp>
#include <digitnet/layers/input.hpp>
#include <digitnet/layers/pooling.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/train/callbacks.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/trainer.hpp>
#include <digitnet/train/weight_averaging.hpp>

#include "support/support.hpp"
#include "support/thread_ranks.hpp"

using namespace digitnet;
using support::ThreadRanks;

namespace {

struct Trained {
  std::vector<float> parameters, slots;
  History history;
  double test_loss = 0;
};

const Dataset& data() {
  static const Dataset digits = synthetic_digits(150, Seed{1});
  return digits;
}

template <class MakeModel, class MakeOptimizer>
Trained train(const MakeModel& make, const MakeOptimizer& optimizer, const FitOptions& options,
              std::size_t threads, std::size_t shards, CommunicatorHandle communicator = {}) {
  auto model = make();
  Trainer trainer{model,
                  optimizer(),
                  CategoricalCrossentropy{},
                  {.threads = threads, .seed = Seed{3}, .shards = shards, .communicator = communicator}};
  Trained result;
  result.history = trainer.fit(data(), options);
  result.test_loss = trainer.evaluate(data()).loss;
  const TrainingState state = trainer.state();
  result.slots.assign(state.slots.span().begin(), state.slots.span().end());
  result.parameters.assign(model.parameters().begin(), model.parameters().end());
  return result;
}

// The same training alone and on several ranks gives the same bits; on each rank.
template <class MakeModel, class MakeOptimizer>
void check_same(const MakeModel& make, const MakeOptimizer& optimizer, const auto& options,
                std::size_t shards = 0) {
  const Trained alone = train(make, optimizer, options(), 2, shards);
  REQUIRE(alone.parameters != std::vector<float>(alone.parameters.size()));
  for (const std::size_t ranks : {1, 2, 3, 4, 8}) {
    CAPTURE(ranks);
    std::vector<Trained> results(ranks);
    const auto errors = ThreadRanks::run(ranks, [&](Communicator& communicator) {
      results[communicator.rank()] =
          train(make, optimizer, options(), 1 + communicator.rank() % 2, shards, &communicator);
    });
    for (const std::string& error : errors) CHECK(error == "");
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      CAPTURE(rank);
      CHECK(results[rank].parameters == alone.parameters);
      CHECK(results[rank].test_loss == alone.test_loss);
      REQUIRE(results[rank].history.epochs.size() == alone.history.epochs.size());
      for (std::size_t epoch = 0; epoch < alone.history.epochs.size(); ++epoch) {
        CHECK(results[rank].history.epochs[epoch].loss == alone.history.epochs[epoch].loss);
        CHECK(results[rank].history.epochs[epoch].accuracy == alone.history.epochs[epoch].accuracy);
      }
    }
    CHECK(results[0].slots == alone.slots);
  }
}

FitOptions plain(std::size_t batch_size) {
  return {.epochs = 2, .batch_size = batch_size, .verbose = Verbose::silent};
}

auto ann() {
  return Sequential{Seed{1},     Input<784>{}, Dense<20>{}, ReLU{},   Dropout{0.2f},
                    Dense<50>{}, ReLU{},       Dense<10>{}, Softmax{}};
}
auto cnn() {
  return Sequential{Seed{1},           Input<28, 28, 1>{}, Conv2D<8, 3>{}, BatchNormalization{}, ReLU{},
                    MaxPooling2D<2>{}, Dropout{0.2f},      Flatten{},      Dense<10>{},          Softmax{}};
}

}  // namespace

TEST_CASE("a training on several ranks gives the bits of one that is alone") {
  const auto adam = [] { return Adam{}; };
  for (const std::size_t batch_size : {7, 32}) {
    check_same(ann, adam, [&] { return plain(batch_size); });
    check_same(cnn, adam, [&] { return plain(batch_size); });
  }
  check_same(
      ann, adam, [&] { return plain(50); }, 5);
}

TEST_CASE("clipping, penalties, weights, augmentation and accumulation cross ranks") {
  check_same(
      ann, [] { return Adam{.global_clipnorm = 0.1f}; }, [] { return plain(32); });
  check_same(
      ann, [] { return SGD{.learning_rate = 0.1f, .momentum = 0.9f, .clipnorm = 0.05f}; },
      [] { return plain(32); });
  check_same(
      [] {
        return Sequential{Seed{1}, Input<784>{}, Dense<20>{.kernel_regularizer = L2{0.01f}},
                          ReLU{},  Dense<10>{},  Softmax{}};
      },
      [] { return Nadam{}; }, [] { return plain(32); });
  check_same(
      cnn, [] { return Adam{}; },
      [] {
        FitOptions options = plain(32);
        options.gradient_accumulation = 3;
        options.class_weights = {1, 2, 1, 1, 1, 1, 1, 1, 1, 3};
        options.augmentation = Augmentation{.rotation = 10, .mixup = 0.2f};
        return options;
      });
}

TEST_CASE("callbacks run on rank 0 and count for all") {
  check_same(
      cnn, [] { return Adam{}; },
      [] {
        FitOptions options = plain(32);
        options.epochs = 4;
        options.validation_split = 0.2;
        options.callbacks = {
            ExponentialMovingAverage{{.momentum = 0.9f}},
            EarlyStopping{{.monitor = "val_loss", .min_delta = 10, .patience = 2}},
            ReduceLROnPlateau{{.monitor = "loss", .factor = 0.5f, .patience = 0, .min_delta = 10}}};
        return options;
      });
}

namespace {

// The digits in their order; `changes` makes the last part another one.
struct Stream final : SampleStream {
  std::size_t count() const override { return 150; }
  std::size_t part() const override { return 64; }
  void begin_epoch(RandomKey, bool) override { place = 0; }
  DataView read(std::size_t samples) override {
    if (place > 0 && breaks) throw std::runtime_error("the disk is gone");
    Dataset part = data().slice(std::exchange(place, place + samples), samples);
    if (place == 150 && changes) part.labels(3) ^= 1;
    return DataView(std::move(part));
  }
  std::size_t place = 0;
  bool breaks = false, changes = false;
};

}  // namespace

TEST_CASE("ranks read a stream in step, to the bits of one that is alone") {
  const auto train_stream = [](CommunicatorHandle communicator, Stream stream = {}) {
    auto model = cnn();
    Trainer trainer{model,
                    Adam{},
                    CategoricalCrossentropy{},
                    {.threads = 1, .seed = Seed{3}, .communicator = communicator}};
    FitOptions options = plain(32);
    options.class_weights = {1, 2, 1, 1, 1, 1, 1, 1, 1, 3};
    options.augmentation = Augmentation{.rotation = 10};
    options.callbacks = {StochasticWeightAveraging{{}}};
    trainer.fit(stream, options);
    const double loss = trainer.evaluate(stream).loss;
    std::vector<float> result(model.parameters().begin(), model.parameters().end());
    result.push_back(static_cast<float>(loss));
    return result;
  };
  const std::vector<float> alone = train_stream({});
  for (const std::size_t ranks : {2, 3}) {
    const auto errors = ThreadRanks::run(
        ranks, [&](Communicator& communicator) { CHECK(train_stream(&communicator) == alone); });
    for (const std::string& error : errors) CHECK(error == "");
  }
  for (const std::string& error : ThreadRanks::run(3, [&](Communicator& communicator) {
         Stream stream;
         stream.changes = communicator.rank() == 1;
         train_stream(&communicator, stream);
       }))
    CHECK(error.starts_with("Rank 1 differs from rank 0 in its data: 22 samples (28, 28, 1), checksum "));
  for (const std::size_t broken : {0, 2})
    for (const std::string& error : ThreadRanks::run(3, [&](Communicator& communicator) {
           Stream stream;
           stream.breaks = communicator.rank() == broken;
           train_stream(&communicator, stream);
         }))
      CHECK(error == (broken ? "Rank 2 has an error: the disk is gone" : "the disk is gone"));
}

TEST_CASE("what differs between ranks is refused before the first step, and the rank is named") {
  const auto failing = [](const auto& change) {
    return ThreadRanks::run(3, [&](Communicator& communicator) {
      auto model = ann();
      Dataset own = data();
      TrainerOptions options{.threads = 1, .communicator = &communicator};
      FitOptions fit = plain(32);
      if (communicator.rank() == 2) change(model, own, options, fit);
      Trainer trainer{model, Adam{}, CategoricalCrossentropy{}, options};
      trainer.fit(own, fit);
    });
  };
  const auto other_data = failing([](auto&, Dataset& own, auto&, auto&) { own.images(149, 3, 3) ^= 1; });
  for (const std::string& error : other_data)
    CHECK(error.starts_with("Rank 2 differs from rank 0 in its data: 150 samples (28, 28, 1), checksum "));
  for (const std::string& error :
       failing([](auto&model, auto&, auto&, auto&) { model.parameters()[0] += 1; }))
    CHECK(error.starts_with("Rank 2 differs from rank 0 in its parameters: checksum "));
  for (const std::string& error : failing([](auto&, auto&, auto&, FitOptions& fit) { fit.batch_size = 16; }))
    CHECK(error == "Rank 2 differs from rank 0 in its batch_size: 16 instead of 32");
  for (const std::string& error :
       failing([](auto&, auto&, TrainerOptions&options, auto&) { options.shards = 4; }))
    CHECK(error == "Rank 2 differs from rank 0 in its shards: 4 instead of 0");
  for (const std::string& error : failing([](auto&, Dataset&own, auto&, auto&) { own.labels(0) = 12; }))
    CHECK(error.starts_with("Rank 2 has an error: "));
}

TEST_CASE("an error of rank 0 is thrown by all, and the trainer can go on") {
  const auto errors = ThreadRanks::run(3, [&](Communicator& communicator) {
    auto model = ann();
    Trainer trainer{model, Adam{}, CategoricalCrossentropy{}, {.threads = 1, .communicator = &communicator}};
    FitOptions options = plain(32);
    options.callbacks = {EarlyStopping{{.monitor = "val_loss"}}};
    CHECK_THROWS_WITH_AS(trainer.fit(data(), options), doctest::Contains("val_loss"), Error);
    trainer.fit(data(), plain(32));
    CHECK(trainer.epochs() == 2);
    CHECK_THROWS_AS(trainer.save("/no/such/folder/file.safetensors"), Error);
    if (communicator.rank() == 1)
      trainer.evaluate(data());
    else
      trainer.fit(data(), plain(32));
  });
  for (const std::string& error : errors)
    CHECK(error ==
          "Rank 1 calls evaluate while rank 0 calls fit: every rank must make the same calls of the trainer");
}

TEST_CASE("a training goes on with another number of ranks, to the same bits") {
  const support::Folder folder;
  const std::string path = folder / "training.safetensors";
  const auto run = [&](std::size_t ranks, std::size_t from, std::size_t to, bool resumes) {
    std::vector<float> parameters;
    const auto errors = ThreadRanks::run(ranks, [&](Communicator& communicator) {
      auto model = cnn();
      Trainer trainer{
          model, Adam{}, CategoricalCrossentropy{}, {.threads = 1, .communicator = &communicator}};
      if (resumes) trainer.resume(path);
      FitOptions options = plain(32);
      options.initial_epoch = from;
      options.epochs = to;
      trainer.fit(data(), options);
      trainer.save(path);
      if (communicator.rank() + 1 == ranks)
        parameters.assign(model.parameters().begin(), model.parameters().end());
    });
    for (const std::string& error : errors) CHECK(error == "");
    return parameters;
  };
  const std::vector<float> whole = run(1, 0, 3, false);
  run(4, 0, 1, false);
  run(3, 1, 2, true);
  CHECK(run(2, 2, 3, true) == whole);
}
