// A training that was killed or interrupted and goes on ends as one that was left alone, bit for bit,
// whatever callbacks it has and in whatever order.
#include <csignal>
#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/io/safetensors.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/batch_normalization.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/dropout.hpp>
#include <digitnet/layers/input.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/train/callbacks.hpp>
#include <digitnet/train/history.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/model_checkpoint.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/trainer.hpp>
#include <digitnet/train/weight_averaging.hpp>
#include <functional>

#include "support/support.hpp"

using namespace digitnet;

namespace {

constexpr std::size_t epochs = 6;

auto make_model(float dropout = 0.2f) {
  return Sequential{Seed{1}, Input<784>{},     Dense<6>{},  BatchNormalization{},
                    ReLU{},  Dropout{dropout}, Dense<10>{}, Softmax{}};
}
using Model = decltype(make_model());

const Dataset& digits() {
  static const Dataset data = synthetic_digits(90, Seed{1});
  return data;
}
const Dataset& others() {
  static const Dataset data = synthetic_digits(60, Seed{2});
  return data;
}

FitOptions options(std::vector<CallbackHandle> callbacks, std::size_t count = epochs) {
  return {.epochs = count,
          .batch_size = 20,
          .validation = &others(),
          .callbacks = std::move(callbacks),
          .verbose = Verbose::silent};
}

using MakeCallbacks = std::function<std::vector<CallbackHandle>(const support::Folder&)>;

const std::vector<std::pair<const char*, MakeCallbacks>>& all_callbacks() {
  using Handles = std::vector<CallbackHandle>;
  using Folder = const support::Folder;
  static const std::vector<std::pair<const char*, MakeCallbacks>> list{
      {"none", [](Folder&) { return Handles{}; }},
      {"EMA", [](Folder&) { return Handles{ExponentialMovingAverage({.momentum = 0.9f, .every = 3})}; }},
      {"SWA", [](Folder&) { return Handles{StochasticWeightAveraging({.start_epoch = 2})}; }},
      {"plateau",
       [](Folder&) { return Handles{ReduceLROnPlateau({.factor = 0.5f, .patience = 1, .min_delta = 1})}; }},
      {"stopping",
       [](Folder&) {
         return Handles{EarlyStopping({.min_delta = 0.3, .patience = 3, .restore_best_weights = true})};
       }},
      {"scheduler",
       [](Folder&) {
         return Handles{LearningRateScheduler([](std::size_t, float rate) { return rate * 0.7f; })};
       }},
      {"best",
       [](Folder& folder) {
         return Handles{
             ModelCheckpoint(folder / "best", {.save_best_only = true, .save_weights_only = true}),
             // of the loss of untrained models: the first one stays the best
             ModelCheckpoint(folder / "worst", {.monitor = "learning_rate", .save_best_only = true})};
       }},
      {"csv", [](Folder& folder) { return Handles{CSVLogger(folder / "log.csv")}; }},
      {"all",
       [](Folder& folder) {
         return Handles{
             CSVLogger(folder / "log.csv"),
             EarlyStopping({.monitor = "val_accuracy", .patience = 4, .restore_best_weights = true}),
             ExponentialMovingAverage({.momentum = 0.8f, .start_epoch = 2}),
             ReduceLROnPlateau({.monitor = "loss", .factor = 0.5f, .patience = 1, .min_delta = 0.5}),
             ModelCheckpoint(folder / "best", {.save_best_only = true}),
             StochasticWeightAveraging({.start_epoch = 3})};
       }},
  };
  return list;
}

// What a training leaves behind.
struct Outcome {
  std::vector<float> parameters;
  std::vector<std::string> names, contents;

  Outcome(const Model& model, const support::Folder& folder)
      : parameters(model.parameters().begin(), model.parameters().end()), names(folder.files()) {
    for (const std::string& name : names) contents.push_back(support::read_file(folder / name));
  }
  bool operator==(const Outcome&) const = default;
};

struct Killed {};

// Ends a training at a step of an epoch, or (step 0) at the epoch's end.
struct End : Callback {
  std::size_t epoch, step;
  bool kill;
  std::size_t now = 0;
  End(std::size_t in_epoch, std::size_t after_step, bool kills)
      : epoch(in_epoch), step(after_step), kill(kills) {}
  void on_batch_end(TrainingControl&, std::size_t at, const EpochLogs& logs) override {
    if (logs.epoch == epoch && at == step) end();
  }
  void on_epoch_end(TrainingControl&, const EpochLogs& logs) override {
    if (logs.epoch == epoch && step == 0) end();
  }
  void end() const {
    if (kill) throw Killed();
    std::raise(SIGINT);
  }
};

auto make_trainer(Model& model, float rate = 0.3f) {
  return Trainer{
      model, SGD{.learning_rate = rate, .momentum = 0.9f}, CategoricalCrossentropy{}, {.seed = Seed{5}}};
}

Outcome undisturbed(const MakeCallbacks& make) {
  const support::Folder folder;
  Model model = make_model();
  make_trainer(model).fit(digits(), options(make(folder)));
  return {model, folder};
}

}  // namespace

