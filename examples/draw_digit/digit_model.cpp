#include "digit_model.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <digitnet/core/number_text.hpp>
#include <digitnet/data/augment.hpp>
#include <digitnet/inspect/describe.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/metrics.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/trainer.hpp>
#include <optional>
#include <stdexcept>
#include <utility>

#include "../support/parameter_files.hpp"
#include "../support/pretrained_cnn.hpp"

namespace draw {

using namespace digitnet;

namespace {

template <class Model>
class ModelOf : public DigitModel {
 public:
  ModelOf(Model model, const std::string& path) : model_(std::move(model)), description_(describe(model_)) {
    program::load_parameters(description_, model_.parameters(), path);
    predictor_.emplace(model_);
  }

  void predict(const float* images, std::size_t count, float* probabilities) override {
    predictor_->predict(images, count, probabilities);
    for (std::size_t i = 0; i < count * classes; ++i)
      if (!std::isfinite(probabilities[i]))
        throw std::runtime_error(
            "The network's answer is " + to_text(probabilities[i]) +
            ", but must be a probability: its weights are damaged or its training diverged");
  }
  std::optional<FeatureMaps> feature_maps(const float* image) const override {
    return first_feature_maps(model_, Samples(image, 1, Model::InputShape::extents));
  }
  BatchingCounts counts() const override { return predictor_->counts(); }
  const ModelDescription& description() const override { return description_; }
  std::span<const float> parameters() const override { return model_.parameters(); }
  double accuracy(const Dataset& data) const override {
    return 100 * digitnet::accuracy(data.labels, model_.predict_classes(data.images));
  }
  bool finetune(const Dataset& data, const FinetuneOptions& options) override {
    predictor_.reset();
    constexpr std::size_t batch_size = 64;
    const std::size_t steps = (data.size() + batch_size - 1) / batch_size * options.epochs;
    Trainer trainer{model_,
                    Adam{.learning_rate = OneCycle{.peak = options.learning_rate, .total_steps = steps}},
                    CategoricalCrossentropy{},
                    {.threads = options.threads, .seed = options.seed}};
    const History history = trainer.fit(
        data, {.epochs = options.epochs,
               .batch_size = batch_size,
               .augmentation = Augmentation{.rotation = 8, .shift = 1, .scale = 0.1f, .shear = 5}});
    predictor_.emplace(model_);
    return !history.interrupted;
  }

 private:
  Model model_;
  ModelDescription description_;
  std::optional<BatchingPredictor<Model>> predictor_{};
};

template <class Model>
std::unique_ptr<DigitModel> model_of(Model model, const std::string& path) {
  return std::make_unique<ModelOf<Model>>(std::move(model), path);
}

std::unique_ptr<DigitModel> model_that_fits(const std::string& path) {
  std::string problem;
  try {
    return model_of(program::cnn_with_dropout<64>(Seed{}), path);
  } catch (const Error& error) {
    problem = error.what();
  }
  try {
    return model_of(program::cnn_with_dropout<128>(Seed{}), path);
  } catch (const Error& error) {
    fail(problem + "\n" + error.what() +
         "\nThis program reads digits with the networks of pretrained_cnn and of mnist_cnn (cnn or seed): "
         "save one with their --save");
  }
}

}  // namespace

std::unique_ptr<DigitModel> load_model(const std::string& path) {
  auto model = model_that_fits(path);
  // No ink, and ink everywhere: weights that are no numbers, or overflow, show at once.
  std::array<float, 2 * DigitModel::image_size> images{};
  std::fill(images.begin() + DigitModel::image_size, images.end(), 1.0f);
  std::array<float, 2 * DigitModel::classes> probabilities;
  try {
    model->predict(images.data(), 2, probabilities.data());
  } catch (const std::runtime_error& error) {
    fail(path + " cannot be used: " + error.what());
  }
  return model;
}

}  // namespace draw
