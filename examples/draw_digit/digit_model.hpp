// The network behind the server: one of those that this program knows, with the parameters of a file.
#pragma once
#include <cstddef>
#include <digitnet/core/dataset.hpp>
#include <digitnet/core/random.hpp>
#include <digitnet/inspect/description.hpp>
#include <digitnet/model/batching_predictor.hpp>
#include <digitnet/report/first_layer.hpp>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace draw {

/// How `finetune` trains.
struct FinetuneOptions {
  std::size_t epochs = 3, threads = 1;
  float learning_rate = 3e-4f;
  digitnet::Seed seed{};
};

/// Reads 28 x 28 images of one digit.
class DigitModel {
 public:
  static constexpr std::size_t image_size = 28 * 28, classes = 10;

  virtual ~DigitModel() = default;
  /// (count, 28, 28) values from 0 to 1 to (count, 10) probabilities. From any number of threads.
  /// Throws an Error for values that are NaN or infinite, and a std::runtime_error if the network's answer
  /// is.
  virtual void predict(const float* images, std::size_t count, float* probabilities) = 0;
  /// What the first convolution makes of an image; nothing for a network without.
  virtual std::optional<digitnet::FeatureMaps> feature_maps(const float* image) const = 0;
  virtual digitnet::BatchingCounts counts() const = 0;
  virtual const digitnet::ModelDescription& description() const = 0;
  virtual std::span<const float> parameters() const = 0;
  /// Right answers, in percent.
  virtual double accuracy(const digitnet::Dataset& data) const = 0;
  /// Trains further; false if Ctrl-C ended it. Nobody may predict meanwhile.
  virtual bool finetune(const digitnet::Dataset& data, const FinetuneOptions& options) = 0;
};

/// The model of a file: .safetensors, and .keras or .h5 in a program built with them. Throws an Error that
/// lists what differs if it fits none of the networks, and for weights whose answers are no numbers.
std::unique_ptr<DigitModel> load_model(const std::string& path);

}  // namespace draw
