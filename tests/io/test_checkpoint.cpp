#include <digitnet/train/checkpoint.hpp>
#include <fstream>

#include "io/every_layer.hpp"
#include "support/support.hpp"

using namespace digitnet;

namespace {

auto make_model() {
  return Sequential{Seed{1}, Input<784>{},  Dense<12>{}, BatchNormalization{},
                    ReLU{},  Dropout{0.2f}, Dense<10>{}, Softmax{}};
}
const Dataset& data() {
  static const Dataset digits = synthetic_digits(120, Seed{1});
  return digits;
}

// Trains for six epochs in one go, and for two and then, from a file, four; ends must be equal.
template <class Optimizer>
void check_resume(Optimizer optimizer) {
  const support::Folder folder;
  auto whole = make_model();
  Trainer straight{whole, optimizer, CategoricalCrossentropy{}, {.seed = Seed{5}}};
  straight.fit(data(), {.epochs = 6, .verbose = Verbose::silent});
  auto first = make_model();
  {
    Trainer trainer{first, optimizer, CategoricalCrossentropy{}, {.seed = Seed{5}}};
    trainer.fit(data(), {.epochs = 2, .verbose = Verbose::silent});
    trainer.save(folder / "a");
  }
  auto second = make_model();
  second.initialize(Seed{77});
  Trainer trainer{second, optimizer, CategoricalCrossentropy{}, {.threads = 1, .seed = Seed{6}}};
  trainer.resume(folder / "a");
  CHECK(trainer.epochs() == 2);
  CHECK(trainer.steps() == straight.steps() / 3);
  trainer.fit(data(), {.epochs = 6, .initial_epoch = trainer.epochs(), .verbose = Verbose::silent});
  CHECK(networks::parameters(second) == networks::parameters(whole));
}

}  // namespace

TEST_CASE("a resumed training ends with the same bits, with every optimizer") {
  check_resume(SGD{});
  check_resume(SGD{.momentum = 0.9f});
  check_resume(RMSprop{.momentum = 0.5f, .centered = true});
  check_resume(Adagrad{});
  check_resume(Adam{});
  check_resume(Adam{.amsgrad = true});
  check_resume(AdamW{});
  check_resume(Nadam{});
  check_resume(Lion{});
  check_resume(Adam{.learning_rate = OneCycle{.peak = 3e-3f, .total_steps = 24}});
}

TEST_CASE("a rate that a callback has set goes on") {
  const support::Folder folder;
  const auto halve = [] { return LearningRateScheduler([](std::size_t, float rate) { return rate / 2; }); };
  auto whole = make_model();
  Trainer straight{whole, Adam{}, CategoricalCrossentropy{}};
  straight.fit(data(), {.epochs = 4, .callbacks = {halve()}, .verbose = Verbose::silent});
  auto model = make_model();
  Trainer first{model, Adam{}, CategoricalCrossentropy{}};
  first.fit(data(), {.epochs = 1, .callbacks = {halve()}, .verbose = Verbose::silent});
  first.save(folder / "a");
  Trainer second{model, Adam{}, CategoricalCrossentropy{}};
  second.resume(folder / "a");
  second.fit(data(), {.epochs = 4, .initial_epoch = 1, .callbacks = {halve()}, .verbose = Verbose::silent});
  CHECK(networks::parameters(model) == networks::parameters(whole));
}

TEST_CASE("what does not fit is refused, with all differences, and nothing has changed") {
  const support::Folder folder;
  auto model = make_model();
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}};
  trainer.fit(data(), {.verbose = Verbose::silent});
  trainer.save(folder / "a");
  auto other = Sequential{Seed{1}, Input<784>{}, Dense<11>{}, ReLU{}, Dense<10>{}, Softmax{}};
  const auto before = networks::parameters(other);
  Trainer other_trainer{other, SGD{}, CategoricalCrossentropy{}};
  const std::string error = support::error_of([&] { other_trainer.resume(folder / "a"); });
  INFO(error);
  for (const char* part : {"the optimizer is SGD, in the file Adam",
                           "dense/kernel is (784, 11) in the model, (784, 12) in the file"})
    CHECK(support::contains(error, part));
  CHECK(networks::parameters(other) == before);
  Trainer amsgrad{model, Adam{.amsgrad = true}, CategoricalCrossentropy{}};
  CHECK_ERROR("the model has optimizer/2/dense/kernel (784, 12), the file does not",
              amsgrad.resume(folder / "a"));
  save_safetensors(model, folder / "weights");
  CHECK_ERROR("holds no training to resume", trainer.resume(folder / "weights"));
}

TEST_CASE("ModelCheckpoint: names, best only, weights only, and errors before the training") {
  const support::Folder folder;
  auto model = make_model();
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}};
  ModelCheckpoint all(folder / "m-{epoch:02d}-{val_accuracy:.2f}.safetensors", {.save_weights_only = true});
  ModelCheckpoint best(folder / "best", {.monitor = "loss", .save_best_only = true});
  ModelCheckpoint never(folder / "never",
                        {.monitor = "val_accuracy", .save_best_only = true, .initial_value_threshold = 2});
  const History history = trainer.fit(
      data(),
      {.epochs = 3, .validation = &data(), .callbacks = {&all, &best, &never}, .verbose = Verbose::silent});
  CHECK(folder.files().size() == 4);
  char name[64];
  std::snprintf(name, sizeof name, "m-03-%.2f.safetensors", history.epochs.back().val_accuracy);
  CHECK(all.last_path() == folder / name);
  auto other = make_model();
  load_safetensors(other, all.last_path());
  CHECK(networks::parameters(other) == networks::parameters(model));
  CHECK(best.last_path() == folder / "best");
  CHECK(never.last_path().empty());
  for (const char* bad : {"{epoch", "{epoch:02x}", "{loss:d}", "{epoch:%n}", "{epoch:999999999d}"}) {
    CAPTURE(bad);
    CHECK_ERROR("is no pattern of file names",
                trainer.fit(data(), {.callbacks = {ModelCheckpoint(bad)}, .verbose = Verbose::silent}));
  }
  CHECK_ERROR("no quantity \"colour\"",
              trainer.fit(data(), {.callbacks = {ModelCheckpoint("{colour}")}, .verbose = Verbose::silent}));
}

TEST_CASE("BackupAndRestore goes on where a training was killed, and cleans up") {
  const support::Folder folder;
  auto whole = make_model();
  Trainer straight{whole, Adam{}, CategoricalCrossentropy{}, {.seed = Seed{5}}};
  straight.fit(data(), {.epochs = 5, .verbose = Verbose::silent});
  struct Killed {};
  const auto run = [&](std::size_t die_after) {
    auto model = make_model();
    Trainer trainer{model, Adam{}, CategoricalCrossentropy{}, {.seed = Seed{5}}};
    trainer.fit(data(), {.epochs = 5,
                         .callbacks = {BackupAndRestore(folder / "backup"),
                                       LambdaCallback([&](TrainingControl&, const EpochLogs& logs) {
                                         if (logs.epoch == die_after) throw Killed{};
                                       })},
                         .verbose = Verbose::silent});
    return networks::parameters(model);
  };
  CHECK_THROWS_AS(run(1), Killed);
  CHECK_THROWS_AS(run(3), Killed);
  CHECK(folder.files().size() == 1);
  CHECK(run(99) == networks::parameters(whole));
  CHECK(folder.files().empty());
}
