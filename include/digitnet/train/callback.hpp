// Callback: a class whose functions are called between the steps and epochs of a training. Names and rules
// are Keras'.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "digitnet/core/class_name.hpp"
#include "digitnet/inspect/description.hpp"
#include "digitnet/train/history.hpp"
#include "digitnet/train/training_state.hpp"

namespace digitnet {

/// What a callback may see and change while a training runs.
class TrainingControl {
 public:
  virtual ~TrainingControl() = default;

  /// The rate of the next step.
  virtual float learning_rate() const = 0;
  /// Replaces the optimizer's constant rate. Throws an Error if the rate follows a schedule, or if the new
  /// one is negative or no number.
  virtual void set_learning_rate(float rate) = 0;
  /// Whether the rate follows a schedule.
  virtual bool has_schedule() const { return false; }
  /// The model's arena.
  virtual std::span<float> parameters() = 0;
  virtual std::size_t epochs() const = 0;
  /// Steps that the trainer has taken.
  virtual std::uint64_t steps() const { return 0; }
  /// What this training measures, without values.
  virtual EpochLogs measures() const {
    EpochLogs all;
    all.has_validation = true;
    return all;
  }
  /// Ends the training after the current step or epoch, for a reason that is printed.
  virtual void stop(std::string reason) = 0;
  /// Prints a line, unless the training is silent.
  virtual void print(const std::string& line) const = 0;
  /// The model as data.
  virtual ModelDescription description() const = 0;
  /// What the training needs to go on, beside the parameters.
  virtual TrainingState state() const = 0;
  /// Goes on from a state; only in before_training.
  virtual void restore(TrainingState state) = 0;
  /// What makes this training no other. The first call is to come before parameters change.
  virtual TrainingSetup setup() { return {}; }
  /// The optimizer's slots for each parameter.
  virtual std::size_t slots() const = 0;
  /// Moving statistics (BatchNormalization's) follow one pass over the training data; parameters that are
  /// trained stay. Nothing for a model without such.
  virtual void update_statistics() = 0;
};

/// Base of all callbacks: override what you need. Called on the thread that called `fit`, each function for
/// all callbacks in their order before the next one. What a callback knows of a training (counters, a best
/// value) belongs into its state, so that a training that was killed and goes on ends as one that was left
/// alone.
class Callback {
 public:
  virtual ~Callback() = default;

  /// Before anything has changed: throw an Error if this callback cannot do its work in this training.
  virtual void check(TrainingControl&) {}
  /// Where a training may be restored from a file.
  virtual void before_training(TrainingControl&) {}
  /// A new `fit`: forget what belongs to an earlier one.
  virtual void on_train_begin(TrainingControl&) {}
  virtual void on_epoch_begin(TrainingControl&, std::size_t /*epoch, from 1*/) {}
  /// After each step, with the means since the epoch began.
  virtual void on_batch_end(TrainingControl&, std::size_t /*step, from 1*/, const EpochLogs&) {}
  virtual void on_epoch_end(TrainingControl&, const EpochLogs&) {}
  /// After every callback's on_epoch_end: the place to write the training's whole state.
  virtual void after_epoch(TrainingControl&, const EpochLogs&) {}
  virtual void on_train_end(TrainingControl&, const History&) {}
  /// After every callback's on_train_end.
  virtual void after_training(TrainingControl&, const History&) {}

  /// What a checkpoint keeps of this callback; nothing if it is left empty.
  virtual void save_state(CallbackState&) const {}
  /// Takes up what save_state wrote, after on_train_begin.
  virtual void load_state(TrainingControl&, const CallbackState&) {}
};

/// A callback in the list of `fit`: a copy of one (`EarlyStopping{...}`), or a pointer to one that the caller
/// keeps.
class CallbackHandle {
 public:
  template <std::derived_from<Callback> C>
  CallbackHandle(C callback) : callback_(std::make_shared<C>(std::move(callback))) {}
  CallbackHandle(Callback* callback) : callback_(callback, [](Callback*) {}) {}

  Callback* operator->() const { return callback_.get(); }
  Callback& operator*() const { return *callback_; }

 private:
  std::shared_ptr<Callback> callback_;
};

namespace detail {

/// Calls visit(name, callback) for each: its class, with a number from the second of a class on.
template <class Visit>
void for_each_named(const std::vector<CallbackHandle>& callbacks, const Visit& visit) {
  std::map<std::string, int> seen;
  for (const CallbackHandle& handle : callbacks) {
    Callback& callback = *handle;
    std::string name = class_name(typeid(callback));
    const int number = ++seen[name];
    if (number > 1) name += " " + std::to_string(number);
    visit(name, callback);
  }
}

/// The states of all callbacks that have one.
inline std::map<std::string, CallbackState> states_of(const std::vector<CallbackHandle>& callbacks) {
  std::map<std::string, CallbackState> states;
  for_each_named(callbacks, [&](const std::string& name, const Callback& callback) {
    CallbackState state;
    callback.save_state(state);
    if (!state.empty()) states.emplace(name, std::move(state));
  });
  return states;
}

/// Gives each callback its state. Returns what is said of those that are not in both, or nothing.
inline std::string load_states(TrainingControl& control, const std::vector<CallbackHandle>& callbacks,
                               std::map<std::string, CallbackState> states) {
  std::string without;
  for_each_named(callbacks, [&](const std::string& name, Callback& callback) {
    if (const auto found = states.find(name); found != states.end()) {
      callback.load_state(control, found->second);
      states.erase(found);
      return;
    }
    CallbackState fresh;
    callback.save_state(fresh);
    if (!fresh.empty()) without += (without.empty() ? "" : ", ") + name;
  });
  std::string said;
  if (!without.empty()) said = "it has no state of " + without + ", which begins afresh";
  std::string unused;
  for (const auto& [name, state] : states) unused += (unused.empty() ? "" : ", ") + name;
  if (!unused.empty())
    said += (said.empty() ? "" : "; ") + ("its state of " + unused + " is not used, for there is none here");
  return said;
}

}  // namespace detail

}  // namespace digitnet
