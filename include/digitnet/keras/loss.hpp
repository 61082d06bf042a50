// Losses in Keras' words, with their settings.
#pragma once
#include <any>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>

#include "digitnet/core/class_name.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/keras/config.hpp"
#include "digitnet/keras/write_config.hpp"
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

inline Json crossentropy_settings(bool from_logits, float label_smoothing) {
  Json settings = Json::object();
  if (from_logits) settings["from_logits"] = true;
  if (label_smoothing != 0) settings["label_smoothing"] = short_number(label_smoothing);
  return settings;
}

}  // namespace detail

// Of exactly these types: one that is derived from them is another loss.
inline LossEntry describe_loss(std::type_identity<CategoricalCrossentropy>,
                               const CategoricalCrossentropy& loss) {
  return {"categorical_crossentropy", "CategoricalCrossentropy",
          detail::crossentropy_settings(loss.from_logits, loss.label_smoothing), true};
}
inline LossEntry describe_loss(std::type_identity<BinaryCrossentropy>, const BinaryCrossentropy& loss) {
  return {"binary_crossentropy", "BinaryCrossentropy",
          detail::crossentropy_settings(loss.from_logits, loss.label_smoothing), true};
}
inline LossEntry describe_loss(std::type_identity<MeanSquaredError>, const MeanSquaredError&) {
  return {"mean_squared_error", "MeanSquaredError", Json::object()};
}
inline LossEntry describe_loss(std::type_identity<MeanAbsoluteError>, const MeanAbsoluteError&) {
  return {"mean_absolute_error", "MeanAbsoluteError", Json::object()};
}
inline LossEntry describe_loss(std::type_identity<Huber>, const Huber& loss) {
  Json settings = Json::object();
  if (loss.delta != 1) settings["delta"] = detail::short_number(loss.delta);
  return {"huber", "Huber", std::move(settings)};
}

namespace detail {

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
  constexpr std::type_identity<Loss> type{};
  if constexpr (requires { describe_loss(type, loss); })
    return describe_loss(type, loss);
  else if (const auto own = own_entry<LossEntry>(loss))
    return *own;
  else
    fail_of_own("loss", digitnet::class_name(typeid(Loss)), "LossEntry");
}

}  // namespace detail

}  // namespace digitnet::keras
