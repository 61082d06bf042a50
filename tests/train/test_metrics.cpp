#include <digitnet/report/calibration.hpp>
#include <digitnet/report/classification_report.hpp>
#include <digitnet/train/metrics.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

Labels labels(std::initializer_list<int> values) {
  Labels result = Labels::from_shape({values.size()});
  std::size_t i = 0;
  for (const int value : values) result(i++) = static_cast<std::uint8_t>(value);
  return result;
}

}  // namespace

TEST_CASE("accuracy, confusion and scores") {
  const Labels truth = labels({0, 1, 2, 2, 1, 0}), found = labels({0, 2, 2, 2, 1, 1});
  CHECK(accuracy(truth, found) == doctest::Approx(4.0 / 6));
  const ConfusionMatrix counts = confusion_matrix(truth, found);
  CHECK(counts(0, 0) == 1);
  CHECK(counts(0, 1) == 1);
  CHECK(counts(1, 2) == 1);
  CHECK(counts(2, 2) == 2);
  const auto scores = class_scores(counts);
  CHECK(scores[2].precision == doctest::Approx(2.0 / 3));
  CHECK(scores[2].recall == 1);
  CHECK(scores[2].f1 == doctest::Approx(0.8));
  CHECK(confusion_matrix(truth, found, 5).shape()[0] == 5);
  CHECK_ERROR("Class 2 occurs, but the confusion matrix was asked for 2 classes",
              confusion_matrix(truth, found, 2));
  CHECK_ERROR("There are 6 labels but 1 predictions", accuracy(truth, labels({1})));
}

TEST_CASE("top-k accuracy") {
  Matrix scores = Matrix::from_shape({2, 4});
  const float values[] = {0.1f, 0.4f, 0.3f, 0.2f, 0.25f, 0.25f, 0.25f, 0.25f};
  std::copy(std::begin(values), std::end(values), scores.data());
  CHECK(top_k_accuracy(labels({2, 0}), scores, 1) == 0.5);
  CHECK(top_k_accuracy(labels({2, 1}), scores, 2) == 1);
  CHECK(top_k_accuracy(labels({0, 3}), scores, 3) == 0);
  CHECK_ERROR("Label 4 is beyond the last of 4 scores", top_k_accuracy(labels({4, 0}), scores, 1));
}

TEST_CASE("NaN is never right, and labels may be of any integer type") {
  const float nan = std::nanf("");
  const Matrix own{{nan, 0.2f}, {0.1f, 0.9f}}, other{{0.5f, nan}, {nan, 0.9f}}, none{{nan, nan}, {nan, nan}};
  const std::vector<int> truth{0, 1};
  CHECK(top_k_accuracy(truth, own, 1) == 0.5);
  CHECK(top_k_accuracy(truth, own, 2) == 0.5);
  CHECK(top_k_accuracy(truth, other, 1) == 0);
  CHECK(top_k_accuracy(truth, none, 2) == 0);
  CHECK_ERROR("k of at least 1", top_k_accuracy(truth, own, 0));
  CHECK(predicted_class(2, none.data()) == no_class);
  CHECK(predicted_class(1, none.data()) == no_class);
  CHECK_ERROR("The model answers NaN to sample 0", classes_of(own));
  CHECK_ERROR("The scores of sample 0 contain NaN", reliability(truth, own));
  CHECK(accuracy(std::vector<std::int64_t>{300, 1}, std::vector<std::uint16_t>{300, 2}) == 0.5);
  CHECK(confusion_matrix(truth, {299, 1}).shape()[0] == 300);
  CHECK_ERROR("Label -1 of sample 0 is negative", accuracy({-1, 0}, truth));
  CHECK_ERROR("it holds at most 32768", confusion_matrix(truth, {1 << 30, 0}));
}

// The texts below were printed by scikit-learn 1.2.1.
TEST_CASE("the classification report is scikit-learn's, character by character") {
  const Labels truth = labels({0, 1, 2, 2, 1, 0}), found = labels({0, 2, 2, 2, 1, 1});
  CHECK(classification_report(truth, found) == R"(              precision    recall  f1-score   support

           0       1.00      0.50      0.67         2
           1       0.50      0.50      0.50         2
           2       0.67      1.00      0.80         2

    accuracy                           0.67         6
   macro avg       0.72      0.67      0.66         6
weighted avg       0.72      0.67      0.66         6
)");
  // A class that is never found, one that never occurs (4), one that neither does (3); names; three digits.
  CHECK(classification_report(labels({0, 1, 2, 2, 2}), labels({0, 0, 2, 2, 4}),
                              {"class zero is long", "b", "c", "d", "e"}, 3) ==
        R"(                    precision    recall  f1-score   support

class zero is long      0.500     1.000     0.667         1
                 b      0.000     0.000     0.000         1
                 c      1.000     0.667     0.800         3
                 e      0.000     0.000     0.000         0

          accuracy                          0.600         5
         macro avg      0.375     0.417     0.367         5
      weighted avg      0.700     0.600     0.613         5
)");
  CHECK_ERROR("There are 2 class names, but class 2 occurs", classification_report(truth, found, {"a", "b"}));
}

TEST_CASE("the confusion matrix as text") {
  CHECK(confusion_table(confusion_matrix(labels({0, 1, 1}), labels({0, 1, 0}))) ==
        "true \\ predicted\n       0  1\n    0  1  .\n    1  1  1\n");
}