TEST_CASE("killed or interrupted anywhere, with BackupAndRestore anywhere in the list") {
  for (const auto& entry : all_callbacks()) {
    const std::string name = entry.first;
    const MakeCallbacks& make = entry.second;
    const Outcome wanted = undisturbed(make);
    for (const bool first : {true, false})
      for (const bool kill : {true, false}) {
        CAPTURE(name);
        CAPTURE(first);
        CAPTURE(kill);
        const support::Folder folder;
        const auto run = [&](std::vector<End> ends) {
          Model model = make_model();
          std::vector<CallbackHandle> callbacks = make(folder);
          callbacks.insert(first ? callbacks.begin() : callbacks.end(), BackupAndRestore(folder / "backup"));
          for (End& end : ends) callbacks.insert(first ? callbacks.end() : callbacks.begin(), &end);
          try {
            make_trainer(model).fit(digits(), options(callbacks));
          } catch (const Killed&) {
          }
          return model;
        };
        run({{1, 0, kill}});
        run({{2, 3, kill}});
        run({{2, 0, kill}});
        run({{4, 2, kill}});
        run({{5, 0, kill}});
        const Model model = run({});
        const Outcome found(model, folder);
        CHECK(found.names == wanted.names);
        CHECK_UNARY(found == wanted);
      }
  }
}

TEST_CASE("saved and resumed by hand, between epochs and after Ctrl-C within one") {
  for (const auto& entry : all_callbacks()) {
    const std::string name = entry.first;
    const MakeCallbacks& make = entry.second;
    const Outcome wanted = undisturbed(make);
    for (const std::size_t step : {0, 2}) {
      CAPTURE(name);
      CAPTURE(step);
      const support::Folder folder, elsewhere;
      std::vector<float> left;
      {
        Model model = make_model();
        auto trainer = make_trainer(model);
        auto callbacks = make(folder);
        End end(3, step, false);
        if (step > 0) callbacks.emplace_back(&end);
        CHECK(trainer.fit(digits(), options(callbacks, step > 0 ? epochs : 2)).interrupted == (step > 0));
        trainer.save(elsewhere / "a");
        left.assign(model.parameters().begin(), model.parameters().end());
      }
      Model model = make_model();
      auto trainer = make_trainer(model);
      trainer.resume(elsewhere / "a");
      CHECK(std::ranges::equal(model.parameters(), left));
      CHECK(trainer.epochs() == 2);
      // Saved again, it is the same.
      trainer.save(elsewhere / "b");
      CHECK_UNARY(support::read_file(elsewhere / "a") == support::read_file(elsewhere / "b"));
      FitOptions rest = options(make(folder));
      rest.initial_epoch = trainer.epochs();
      trainer.fit(digits(), rest);
      CHECK_UNARY(Outcome(model, folder) == wanted);
    }
  }
}

TEST_CASE("resumed from ModelCheckpoint's file of a whole training") {
  for (const auto& entry : all_callbacks()) {
    const std::string name = entry.first;
    const MakeCallbacks& make = entry.second;
    CAPTURE(name);
    const support::Folder folder, elsewhere;
    {
      Model model = make_model();
      auto callbacks = make(folder);
      callbacks.insert(callbacks.begin(), ModelCheckpoint(elsewhere / "{epoch:02d}"));
      make_trainer(model).fit(digits(), options(callbacks, 3));
    }
    if (name == "csv") continue;  // the file says more than the older checkpoint
    Model model = make_model();
    auto trainer = make_trainer(model);
    trainer.resume(elsewhere / "02");
    FitOptions rest = options(make(folder));
    rest.initial_epoch = trainer.epochs();
    trainer.fit(digits(), rest);
    const Outcome wanted = undisturbed(make);
    CHECK(Outcome(model, folder).parameters == wanted.parameters);
  }
}

