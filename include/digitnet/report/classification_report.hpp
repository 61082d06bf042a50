// The classification report as scikit-learn prints it, and the confusion matrix as a table.
#pragma once
#include <string>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/train/metrics.hpp"

namespace digitnet {

/// Precision, recall, F1 and support of each class that occurs, accuracy and averages: the text of
/// scikit-learn's classification_report. `names` replaces the numbers of the classes (0, 1, ...).
DIGITNET_INLINE std::string classification_report(const LabelView& labels, const LabelView& predictions,
                                                  const std::vector<std::string>& names = {}, int digits = 2);

/// The confusion matrix as text: a row for each true class, a column for each predicted one.
DIGITNET_INLINE std::string confusion_table(const ConfusionMatrix& counts);

}  // namespace digitnet

#if DIGITNET_BODIES
#include <algorithm>
#include <cstdio>

namespace digitnet {

namespace detail {

inline std::string padded_left(const std::string& text, std::size_t width) {
  std::string result(width > text.size() ? width - text.size() : 0, ' ');
  return result.append(text);
}
inline std::string rounded(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

}  // namespace detail

DIGITNET_INLINE std::string classification_report(const LabelView& labels, const LabelView& predictions,
                                                  const std::vector<std::string>& names, int digits) {
  const ConfusionMatrix counts = confusion_matrix(labels, predictions);
  const std::size_t classes = counts.shape()[0];
  if (!names.empty() && names.size() < classes)
    fail("There are " + std::to_string(names.size()) + " class names, but class " +
         std::to_string(classes - 1) + " occurs");
  std::vector<ClassScores> scores;
  std::vector<std::string> shown;
  std::size_t right = 0;
  const std::vector<ClassScores> all = class_scores(counts);
  for (std::size_t i = 0; i < classes; ++i) {
    std::size_t occurs = 0;
    for (std::size_t j = 0; j < classes; ++j) occurs += counts(i, j) + counts(j, i);
    right += counts(i, i);
    // As scikit-learn, which lists the classes that it sees.
    if (occurs == 0) continue;
    scores.push_back(all[i]);
    shown.push_back(names.empty() ? std::to_string(i) : names[i]);
  }
  // The longest heading, "weighted avg", has 12 letters.
  std::size_t width = std::max<std::size_t>(12, static_cast<std::size_t>(digits));
  for (const std::string& name : shown) width = std::max(width, name.size());

  using detail::padded_left;
  std::string report(width + 1, ' ');
  for (const char* const heading : {"precision", "recall", "f1-score", "support"})
    report.append(" ").append(padded_left(heading, 9));
  report += "\n\n";
  const auto line = [&](const std::string& name, const ClassScores& score) {
    report.append(padded_left(name, width)).append(" ");
    for (const double value : {score.precision, score.recall, score.f1})
      report.append(" ").append(padded_left(detail::rounded(value, digits), 9));
    report.append(" ").append(padded_left(std::to_string(score.support), 9)).append("\n");
  };
  for (std::size_t i = 0; i < scores.size(); ++i) line(shown[i], scores[i]);
  report += "\n";
  const double part = static_cast<double>(right) / static_cast<double>(labels.size());
  report.append(padded_left("accuracy", width))
      .append(22, ' ')
      .append(padded_left(detail::rounded(part, digits), 9));
  report.append(" ").append(padded_left(std::to_string(labels.size()), 9)).append("\n");
  line("macro avg", macro_average(scores));
  line("weighted avg", weighted_average(scores));
  return report;
}

DIGITNET_INLINE std::string confusion_table(const ConfusionMatrix& counts) {
  const std::size_t classes = counts.shape()[0];
  std::size_t width = std::to_string(classes - 1).size();
  for (const std::size_t count : counts) width = std::max(width, std::to_string(count).size());
  std::string table = "true \\ predicted\n     ";
  for (std::size_t j = 0; j < classes; ++j)
    table.append("  ").append(detail::padded_left(std::to_string(j), width));
  table += "\n";
  for (std::size_t i = 0; i < classes; ++i) {
    table += detail::padded_left(std::to_string(i), 5);
    for (std::size_t j = 0; j < classes; ++j)
      table.append("  ").append(
          detail::padded_left(counts(i, j) == 0 ? "." : std::to_string(counts(i, j)), width));
    table += "\n";
  }
  return table;
}

}  // namespace digitnet
#endif
