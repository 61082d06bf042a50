#include <digitnet/data/idx.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/dropout.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/batching_predictor.hpp>
#include <digitnet/model/ensemble.hpp>
#include <digitnet/train/metrics.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/trainer.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

// A model whose outputs are its inputs, weights apart.
template <class Model>
Model unchanged() {
  Model model;
  auto kernel = model.parameter("dense/kernel");
  kernel.fill(0);
  for (std::size_t i = 0; i < kernel.shape()[0]; ++i) kernel(i, i) = 1;
  return model;
}

template <class Model, class Loss>
double measured(const Loss& loss, const DataView& data) {
  Model model = unchanged<Model>();
  return Trainer{model, SGD{}, loss}.evaluate(data).accuracy;
}

using Logit = Sequential<Input<1>, Dense<1>>;
using Probability = Sequential<Input<1>, Dense<1>, Sigmoid>;
using Logits = Sequential<Input<3>, Dense<3>>;
using Probabilities = Sequential<Input<3>, Dense<3>, Sigmoid>;
using Classes = Sequential<Input<3>, Dense<3>, Softmax>;

const float not_a_number = std::nanf("");

}  // namespace

TEST_CASE("a single output says yes above one half, and before the sigmoid above 0") {
  const Matrix x{{-1}, {0.25f}, {0.75f}, {-0.25f}};
  const std::vector<int> y{0, 1, 1, 0};
  CHECK(measured<Logit>(BinaryCrossentropy{.from_logits = true}, {x, y}) == 1);
  CHECK(measured<Probability>(BinaryCrossentropy{}, {x, y}) == 1);
  CHECK(measured<Logit>(BinaryCrossentropy{.from_logits = true}, {x, Matrix{{0}, {1}, {1}, {0}}}) == 1);
  for (const Labels& classes :
       {unchanged<Logit>().predict_classes(x), unchanged<Probability>().predict_classes(x),
        Ensemble{unchanged<Logit>(), unchanged<Logit>()}.predict_classes(x)})
    CHECK(accuracy(y, classes) == 1);
  Logit model = unchanged<Logit>();
  Trainer trainer{model, SGD{.learning_rate = 1e-30f}, BinaryCrossentropy{.from_logits = true}};
  const History history =
      trainer.fit(x, y, {.batch_size = 2, .validation = DataView(x, y), .verbose = Verbose::silent});
  CHECK(history.epochs[0].accuracy == 1);
  CHECK(history.epochs[0].val_accuracy == 1);
}

TEST_CASE("of several yes or no answers, accuracy is the part that are right") {
  // Keras' BinaryAccuracy of the same numbers: 4 of 6.
  const Matrix x{{-1, 2, 3}, {1, -2, -3}}, y{{0, 1, 0}, {1, 1, 0}};
  CHECK(measured<Logits>(BinaryCrossentropy{.from_logits = true}, {x, y}) == doctest::Approx(4.0 / 6));
  CHECK(measured<Probabilities>(BinaryCrossentropy{}, {x, y}) == doctest::Approx(4.0 / 6));
  // A label is one class of several.
  CHECK(measured<Probabilities>(BinaryCrossentropy{}, {x, std::vector<int>{2, 1}}) == 0.5);
  CHECK(measured<Classes>(CategoricalCrossentropy{}, {x, Matrix{{0, 0, 1}, {0, 1, 0}}}) == 0.5);
  CHECK(measured<Logits>(CategoricalCrossentropy{.from_logits = true}, {x, std::vector<long>{2, 0}}) == 1);
}

TEST_CASE("regression has no accuracy, and labels of a single output are its values") {
  const Matrix x{{3}, {7}};
  Logit model = unchanged<Logit>();
  Trainer trainer{model, SGD{}, MeanSquaredError{}};
  const Evaluation evaluation = trainer.evaluate({x, std::vector<int>{3, 9}});
  CHECK(evaluation.loss == 2);
  CHECK(std::isnan(evaluation.accuracy));
  CHECK(trainer.evaluate({x, std::vector<float>{3, 9}}).loss == 2);
  const History history =
      trainer.fit(x, std::vector<int>{3, 9}, {.batch_size = 2, .verbose = Verbose::silent});
  CHECK(history.epochs[0].measured().size() == 1);
  CHECK_ERROR("Class weights need classes",
              trainer.fit(x, std::vector<int>{3, 9}, {.batch_size = 2, .class_weights = {1, 2}}));
  // Of several outputs, the label is the one that should be 1.
  CHECK(measured<Logits>(MeanSquaredError{}, {Matrix{{0, 0, 1}, {1, 0, 0}}, std::vector<int>{2, 1}}) == 0.5);
}