TEST_CASE("a callback of one's own takes part, and a mismatch does not stop the training") {
  struct Noise : Callback {  // moves a weight by how often it has done so
    std::size_t count = 0;
    void on_batch_end(TrainingControl& control, std::size_t, const EpochLogs&) override {
      control.parameters()[0] += 1e-3f * static_cast<float>(++count);
    }
    void save_state(CallbackState& state) const override { state.set("count", count); }
    void load_state(TrainingControl&, const CallbackState& state) override {
      count = state.number<std::size_t>("count");
    }
  };
  const MakeCallbacks make = [](const support::Folder&) {
    return std::vector<CallbackHandle>{Noise(), Noise()};
  };
  const Outcome wanted = undisturbed(make);
  const support::Folder folder;
  Model model = make_model();
  const auto run = [&](std::vector<CallbackHandle> callbacks, End* end = nullptr) {
    model = make_model();
    callbacks.emplace_back(BackupAndRestore(folder / "a"));
    if (end) callbacks.emplace_back(end);
    try {
      make_trainer(model).fit(digits(), options(callbacks));
    } catch (const Killed&) {
    }
  };
  End end(3, 1, true);
  run(make(folder), &end);
  run(make(folder));
  CHECK(std::ranges::equal(model.parameters(), wanted.parameters));
  run(make(folder), &end);
  run({EarlyStopping{}});
  CHECK(folder.files().empty());
}

TEST_CASE(
    "another training's checkpoint is refused with every difference, and stays; a longer training goes on") {
  const support::Folder folder;
  const auto run = [&](FitOptions changed, auto optimizer, Seed seed = Seed{5}, std::size_t end_in = 99,
                       const Dataset& data = digits(), float dropout = 0.2f) {
    Model model = make_model(dropout);
    End end(end_in, 1, true);
    changed.callbacks = {BackupAndRestore(folder / "a"), &end};
    Trainer trainer{model, optimizer, CategoricalCrossentropy{}, {.seed = seed}};
    try {
      trainer.fit(data, changed);
    } catch (const Killed&) {
    }
    return std::vector<float>(model.parameters().begin(), model.parameters().end());
  };
  const SGD sgd{.learning_rate = 0.1f, .momentum = 0.9f};
  run(options({}, 3), sgd, Seed{5}, 3);
  const std::string kept = support::read_file(folder / "a");
  FitOptions other = options({}, 3);
  other.batch_size = 30;
  other.shuffle = false;
  other.validation = {};
  const std::string error = support::error_of([&] {
    run(other, SGD{.learning_rate = 0.2f, .momentum = 0.8f, .nesterov = true}, Seed{6}, 99, others(), 0.3f);
  });
  for (const char* part :
       {"batch_size is 30 in this training, 20 in the file's", "shuffle is false in this training, true in",
        "validation is none in this training, 60 samples (28, 28, 1)",
        "SGD momentum is 0.8 in this training, 0.9", "SGD nesterov is 1",
        "learning rate is 0.2 in this training, 0.1", "seed is 6 in this training, 5 in",
        "data is 60 samples (28, 28, 1), checksum", "Dropout (rate 0.3) in this training"}) {
    CAPTURE(error);
    CHECK_MESSAGE(support::contains(error, part), part);
  }
  Dataset changed = digits();
  changed.labels(7) = (changed.labels(7) + 1) % 10;
  CHECK_ERROR("data is 90 samples", run(options({}, 3), sgd, Seed{5}, 99, changed));
  CHECK_ERROR("has done 2 epochs already, but only 1 were asked for", run(options({}, 1), sgd));
  CHECK_UNARY(support::read_file(folder / "a") == kept);
  CHECK(folder.files().size() == 1);
  const auto longer = run(options({}, 5), sgd);
  CHECK(folder.files().empty());
  CHECK(longer == run(options({}, 5), sgd));
}

TEST_CASE("a checkpoint is locked while it is in use, and one that cannot be opened is not none") {
  const support::Folder folder;
  Model model = make_model();
  const auto fit = [&](
                       const std::string& path, std::function<void()> meanwhile = [] {}) {
    Model own = make_model();
    make_trainer(own).fit(
        digits(), options({BackupAndRestore(path), LambdaCallback([&](auto&, auto&) { meanwhile(); })}, 1));
  };
  fit(folder / "a", [&] {
    CHECK_ERROR("The checkpoint " + folder / "a" + " is in use by another process", fit(folder / "a"));
  });
  CHECK(folder.files().empty());
  REQUIRE(::symlink((folder / "loop").c_str(), (folder / "loop").c_str()) == 0);
  REQUIRE(::mkdir((folder / "folder").c_str(), 0777) == 0);
  support::write_file(folder / "text", "no checkpoint");
  CHECK_ERROR("leads nowhere", fit(folder / "loop"));
  CHECK_ERROR("is not a file, but a folder", fit(folder / "folder"));
  CHECK_ERROR("No such file or directory", fit(folder / "none/a"));
  CHECK_ERROR("is no safetensors file", fit(folder / "text"));
  CHECK(support::read_file(folder / "text") == "no checkpoint");
  CHECK_ERROR("its path is empty", fit(""));
}

