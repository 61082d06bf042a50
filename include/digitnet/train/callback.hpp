// Callback: a class whose functions are called between the steps and epochs of a training. Names and rules
// are Keras'.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/compiled.hpp"
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

/// The states of all callbacks that have one.
DIGITNET_INLINE std::vector<NamedCallbackState> states_of(const std::vector<CallbackHandle>& callbacks);

/// Gives each callback its state. Returns what is said of those that are not in both, or nothing.
DIGITNET_INLINE std::string load_states(TrainingControl& control,
                                        const std::vector<CallbackHandle>& callbacks,
                                        std::vector<NamedCallbackState> states);

}  // namespace detail

}  // namespace digitnet

#if DIGITNET_BODIES
#include <algorithm>
#include <typeinfo>

#include "digitnet/core/class_name.hpp"

namespace digitnet::detail {

/// A name for each: its class, with a number from the second of a class on.
inline std::vector<std::string> names_of(const std::vector<CallbackHandle>& callbacks) {
  std::vector<std::string> classes, names;
  for (const CallbackHandle& handle : callbacks) {
    const Callback& callback = *handle;
    classes.push_back(class_name(typeid(callback)));
    const auto number = std::count(classes.begin(), classes.end(), classes.back());
    names.push_back(classes.back() + (number > 1 ? " " + std::to_string(number) : ""));
  }
  return names;
}

DIGITNET_INLINE std::vector<NamedCallbackState> states_of(const std::vector<CallbackHandle>& callbacks) {
  const std::vector<std::string> names = names_of(callbacks);
  std::vector<NamedCallbackState> states;
  for (std::size_t i = 0; i < names.size(); ++i) {
    NamedCallbackState here{names[i], {}};
    callbacks[i]->save_state(here.state);
    if (!here.state.empty()) states.push_back(std::move(here));
  }
  return states;
}

DIGITNET_INLINE std::string load_states(TrainingControl& control,
                                        const std::vector<CallbackHandle>& callbacks,
                                        std::vector<NamedCallbackState> states) {
  const std::vector<std::string> names = names_of(callbacks);
  std::string without;
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto found = states.begin();
    while (found != states.end() && found->name != names[i]) ++found;
    if (found != states.end()) {
      callbacks[i]->load_state(control, found->state);
      states.erase(found);
      continue;
    }
    CallbackState fresh;
    callbacks[i]->save_state(fresh);
    if (!fresh.empty()) without += (without.empty() ? "" : ", ") + names[i];
  }
  std::string said;
  if (!without.empty()) said = "it has no state of " + without + ", which begins afresh";
  std::string unused;
  for (const NamedCallbackState& state : states) unused += (unused.empty() ? "" : ", ") + state.name;
  if (!unused.empty())
    said += (said.empty() ? "" : "; ") + ("its state of " + unused + " is not used, for there is none here");
  return said;
}

}  // namespace digitnet::detail
#endif
