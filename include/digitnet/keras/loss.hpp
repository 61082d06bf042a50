// Losses in Keras' words, with their settings.
#pragma once
#include <string>

#include "digitnet/keras/config.hpp"
#include "digitnet/keras/write_config.hpp"
#include "digitnet/train/losses.hpp"

namespace digitnet::keras {

/// A loss as Keras configures it.
struct KerasLoss {
  std::string name, class_name;
  Json settings;  ///< those that are not Keras' defaults
  bool classifies = false;

  /// A plain word where that says all; an object with settings otherwise.
  Json json(Generation generation) const {
    if (settings.empty()) return name;
    Json config{{"name", name}, {"reduction", "sum_over_batch_size"}};
    config.update(settings);
    Json result{{"class_name", class_name}, {"config", std::move(config)}};
    if (generation == Generation::keras3) {
      result["module"] = "keras.losses";
      result["registered_name"] = nullptr;
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

inline KerasLoss describe_loss(const CategoricalCrossentropy& loss) {
  return {"categorical_crossentropy", "CategoricalCrossentropy",
          detail::crossentropy_settings(loss.from_logits, loss.label_smoothing), true};
}
inline KerasLoss describe_loss(const BinaryCrossentropy& loss) {
  return {"binary_crossentropy", "BinaryCrossentropy",
          detail::crossentropy_settings(loss.from_logits, loss.label_smoothing), true};
}
inline KerasLoss describe_loss(const MeanSquaredError&) {
  return {"mean_squared_error", "MeanSquaredError", Json::object()};
}
inline KerasLoss describe_loss(const MeanAbsoluteError&) {
  return {"mean_absolute_error", "MeanAbsoluteError", Json::object()};
}
inline KerasLoss describe_loss(const Huber& loss) {
  Json settings = Json::object();
  if (loss.delta != 1) settings["delta"] = detail::short_number(loss.delta);
  return {"huber", "Huber", std::move(settings)};
}

}  // namespace digitnet::keras