TEST_CASE(
    "no bit of a checkpoint or of parameters can change unnoticed, and no number in it is taken for "
    "another") {
  const support::Folder folder;
  Matrix x = Matrix::from_shape({4, 2}), y = Matrix::from_shape({4, 1});
  x.fill(0.5f);
  y.fill(1);
  Sequential<Input<2>, Dense<1>> model{Seed{1}};
  Trainer trainer{model, SGD{.momentum = 0.9f}, MeanSquaredError{}};
  trainer.fit(x, y, {.verbose = Verbose::silent});
  trainer.save(folder / "a");
  save_safetensors(model, folder / "b");
  for (const std::string name : {"a", "b"}) {
    const std::string bytes = support::read_file(folder / name);
    std::size_t unnoticed = 0;
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string damaged = bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
      support::write_file(folder / "damaged", damaged);
      try {
        if (name == "a")
          trainer.resume(folder / "damaged");
        else
          load_safetensors(model, folder / "damaged");
        ++unnoticed;
      } catch (const Error&) {
      }
    }
    CHECK(unnoticed == 0);
  }
  const auto with = [&](const char* key, const char* word) {
    Safetensors file = Safetensors::read(folder / "a");
    if (word)
      file.metadata[key] = word;
    else
      file.metadata.erase(key);
    file.write(folder / "changed");
    return folder / "changed";
  };
  const auto before = std::vector<float>(model.parameters().begin(), model.parameters().end());
  for (const auto& entry : std::vector<std::pair<const char*, const char*>>{{"epoch", "-1"},
                                                                            {"epoch", "1x"},
                                                                            {"epoch", "18446744073709551616"},
                                                                            {"epoch", "18446744073709551615"},
                                                                            {"epoch", ""},
                                                                            {"epoch", nullptr},
                                                                            {"step", "-9"},
                                                                            {"step", "1e3"},
                                                                            {"seed", " 5"},
                                                                            {"learning_rate", "nan"},
                                                                            {"learning_rate", "inf"},
                                                                            {"learning_rate", "-0.1"},
                                                                            {"learning_rate", "0,05"},
                                                                            {"learning_rate", nullptr},
                                                                            {"learning_rate", "1e99"}}) {
    CAPTURE(entry.first);
    CAPTURE(entry.second);
    CHECK_ERROR("the file's ", trainer.resume(with(entry.first, entry.second)));
  }
  CHECK(std::ranges::equal(model.parameters(), before));
  trainer.resume(with("learning_rate", "0.05"));
  CHECK(trainer.optimizer().learning_rate(0) == 0.05f);
}

TEST_CASE("callbacks in a second fit: EarlyStopping begins afresh, the best file and averages go on") {
  const support::Folder folder;
  Model model = make_model();
  auto trainer = make_trainer(model);
  ModelCheckpoint best(folder / "best",
                       {.monitor = "loss", .save_best_only = true, .save_weights_only = true});
  EarlyStopping stopping({.monitor = "loss", .patience = 2});
  trainer.fit(digits(), options({&best, &stopping}, 5));
  const std::string kept = support::read_file(folder / "best");
  Model fresh = make_model();
  const History history = make_trainer(fresh).fit(digits(), options({&best, &stopping}, 1));
  CHECK_UNARY(support::read_file(folder / "best") == kept);
  CHECK(stopping.best_epoch() == 1);
  CHECK(history.stopped_because.empty());

  // An average over two calls is the one over a single call, if nothing comes between.
  ExponentialMovingAverage once({.momentum = 0.9f}), twice({.momentum = 0.9f});
  Model a = make_model(), b = make_model();
  struct NoEnd : Callback {  // puts back the trained parameters
    std::vector<float> trained;
    void on_epoch_end(TrainingControl& control, const EpochLogs&) override {
      trained.assign(control.parameters().begin(), control.parameters().end());
    }
    void on_train_end(TrainingControl& control, const History&) override {
      std::ranges::copy(trained, control.parameters().begin());
    }
  } put_back;
  make_trainer(a).fit(digits(), options({&once}, 2));
  auto second = make_trainer(b);
  second.fit(digits(), options({&twice, &put_back}, 1));
  second.fit(digits(), options({&twice}, 1));
  CHECK(std::ranges::equal(a.parameters(), b.parameters()));
}
