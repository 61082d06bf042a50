// Losses in Keras' words, with their settings.
#pragma once
#include <any>
#include <optional>
#include <string>
#include <type_traits>

#include "digitnet/core/error.hpp"
#include "digitnet/keras/config.hpp"
#include "digitnet/keras/write_config.hpp"
#include "digitnet/layers/layer.hpp"
#include "digitnet/train/loss_settings.hpp"
#include "digitnet/train/losses.hpp"

namespace digitnet::keras {

/// A loss as Keras configures it. For one's own, `file_entries(loss)` returns it.
struct LossEntry {
  std::string name, class_name;
  /// Settings that are not Keras' defaults
  Json settings;
  bool classifies = false;
  /// "package>Class", where it is a user's own
  std::string registered_name{};

  /// A plain word where that says all; an object with settings otherwise.
  Json json(Generation generation) const {
    const bool is_own = !registered_name.empty(), modern = generation == Generation::keras3;
    if (settings.empty() && !is_own) return name;
    Json config{{"name", name}, {"reduction", "sum_over_batch_size"}};
    config.update(settings);
    Json result{{"class_name", is_own && !modern ? registered_name : class_name},
                {"config", std::move(config)}};
    if (modern) {
      result["module"] = is_own ? Json(nullptr) : Json("keras.losses");
      result["registered_name"] = is_own ? Json(registered_name) : Json(nullptr);
    }
    return result;
  }
  /// The metrics that go with it.
  Json metrics() const { return classifies ? Json{"accuracy"} : Json(nullptr); }
};

namespace detail {

// Exactly these: one that is derived from them is another loss.
template <class Loss, class... Known>
inline constexpr bool is_one_of = (std::is_same_v<Loss, Known> || ...);
template <class Loss>
inline constexpr bool is_loss_of_keras =
    is_one_of<Loss, CategoricalCrossentropy, BinaryCrossentropy, MeanSquaredError, MeanAbsoluteError, Huber>;

inline LossEntry entry_of_keras(const LossSettings& loss) {
  LossEntry entry{snake_case(loss.class_name), loss.class_name, Json::object(), loss.classifies};
  if (loss.from_logits == true) entry.settings["from_logits"] = true;
  if (loss.label_smoothing.value_or(0) != 0)
    entry.settings["label_smoothing"] = short_number(*loss.label_smoothing);
  if (loss.delta.value_or(1) != 1) entry.settings["delta"] = short_number(*loss.delta);
  return entry;
}

/// What formats know of a loss or an optimizer of a user's own: the Entry among what its overload
/// `file_entries` returns.
template <class Entry, class T>
std::optional<Entry> own_entry(const T& of) {
  if constexpr (requires { file_entries(of); })
    for (const std::any& one : file_entries(of))
      if (const Entry* const entry = std::any_cast<Entry>(&one)) return *entry;
  return {};
}
[[noreturn]] inline void fail_of_own(const std::string& kind, const std::string& name, const char* entry) {
  fail("Keras has no " + kind + " " + name + ": say what it is there, with file_entries and a keras::" +
       entry + " (docs/files.md), or write the model alone, with save_keras(trainer.model(), path)");
}

template <class Loss>
LossEntry loss_entry(const Loss& loss) {
  const LossSettings settings = digitnet::detail::settings_of_loss(loss);
  if constexpr (is_loss_of_keras<Loss>) return entry_of_keras(settings);
  if (const auto own = own_entry<LossEntry>(loss)) return *own;
  fail_of_own("loss", settings.class_name, "LossEntry");
}

}  // namespace detail

}  // namespace digitnet::keras
