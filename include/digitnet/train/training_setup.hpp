// What tells one training from another, as short texts: its data, options, optimizer, loss and model. A
// checkpoint of another training is refused by them.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "digitnet/core/crc32c.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/inspect/description.hpp"
#include "digitnet/train/fit_options.hpp"
#include "digitnet/train/loss_settings.hpp"
#include "digitnet/train/optimizer_settings.hpp"
#include "digitnet/train/training_state.hpp"

namespace digitnet::detail {

/// "600 samples (28, 28, 1), checksum 0123abcd", of samples and targets.
inline std::string data_text(const DataView& data) {
  if (data.count() == 0) return "none";
  Crc32c sum;
  data.samples.for_each_piece([&](std::span<const std::byte> bytes) { sum.add(bytes); });
  for (std::size_t i = 0; i < data.count(); ++i) {
    if (data.targets.are_labels()) {
      const auto label = std::uint64_t{data.targets.label(i)};
      sum.add(&label, sizeof label);
    } else {
      sum.add(std::span(data.targets.row(i), data.targets.size()));
    }
  }
  const auto& extents = data.samples.extents();
  return std::to_string(data.count()) + " samples " +
         shape_text(std::span<const std::size_t>(extents).subspan(1)) + ", checksum " + sum.text();
}

inline void describe_fit(const FitOptions& options, const std::string& data, TrainingSetup& setup) {
  setup["data"] = data;
  setup["validation"] = data_text(options.validation);
  setup["validation_split"] = to_text(options.validation_split);
  setup["batch_size"] = to_text(options.batch_size);
  setup["gradient_accumulation"] = to_text(options.gradient_accumulation);
  setup["initial_epoch"] = to_text(options.initial_epoch);
  setup["shuffle"] = options.shuffle ? "true" : "false";
  setup["augmentation"] = options.augmentation.get() ? options.augmentation.get()->text() : "none";
  const auto weights = [](std::span<const float> values) {
    return values.empty() ? "none" : "checksum " + Crc32c().add(values).text();
  };
  setup["class_weights"] = weights(options.class_weights);
  setup["sample_weights"] = weights(options.sample_weights);
}

inline void describe_model(const ModelDescription& model, std::span<const float> parameters,
                           TrainingSetup& setup) {
  check_settings_are_said(model);
  for (const LayerDescription& layer : model.layers) setup["layer " + layer.name] = layer.text();
  setup["initial parameters"] = "checksum " + Crc32c().add(parameters).text();
}

/// Of a loss without the usual settings only the class is known.
inline void describe_loss(const LossSettings& loss, TrainingSetup& setup) {
  setup["loss"] = loss.class_name;
  if (loss.from_logits) setup["loss from_logits"] = *loss.from_logits ? "true" : "false";
  if (loss.label_smoothing) setup["loss label_smoothing"] = to_text(*loss.label_smoothing);
  if (loss.delta) setup["loss delta"] = to_text(*loss.delta);
}

inline void describe_optimizer(const std::string& name, const std::vector<OptimizerSetting>& settings,
                               TrainingSetup& setup) {
  setup["optimizer"] = name;
  for (const OptimizerSetting& setting : settings)
    setup[name + " " + setting.name] = to_text(static_cast<float>(setting.value));
}

}  // namespace digitnet::detail