TEST_CASE("a loss that does not fit the model's last layer is refused before anything is trained") {
  const auto refused = [](const auto& model_value, const auto& loss) {
    auto model = model_value;
    return support::error_of([&] { Trainer{model, SGD{}, loss}; });
  };
  using support::contains;
  CHECK(contains(
      refused(Classes{}, CategoricalCrossentropy{.from_logits = true}),
      "The model ends in Softmax, so its outputs are probabilities already, but the loss was made with "
      "from_logits"));
  CHECK(
      contains(refused(Probability{}, BinaryCrossentropy{.from_logits = true}), "The model ends in Sigmoid"));
  CHECK(contains(
      refused(Logits{}, CategoricalCrossentropy{}),
      "the model ends in Dense, whose outputs are any numbers: put Softmax behind it, or give the loss "
      "{.from_logits = true}"));
  CHECK(contains(refused(Logit{}, BinaryCrossentropy{}), "put Sigmoid behind it"));
  using Nested = Sequential<Input<4>, Sequential<Dense<4>, Softmax>, Dropout, Reshape<2, 2>, Flatten>;
  CHECK(
      contains(refused(Nested{}, CategoricalCrossentropy{.from_logits = true}), "The model ends in Softmax"));
  CHECK(contains(
      refused(Logits{}, CategoricalCrossentropy{.from_logits = true, .label_smoothing = not_a_number}),
      "label_smoothing is a part of each target, from 0 to 1, but is nan"));
  CHECK(contains(refused(Logit{}, Huber{.delta = -1}), "Huber's delta"));
}

TEST_CASE("NaN is never right") {
  const Matrix x{{0}, {0}};
  Sequential<Input<1>, Dense<2>, Softmax> model;
  for (float& value : model.parameters()) value = not_a_number;
  Trainer trainer{model, SGD{}, CategoricalCrossentropy{}};
  CHECK(trainer.evaluate({x, std::vector<int>{0, 0}}).accuracy == 0);
  CHECK(trainer.evaluate({x, std::vector<int>{1, 1}}).accuracy == 0);
  CHECK_ERROR("The model answers NaN to sample 0", model.predict_classes(x));
  Logit logit;
  for (float& value : logit.parameters()) value = not_a_number;
  Trainer binary{logit, SGD{}, BinaryCrossentropy{.from_logits = true}};
  CHECK(binary.evaluate({x, std::vector<int>{0, 0}}).accuracy == 0);
  Sequential<Input<1>, Dense<2>, Sigmoid> labels;
  for (float& value : labels.parameters()) value = not_a_number;
  Trainer each{labels, SGD{}, BinaryCrossentropy{}};
  CHECK(each.evaluate({x, Matrix{{0, 0}, {1, 0}}}).accuracy == 0);
}

TEST_CASE("there may be more than 256 classes") {
  Sequential<Input<1>, Dense<300>, Softmax> model;
  model.parameter("dense/bias")(299) = 9;
  const Matrix x{{0}, {0}};
  const Labels classes = model.predict_classes(x);
  CHECK(classes(0) == 299);
  CHECK(confusion_matrix({299, 43}, classes)(43, 299) == 1);
  CHECK(Ensemble{model, model}.predict_classes(x)(1) == 299);
  Trainer trainer{model, SGD{}, CategoricalCrossentropy{}};
  CHECK(trainer.evaluate({x, classes}).accuracy == 1);
  CHECK(trainer.evaluate({x, std::vector<int>{43, 299}}).accuracy == 0.5);
  CHECK_ERROR("Label 300 of sample 1 is beyond the last class 299: the model has 300 outputs",
              trainer.evaluate({x, std::vector<long>{0, 300}}));
  const support::Folder folder;
  write_idx(folder / "labels", classes);
  CHECK(read_idx<std::int32_t, 1>(folder / "labels")(1) == 299);
  write_idx(folder / "bytes", Labels{255, 0});
  CHECK(read_idx<std::uint8_t, 1>(folder / "bytes")(0) == 255);
}

TEST_CASE("a model that was moved from is still a model") {
  Classes first{Seed{3}};
  const Classes second = std::move(first);
  const Matrix x{{1, 2, 3}};
  CHECK(first.predict(x) == second.predict(x));
  CHECK(first.parameters().size() == second.parameters().size());
  Classes third{Seed{4}};
  auto kernel = third.parameter("dense/kernel");
  third = std::move(first);
  CHECK(kernel(0, 0) == second.parameter("dense/kernel")(0, 0));
  kernel = Classes{Seed{5}}.predict(Matrix{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}});
  CHECK_NOTHROW(Trainer{first, SGD{}, CategoricalCrossentropy{}}.fit(
      x, std::vector<int>{1}, {.batch_size = 1, .verbose = Verbose::silent}));
  Predictor predictor(second), moved = std::move(predictor);
  predictor.refresh();
  CHECK(predictor.predict(x) == moved.predict(x));
}
