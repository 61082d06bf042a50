// Metrics of classifiers, computed from labels and predictions. Names and conventions are scikit-learn's.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/labels.hpp"
#include "digitnet/core/tensor.hpp"

namespace digitnet {

namespace detail {

DIGITNET_INLINE void check_same_length(std::size_t labels, std::size_t answers);

}  // namespace detail

/// counts(i, j): samples of class i that were taken for class j, (classes, classes).
using ConfusionMatrix = xt::xtensor<std::size_t, 2>;

/// The confusion matrix; `classes` 0 means: up to the largest class that occurs.
DIGITNET_INLINE ConfusionMatrix confusion_matrix(const LabelView& labels, const LabelView& predictions,
                                                 std::size_t classes = 0);

/// The part of predictions that are right.
DIGITNET_INLINE double accuracy(const LabelView& labels, const LabelView& predictions);

/// The part of samples whose class is among the k most probable; scores are (n, classes). Of equal scores the
/// lower class comes first. A NaN is never right: where a sample's own score is NaN, the sample counts as
/// wrong, and where another's is, that class comes first.
DIGITNET_INLINE double top_k_accuracy(const LabelView& labels, const Matrix& scores, std::size_t k);

/// Precision, recall and F1 of one class or an average; 0 where the denominator is 0, as in scikit-learn.
struct ClassScores {
  /// The part of what was taken for this class that is of this class.
  double precision = 0;
  /// The part of this class that was taken for it.
  double recall = 0;
  /// The harmonic mean of both.
  double f1 = 0;
  /// The number of samples of this class.
  std::size_t support = 0;
};

/// The scores of each class.
DIGITNET_INLINE std::vector<ClassScores> class_scores(const ConfusionMatrix& counts);

/// The unweighted mean over the classes.
DIGITNET_INLINE ClassScores macro_average(const std::vector<ClassScores>& scores);

/// The mean over the classes, each as often as it occurs.
DIGITNET_INLINE ClassScores weighted_average(const std::vector<ClassScores>& scores);

}  // namespace digitnet

#if DIGITNET_BODIES
#include <algorithm>
#include <cmath>

namespace digitnet {

namespace detail {

DIGITNET_INLINE void check_same_length(std::size_t labels, std::size_t answers) {
  if (labels != answers)
    fail("There are " + std::to_string(labels) + " labels but " + std::to_string(answers) +
         " predictions: give one for each");
  if (labels == 0) fail("There are no predictions to measure: give at least one");
}

}  // namespace detail

DIGITNET_INLINE ConfusionMatrix confusion_matrix(const LabelView& labels, const LabelView& predictions,
                                                 std::size_t classes) {
  detail::check_same_length(labels.size(), predictions.size());
  std::size_t seen = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) seen = std::max({seen, labels(i) + 1, predictions(i) + 1});
  if (classes != 0 && seen > classes)
    fail("Class " + std::to_string(seen - 1) + " occurs, but the confusion matrix was asked for " +
         std::to_string(classes) + " classes");
  const std::size_t count = classes == 0 ? seen : classes;
  constexpr std::size_t most = 1 << 15;
  if (count > most)
    fail("A confusion matrix of " + std::to_string(count) + " classes was asked for, but it holds at most " +
         std::to_string(most) + ": count the labels' classes from 0 without gaps");
  auto counts = ConfusionMatrix::from_shape({count, count});
  std::fill(counts.begin(), counts.end(), std::size_t{0});
  for (std::size_t i = 0; i < labels.size(); ++i) ++counts(labels(i), predictions(i));
  return counts;
}

DIGITNET_INLINE double accuracy(const LabelView& labels, const LabelView& predictions) {
  detail::check_same_length(labels.size(), predictions.size());
  std::size_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += labels(i) == predictions(i);
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

DIGITNET_INLINE double top_k_accuracy(const LabelView& labels, const Matrix& scores, std::size_t k) {
  detail::check_same_length(labels.size(), scores.shape()[0]);
  const std::size_t classes = scores.shape()[1];
  if (k == 0) fail("Top-k accuracy needs k of at least 1, but k is 0");
  std::size_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::size_t label = labels(i);
    if (label >= classes)
      fail("Label " + std::to_string(label) + " is beyond the last of " + std::to_string(classes) +
           " scores");
    const float own = scores(i, label);
    std::size_t behind = 0;
    for (std::size_t j = 0; j < classes; ++j)
      behind += scores(i, j) < own || (scores(i, j) == own && j >= label);
    right += !std::isnan(own) && classes - behind < k;
  }
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

DIGITNET_INLINE std::vector<ClassScores> class_scores(const ConfusionMatrix& counts) {
  const std::size_t classes = counts.shape()[0];
  std::vector<ClassScores> scores(classes);
  const auto ratio = [](std::size_t part, std::size_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  };
  for (std::size_t i = 0; i < classes; ++i) {
    std::size_t taken = 0;
    for (std::size_t j = 0; j < classes; ++j) {
      scores[i].support += counts(i, j);
      taken += counts(j, i);
    }
    scores[i].precision = ratio(counts(i, i), taken);
    scores[i].recall = ratio(counts(i, i), scores[i].support);
    const double sum = scores[i].precision + scores[i].recall;
    scores[i].f1 = sum == 0 ? 0 : 2 * scores[i].precision * scores[i].recall / sum;
  }
  return scores;
}

DIGITNET_INLINE ClassScores macro_average(const std::vector<ClassScores>& scores) {
  ClassScores mean;
  for (const ClassScores& score : scores) {
    mean.precision += score.precision / static_cast<double>(scores.size());
    mean.recall += score.recall / static_cast<double>(scores.size());
    mean.f1 += score.f1 / static_cast<double>(scores.size());
    mean.support += score.support;
  }
  return mean;
}

DIGITNET_INLINE ClassScores weighted_average(const std::vector<ClassScores>& scores) {
  ClassScores mean;
  for (const ClassScores& score : scores) mean.support += score.support;
  for (const ClassScores& score : scores) {
    const double share =
        mean.support == 0 ? 0 : static_cast<double>(score.support) / static_cast<double>(mean.support);
    mean.precision += share * score.precision;
    mean.recall += share * score.recall;
    mean.f1 += share * score.f1;
  }
  return mean;
}

}  // namespace digitnet
#endif
