// What a training measured, epoch by epoch.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"

namespace digitnet {

/// What one epoch measured. Quantities that were not measured (no validation data, no classes) are NaN.
struct EpochLogs {
  static constexpr double none = std::numeric_limits<double>::quiet_NaN();

  /// Counted from 1.
  std::size_t epoch = 0;
  /// The weighted mean over the epoch's samples, with the penalties of regularizers.
  double loss = none;
  double accuracy = none;
  double val_loss = none;
  double val_accuracy = none;
  /// Of the epoch's last step.
  double learning_rate = none;
  /// Of training, without validation.
  double seconds = 0;
  double images_per_second = 0;

  /// The quantities that were measured, under Keras' names and in its order.
  std::vector<std::pair<std::string_view, double>> measured() const {
    std::vector<std::pair<std::string_view, double>> result;
    for (const auto& [name, value] : {std::pair<std::string_view, double>{"accuracy", accuracy},
                                      {"loss", loss},
                                      {"val_accuracy", val_accuracy},
                                      {"val_loss", val_loss}})
      if (measured_quantity(name)) result.emplace_back(name, value);
    return result;
  }
  /// The value under a name: "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate". Throws an Error
  /// for another name, and for one that this training does not measure.
  double value(std::string_view name) const {
    if (!known(name))
      fail("There is no quantity \"" + std::string(name) +
           "\" to monitor: choose loss, accuracy, val_loss, val_accuracy or learning_rate");
    if (!measured_quantity(name))
      fail("\"" + std::string(name) + "\" is not measured in this training: " +
           (name.starts_with("val_") ? "give fit a validation set or split" : "the loss has no classes"));
    return *member(name);
  }

  bool has_accuracy = true;
  bool has_validation = false;

 private:
  const double* member(std::string_view name) const {
    return name == "loss"           ? &loss
           : name == "accuracy"     ? &accuracy
           : name == "val_loss"     ? &val_loss
           : name == "val_accuracy" ? &val_accuracy
                                    : &learning_rate;
  }
  static bool known(std::string_view name) {
    return name == "loss" || name == "accuracy" || name == "val_loss" || name == "val_accuracy" ||
           name == "learning_rate";
  }
  bool measured_quantity(std::string_view name) const {
    return (has_accuracy || !name.ends_with("accuracy")) && (has_validation || !name.starts_with("val_"));
  }
};

/// What `fit` returns.
struct History {
  std::vector<EpochLogs> epochs;
  /// Ctrl-C ended the training; the last epoch may be a partial one.
  bool interrupted = false;
  /// A loss was NaN or infinite.
  bool diverged = false;
  /// Why it ended before its epochs were over, or empty.
  std::string stopped_because;

  /// Seconds of training, without validation.
  double train_seconds() const {
    double sum = 0;
    for (const EpochLogs& epoch : epochs) sum += epoch.seconds;
    return sum;
  }
  /// The median over the epochs.
  double images_per_second() const {
    std::vector<double> rates;
    for (const EpochLogs& epoch : epochs) rates.push_back(epoch.images_per_second);
    if (rates.empty()) return 0;
    std::sort(rates.begin(), rates.end());
    const std::size_t half = rates.size() / 2;
    return rates.size() % 2 == 1 ? rates[half] : (rates[half - 1] + rates[half]) / 2;
  }
};

/// The mean loss and accuracy that `evaluate` found; accuracy is NaN where there are no classes.
struct Evaluation {
  double loss = 0;
  double accuracy = EpochLogs::none;
};

}  // namespace digitnet
