#include <algorithm>
#include <csignal>
#include <digitnet/train/fit_loop.hpp>
#include <functional>
#include <limits>
#include <set>

#include "support/support.hpp"

using namespace digitnet;

namespace {

using Events = std::vector<std::string>;

/// One parameter that goes to the mean of the samples, which are single numbers: no network. It notes what it
/// is asked for.
class Mean : public TrainableModel {
 public:
  explicit Mean(Events& events, LearningRate rate = 0.25f) : events_(events), rate_(std::move(rate)) {
    facts_.input = {1};
    facts_.loss.class_name = "Distance";
    facts_.optimizer = "Plain";
    facts_.slots = 1;
  }

  const TrainableFacts& facts() const override { return facts_; }
  BatchResult accumulate(const Batch& batch, RandomKey, std::size_t step_samples) override {
    std::string event = "accumulate";
    BatchResult result{.answers = batch.indices.size(), .samples = batch.indices.size()};
    const std::size_t samples = step_samples == 0 ? batch.indices.size() : step_samples;
    for (const std::uint32_t index : batch.indices) {
      event += " " + std::to_string(index);
      const float weight = batch.weights.empty() ? 1.0f : batch.weights[index];
      const float error = value(batch, index) * weight - parameter_ * weight;
      result.loss += double{error} * error;
      gradient_ -= error / static_cast<float>(samples);
    }
    events_.push_back(event + " of " + std::to_string(samples));
    return result;
  }
  double step(std::uint64_t step, float rate) override {
    events_.push_back("step " + std::to_string(step));
    parameter_ -= rate * gradient_;
    gradient_ = 0;
    slot_ = Arena<float>(1);
    slot_.fill(static_cast<float>(step));
    return 0.5;
  }
  void move_statistics() override { events_.push_back("statistics"); }
  BatchResult evaluate(const Batch& batch) override {
    std::string event = "evaluate";
    BatchResult result{.answers = batch.indices.size(), .samples = batch.indices.size()};
    for (const std::uint32_t index : batch.indices) {
      event += " " + std::to_string(index);
      result.loss += std::abs(double{value(batch, index)} - parameter_);
    }
    events_.push_back(event);
    return result;
  }
  double penalty() const override { return 0.25; }
  std::span<float> parameters() override { return {&parameter_, 1}; }
  ModelDescription description() const override { return {}; }
  LearningRate& learning_rate() override { return rate_; }
  Arena<float> copy_of_slots() const override { return slot_; }
  void restore_slots(Arena<float> slots) override { slot_ = std::move(slots); }

  TrainableFacts facts_;

 private:
  static float value(const Batch& batch, std::size_t index) {
    float result = 0;
    batch.data.samples.copy(index, &result);
    return result;
  }

  Events& events_;
  LearningRate rate_;
  float parameter_ = 0, gradient_ = 0;
  Arena<float> slot_;
};

/// Notes when it is called.
struct Watch : Callback {
  Watch(Events& list, std::string name) : events(list), prefix(std::move(name) + " ") {}
  void note(const std::string& what) { events.push_back(prefix + what); }
  void check(TrainingControl&) override { note("check"); }
  void before_training(TrainingControl&) override { note("before_training"); }
  void on_train_begin(TrainingControl&) override { note("on_train_begin"); }
  void on_epoch_begin(TrainingControl&, std::size_t epoch) override {
    note("on_epoch_begin " + std::to_string(epoch));
  }
  void on_batch_end(TrainingControl& control, std::size_t step, const EpochLogs&) override {
    note("on_batch_end " + std::to_string(step));
    if (action) action(control, step);
  }
  void on_epoch_end(TrainingControl&, const EpochLogs& logs) override {
    note("on_epoch_end " + std::to_string(logs.epoch));
  }
  void after_epoch(TrainingControl&, const EpochLogs&) override { note("after_epoch"); }
  void on_train_end(TrainingControl&, const History&) override { note("on_train_end"); }
  void after_training(TrainingControl&, const History&) override { note("after_training"); }

