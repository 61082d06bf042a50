// report::Content: everything that a report shows, such as the model, its training and its answers.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "digitnet/core/dataset.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/tensor.hpp"
#include "digitnet/inspect/describe.hpp"
#include "digitnet/inspect/plan.hpp"
#include "digitnet/report/calibration.hpp"
#include "digitnet/report/first_layer.hpp"
#include "digitnet/train/history.hpp"
#include "digitnet/train/metrics.hpp"

namespace digitnet::report {

/// A classifier of images, how it was trained, and what it answers to test images. What is left empty is left
/// out of the report. Nothing that is pointed to is copied.
struct Content {
  std::string title = "Training report";
  /// The dataset's name
  std::string dataset{};
  /// The command that made this report
  std::string command{};
  /// Names and values, in the order in which they are shown
  std::vector<std::pair<std::string, std::string>> settings{};
  /// Empty: the classes are numbers
  std::vector<std::string> class_names{};
  ModelDescription model{};
  std::vector<PlannedOperation> plan{};
  std::span<const float> parameters{};
  History history{};
  Evaluation evaluation{};
  const Dataset* train = nullptr;
  const Dataset* test = nullptr;
  /// The model's answers to the test images, (n, classes)
  Matrix scores{};
  /// What the first layer makes of the first test image.
  std::optional<FeatureMaps> feature_maps{};
};

/// The part of a report's content that the model and the test set decide.
template <class Model>
Content content_of(const Model& model, const Dataset& test) {
  Content content;
  content.model = describe(model);
  content.plan = model.operations();
  content.parameters = model.parameters();
  content.test = &test;
  content.scores = model.predict(test.images);
  content.feature_maps = first_feature_maps(model, test.images);
  return content;
}

// A report of temporaries would look at what is gone.
template <class Model>
Content content_of(const Model& model, const Dataset&& test) {
  static_assert(!sizeof(Model*), "A report refers to its test set: give the test set a name");
  return content_of(model, test);
}
template <class Model>
requires(!std::is_lvalue_reference_v<Model>) Content content_of(Model&& model, const Dataset& test) {
  static_assert(!sizeof(Model*), "A report refers to its model: give the model a name");
  return content_of(std::as_const(model), test);
}

/// What follows from the model's answers.
struct Answers {
  /// Shape (n)
  Labels classes{};
  /// Each answer's probability, (n)
  std::vector<float> confidences{};
  ConfusionMatrix counts{};
  std::vector<ConfidenceBin> bins{};
  /// Numbers of the samples that were answered wrongly, the most confident mistake first
  std::vector<std::size_t> mistakes{};
};

/// Throws an Error where labels and answers do not fit together, or an answer is NaN.
inline Answers answers_of(const Content& content) {
  if (!content.test) fail("A report needs test images: set Content::test");
  const Labels& labels = content.test->labels;
  digitnet::detail::check_same_length(labels.size(), content.scores.shape()[0]);
  const std::size_t classes = content.scores.shape()[1];
  Answers answers{.classes = classes_of(content.scores)};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const float* const row = content.scores.data() + i * classes;
    const std::size_t best = answers.classes(i);
    answers.confidences.push_back(row[best]);
    if (best != labels(i)) answers.mistakes.push_back(i);
  }
  std::stable_sort(answers.mistakes.begin(), answers.mistakes.end(), [&](std::size_t a, std::size_t b) {
    return answers.confidences[a] > answers.confidences[b];
  });
  answers.counts = confusion_matrix(labels, answers.classes, classes);
  answers.bins = reliability(labels, content.scores);
  return answers;
}

/// The name of a class.
inline std::string class_name(const Content& content, std::size_t index) {
  return index < content.class_names.size() ? content.class_names[index] : std::to_string(index);
}

}  // namespace digitnet::report
