// Calibration: of the answers that a classifier gives with a probability of 0.8, are 80 % right?
#pragma once
#include <cstddef>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/train/metrics.hpp"

namespace digitnet {

/// Answers whose confidence (the probability of the class that was answered) lies in one interval.
struct ConfidenceBin {
  /// The interval (low, high]; the first one contains 0
  double low = 0, high = 0;
  std::size_t count = 0;
  /// Their mean confidence; 0 where there are none
  double confidence = 0;
  /// The part of them that are right; 0 where there are none
  double accuracy = 0;
};

/// The answers of a classifier sorted into bins of equal width by their confidence. `scores` are
/// probabilities, (n, classes) with at least two classes; values beyond 0 to 1 count as 0 or 1. Throws an
/// Error if one is NaN.
DIGITNET_INLINE std::vector<ConfidenceBin> reliability(const LabelView& labels, const Matrix& scores,
                                                       std::size_t bins = 10);

/// The mean distance between confidence and accuracy, bins weighted by their answers (Naeini et al. 2015;
/// Guo et al., "On calibration of modern neural networks", 2017). 0 is perfect.
DIGITNET_INLINE double expected_calibration_error(const std::vector<ConfidenceBin>& bins);

}  // namespace digitnet

#if DIGITNET_BODIES
#include <algorithm>
#include <cmath>

namespace digitnet {

DIGITNET_INLINE std::vector<ConfidenceBin> reliability(const LabelView& labels, const Matrix& scores,
                                                       std::size_t bins) {
  detail::check_same_length(labels.size(), scores.shape()[0]);
  if (bins == 0 || scores.shape()[1] < 2)
    fail("Reliability needs at least one bin and the probabilities of two classes, but got " +
         std::to_string(bins) + " and " + std::to_string(scores.shape()[1]));
  std::vector<ConfidenceBin> result(bins);
  const auto count = static_cast<double>(bins);
  for (std::size_t i = 0; i < bins; ++i) {
    result[i].low = static_cast<double>(i) / count;
    result[i].high = static_cast<double>(i + 1) / count;
  }
  const std::size_t classes = scores.shape()[1];
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const float* const row = scores.data() + i * classes;
    const std::size_t answer = predicted_class(classes, row);
    if (answer == no_class)
      fail("The scores of sample " + std::to_string(i) +
           " contain NaN, which is no probability: look at what the model's parameters have become");
    const double confidence = std::clamp(double{row[answer]}, 0.0, 1.0);
    const double place = std::ceil(confidence * count) - 1;
    ConfidenceBin& bin = result[static_cast<std::size_t>(std::max(0.0, place))];
    ++bin.count;
    bin.confidence += confidence;
    bin.accuracy += answer == labels(i);
  }
  for (ConfidenceBin& bin : result) {
    if (bin.count == 0) continue;
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return result;
}

DIGITNET_INLINE double expected_calibration_error(const std::vector<ConfidenceBin>& bins) {
  double sum = 0, count = 0;
  for (const ConfidenceBin& bin : bins) {
    sum += static_cast<double>(bin.count) * std::abs(bin.confidence - bin.accuracy);
    count += static_cast<double>(bin.count);
  }
  return count == 0 ? 0 : sum / count;
}

}  // namespace digitnet
#endif