  Events& events;
  std::string prefix;
  std::function<void(TrainingControl&, std::size_t)> action;
};

/// A model, its training and what happened.
struct Course {
  explicit Course(LearningRate rate = 0.25f) : model(events, std::move(rate)) {}
  History fit(const DataView& data, FitOptions options) {
    options.verbose = Verbose::silent;
    return detail::FitLoop(training, data, std::move(options)).run();
  }
  float parameter() { return model.parameters()[0]; }

  Events events;
  Mean model;
  detail::Training training{model, {.threads = 1, .seed = Seed{7}}};
};

/// Samples 1, 2, 3, ...
DataView numbers(std::size_t count) {
  Matrix x = Matrix::from_shape({count, 1}), y = Matrix::from_shape({count, 1});
  for (std::size_t i = 0; i < count; ++i) x(i, 0) = y(i, 0) = static_cast<float>(i + 1);
  return DataView(std::move(x), std::move(y));
}

/// The indices in events that begin with a word.
std::vector<int> indices(const Events& events, const std::string& word) {
  std::vector<int> result;
  for (const std::string& event : events) {
    if (!event.starts_with(word)) continue;
    const std::string rest = event.substr(word.size(), event.find(" of") - word.size());
    for (std::size_t at = 0; at < rest.size(); ++at)
      if (rest[at] == ' ') result.push_back(std::atoi(rest.c_str() + at));
  }
  return result;
}

}  // namespace

TEST_CASE("one epoch, from the first check to the last callback") {
  Course course;
  Watch first(course.events, "first"), second(course.events, "second");
  FitOptions options{.batch_size = 2, .shuffle = false};
  options.callbacks = {&first, &second};
  options.validation = numbers(1);
  course.fit(numbers(3), options);
  const auto both = [](const std::string& what) { return Events{"first " + what, "second " + what}; };
  Events wanted;
  for (const Events& part :
       {both("check"), both("before_training"), both("on_train_begin"), both("on_epoch_begin 1"),
        Events{"accumulate 0 1 of 2", "step 1"}, both("on_batch_end 1"),
        Events{"accumulate 2 of 1", "step 2"}, both("on_batch_end 2"), Events{"evaluate 0"},
        both("on_epoch_end 1"), both("after_epoch"), both("on_train_end"), both("after_training")})
    wanted.insert(wanted.end(), part.begin(), part.end());
  CHECK(course.events == wanted);
}

TEST_CASE("history holds the means with penalties, and what the rate was") {
  Course course{StepDecay{.initial_learning_rate = 0.5f, .step_size = 1, .factor = 0.5f}};
  FitOptions options{.epochs = 2, .batch_size = 2, .shuffle = false};
  options.validation = numbers(1);
  const History history = course.fit(numbers(2), options);
  REQUIRE(history.epochs.size() == 2);
  // 0 goes half the way to 1.5, to 0.75, then a quarter of the rest.
  CHECK(history.epochs[0].loss == (1 + 4) / 2.0 + 0.5);
  CHECK(history.epochs[1].loss == (0.25 * 0.25 + 1.25 * 1.25) / 2 + 0.5);
  CHECK(history.epochs[0].val_loss == 0.25 + 0.25);
  CHECK(course.parameter() == 0.9375f);
  CHECK(history.epochs[1].val_loss == 1 - 0.9375 + 0.25);
  CHECK(history.epochs[0].learning_rate == 0.5);
  CHECK(history.epochs[1].learning_rate == 0.25);
  CHECK(std::isnan(history.epochs[0].accuracy));
  CHECK(history.stopped_because.empty());
  CHECK_FALSE(history.interrupted);
  CHECK_FALSE(history.diverged);
  CHECK(course.training.steps == 2);
  CHECK(course.training.epochs == 2);
  CHECK(course.training.evaluate(numbers(1)).loss == history.epochs[1].val_loss);
}

TEST_CASE("each epoch has an order of its own, which follows from the seed, and every sample once") {
  Course course, again, other;
  other.training.seed = Seed{8};
  std::set<std::vector<int>> orders;
  for (int epoch = 0; epoch < 3; ++epoch) {
    for (Course* each : {&course, &again, &other}) {
      each->events.clear();
      each->fit(numbers(20), {.batch_size = 3});
    }
    std::vector<int> order = indices(course.events, "accumulate");
    CHECK(order == indices(again.events, "accumulate"));
    CHECK(order != indices(other.events, "accumulate"));
    orders.insert(order);
    std::sort(order.begin(), order.end());
    REQUIRE(order.size() == 20);
    for (int i = 0; i < 20; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
  }
  CHECK(orders.size() == 3);
}

TEST_CASE("the last part of the data is held out, and never trained on") {
  Course course;
  const History history = course.fit(numbers(10), {.epochs = 2, .batch_size = 4, .validation_split = 0.3});
  const std::vector<int> trained = indices(course.events, "accumulate");
  CHECK(trained.size() == 14);
  CHECK(*std::max_element(trained.begin(), trained.end()) == 6);
  CHECK(indices(course.events, "evaluate") == std::vector<int>{7, 8, 9, 7, 8, 9});
  CHECK(history.epochs.back().val_loss > 0);
}

TEST_CASE("batches of one step are accumulated, and weights reach the model") {
  Course course;
  FitOptions options{.batch_size = 2, .shuffle = false};
  options.gradient_accumulation = 2;
  options.sample_weights = {1, 0, 0, 0, 1};
  course.fit(numbers(5), options);
  CHECK(course.events ==
        Events{"accumulate 0 1 of 4", "accumulate 2 3 of 4", "step 1", "accumulate 4 of 1", "step 2"});
  // A quarter of the way to 1 with a quarter of the samples; then a quarter of the rest to 5.
  CHECK(course.parameter() == 0.0625f + 0.25f * (5 - 0.0625f));
}

TEST_CASE("a callback ends the epoch and the training") {
  Course course;
  Watch watch(course.events, "watch");
  watch.action = [](TrainingControl& control, std::size_t step) {
    if (step == 2) control.stop("enough");
    if (step == 2) control.stop("more than enough");
  };
  FitOptions options{.epochs = 5, .batch_size = 1};
  options.callbacks = {&watch};
  const History history = course.fit(numbers(4), options);
  CHECK(history.stopped_because == "enough");
  CHECK(history.epochs.size() == 1);
  CHECK(course.training.steps == 2);
  CHECK(std::count(course.events.begin(), course.events.end(), "watch on_epoch_end 1") == 1);
}

TEST_CASE("interrupted in an epoch and gone on from its state, the steps and measures are the same") {
  const FitOptions options{.epochs = 3, .batch_size = 2, .validation_split = 0.2};
  Course straight;
  const History whole = straight.fit(numbers(10), options);

  Course interrupted;
  Watch watch(interrupted.events, "watch");
  watch.action = [&](TrainingControl&, std::size_t step) {
    if (interrupted.training.steps == 6 && step == 2) std::raise(SIGINT);
  };
  FitOptions with = options;
  with.callbacks = {&watch};
  const History part = interrupted.fit(numbers(10), with);
  CHECK(part.interrupted);
  CHECK(part.stopped_because == "Interrupted in epoch 2: the model keeps what it has learnt");
  CHECK(part.epochs.size() == 2);
  CHECK(std::isnan(part.epochs[1].val_loss));
  CHECK(std::count(interrupted.events.begin(), interrupted.events.end(), "watch on_epoch_end 2") == 0);

  TrainingState state = interrupted.training.state();
  CHECK(state.epoch == 1);
  CHECK(state.step == 6);
  REQUIRE(state.unfinished);
  CHECK(state.unfinished->steps == 2);
  state.parameters = Arena<float>(1);
  state.parameters.data()[0] = interrupted.parameter();
  Course rest;
  rest.training.seed = Seed{0};
  rest.training.restore(std::move(state));
  FitOptions further = options;
  further.initial_epoch = 1;
  const History end = rest.fit(numbers(10), further);
  REQUIRE(end.epochs.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(end.epochs[i].loss == whole.epochs[i + 1].loss);
    CHECK(end.epochs[i].val_loss == whole.epochs[i + 1].val_loss);
  }
  CHECK(rest.parameter() == straight.parameter());
  CHECK(rest.training.steps == straight.training.steps);
  CHECK(rest.model.copy_of_slots().data()[0] == 12);
  const Events& all = straight.events;
  CHECK(std::equal(rest.events.begin(), rest.events.end(),
                   all.end() - static_cast<std::ptrdiff_t>(rest.events.size())));

  // With other steps there is no middle to go on from.
  Course other;
  TrainingState again = interrupted.training.state();
  again.parameters = Arena<float>(1);
  other.training.restore(std::move(again));
  further.batch_size = 4;
  CHECK_ERROR("in the middle of an epoch of 8 samples in steps of 2, but here are 8 samples in steps of 4",
              other.fit(numbers(10), further));
}

TEST_CASE("a training that diverges goes on, and history says so") {
  Course course(1e30f);
  History history = course.fit(numbers(8), {.epochs = 4, .batch_size = 1});
  CHECK(history.diverged);
  CHECK(history.epochs.size() == 4);
  // The parameters are looked at too, after the last step.
  Course late;
  Watch watch(late.events, "watch");
  watch.action = [](TrainingControl& control, std::size_t) {
    control.parameters()[0] = std::numeric_limits<float>::infinity();
  };
  FitOptions options{.batch_size = 8};
  options.callbacks = {&watch};
  history = late.fit(numbers(8), options);
  CHECK(std::isfinite(history.epochs[0].loss));
  CHECK(history.diverged);
}

TEST_CASE("statistics follow one pass over the data where a model has any") {
  for (const bool has : {false, true}) {
    Course course;
    course.model.facts_.has_statistics = has;
    Watch watch(course.events, "watch");
    watch.action = [](TrainingControl& control, std::size_t) { control.update_statistics(); };
    FitOptions options{.batch_size = 5, .validation_split = 0.5};
    options.callbacks = {&watch};
    course.fit(numbers(10), options);
    CHECK(std::count(course.events.begin(), course.events.end(), "statistics") == has);
    CHECK(indices(course.events, "accumulate").size() == (has ? 10 : 5));
  }
}

TEST_CASE("nothing has changed when data or options are refused") {
  Course course;
  CHECK_ERROR("There are no samples to train on", course.fit(DataView{}, {}));
  CHECK_ERROR("The model takes samples of shape (1,), but was given samples of shape (2,)",
              course.fit(DataView(Matrix::from_shape({3, 2}), Matrix::from_shape({3, 1})), {}));
  CHECK_ERROR("fit needs at least 1 epoch", course.fit(numbers(3), {.epochs = 0}));
  CHECK_ERROR("Class weights need classes", course.fit(numbers(3), {.class_weights = {1, 1}}));
  CHECK(course.events.empty());
  CHECK(course.training.steps == 0);
}

TEST_CASE("what makes a training this one: data, options, optimizer and loss") {
  Course course;
  course.model.facts_.loss.delta = 0.5f;
  course.model.facts_.optimizer_settings = {{"momentum", 0.5, OptimizerSetting::up_to_one}};
  Watch watch(course.events, "watch");
  TrainingSetup setup;
  watch.action = [&](TrainingControl& control, std::size_t) { setup = control.setup(); };
  FitOptions options{.batch_size = 3};
  options.callbacks = {&watch};
  course.fit(numbers(3), options);
  CHECK(setup["loss"] == "Distance");
  CHECK(setup["loss delta"] == "0.5");
  CHECK(setup.count("loss from_logits") == 0);
  CHECK(setup["optimizer"] == "Plain");
  CHECK(setup["Plain momentum"] == "0.5");
  CHECK(setup["learning rate"] == "0.25");
  CHECK(setup["seed"] == "7");
}
