// TensorBoard: a callback that writes the files which the program TensorBoard shows. Needs libpng (CMake
// target digitnet::report).
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "digitnet/core/absolute_path.hpp"
#include "digitnet/report/event_file.hpp"
#include "digitnet/report/first_layer.hpp"
#include "digitnet/report/png.hpp"
#include "digitnet/train/callbacks.hpp"

namespace digitnet {

/// Writes event files while a model trains, under Keras' names: `log_dir`/train and `log_dir`/validation
/// with epoch_loss, epoch_accuracy and epoch_learning_rate, and, if asked for, histograms and pictures of the
/// weights. What cannot be written is said once on standard error; the training goes on. One that goes on
/// from a checkpoint goes on in the same files, from where the checkpoint was.
///   tensorboard --logdir logs
class TensorBoard : public Callback {
 public:
  struct Options {
    std::string log_dir = "logs";
    /// Epochs between histograms of the weights; 0: none
    std::size_t histogram_freq = 0;
    /// With each histogram, filters of convolutions and of the first layer
    bool write_images = false;
    /// Steps between batch_loss and batch_accuracy; 0: only epochs
    std::size_t update_freq = 0;
  };
  explicit TensorBoard(Options options) : options_(std::move(options)) {
    options_.log_dir = absolute_path(options_.log_dir);
  }
  TensorBoard() : TensorBoard(Options{}) {}

  void on_train_begin(TrainingControl& control) override {
    steps_ = 0;
    train_.reset();
    validation_.reset();
    if (options_.histogram_freq > 0) model_ = control.description();
  }
  // Here, as only now it is known that no earlier files go on.
  void on_epoch_begin(TrainingControl&, std::size_t) override { open_train(); }
  void on_batch_end(TrainingControl&, std::size_t, const EpochLogs& logs) override {
    ++steps_;
    if (options_.update_freq == 0 || steps_ % options_.update_freq != 0) return;
    open_train();
    attempt([&] {
      const auto step = static_cast<std::int64_t>(steps_);
      train_->add_scalar("batch_loss", step, logs.loss);
      if (logs.has_accuracy) train_->add_scalar("batch_accuracy", step, logs.accuracy);
    });
  }
  void on_epoch_end(TrainingControl& control, const EpochLogs& logs) override {
    open_train();
    attempt([&] {
      // Counted from 0, as in Keras.
      const auto step = static_cast<std::int64_t>(logs.epoch) - 1;
      for (const auto& [name, value] : logs.measured()) {
        if (!name.starts_with("val_")) {
          train_->add_scalar("epoch_" + std::string(name), step, value);
          continue;
        }
        if (!validation_) validation_ = std::make_shared<EventFile>(folder_of("validation"));
        validation_->add_scalar("epoch_" + std::string(name.substr(4)), step, value);
      }
      train_->add_scalar("epoch_learning_rate", step, logs.learning_rate);
      if (options_.histogram_freq > 0 && logs.epoch % options_.histogram_freq == 0)
        write_weights(control.parameters(), step);
    });
  }
  void on_train_end(TrainingControl&, const History&) override {
    train_.reset();
    validation_.reset();
  }
  void save_state(CallbackState& state) const override {
    state.set("steps", steps_);
    const auto save = [&](const std::string& name, const std::shared_ptr<EventFile>& file) {
      if (!file) return;
      state.set(name, file->path().substr(file->path().rfind('/') + 1));
      state.set(name + "_size", file->size());
    };
    save("train", train_);
    save("validation", validation_);
  }
  void load_state(TrainingControl&, const CallbackState& state) override {
    steps_ = state.number<std::size_t>("steps");
    const auto load = [&](const std::string& name, std::shared_ptr<EventFile>& file) {
      if (state.texts().count(name) == 0) return;
      const std::string& file_name = state.text(name);
      // Files of other folders are not this callback's.
      if (file_name.find('/') != std::string::npos) return;
      if (auto found = EventFile::reopen(folder_of(name) + "/" + file_name,
                                         state.number<std::uint64_t>(name + "_size")))
        file = std::make_shared<EventFile>(std::move(*found));
    };
    load("train", train_);
    load("validation", validation_);
  }

 private:
  std::string folder_of(const std::string& part) const { return options_.log_dir + "/" + part; }
  void open_train() {
    if (!train_) attempt([&] { train_ = std::make_shared<EventFile>(folder_of("train")); });
  }
  void write_weights(std::span<const float> parameters, std::int64_t step) {
    for (const LayerDescription& layer : model_.layers)
      for (const WeightDescription& weight : layer.weights) {
        const std::string name = layer.name + "/" + weight.name;
        const auto values = parameters.subspan(weight.offset, weight.size());
        train_->add_histogram(name + "/histogram", step, values);
        // What a later Dense layer gets is no image.
        if (!options_.write_images || !(weight.shape.size() == 4 || &weight == first_kernel(model_)))
          continue;
        // Small ones: the training waits.
        if (const auto picture = filter_picture(weight.shape, values, 32, 24))
          train_->add_image(name + "/image", step, picture->width(), picture->height(), png_bytes(*picture));
      }
  }
  // A training is worth more than its log.
  void attempt(const std::function<void()>& write) {
    if (failed_) return;
    try {
      write();
    } catch (const Error& error) {
      failed_ = true;
      std::fprintf(stderr, "TensorBoard: %s: the training goes on without it\n", error.what());
    }
  }

  Options options_;
  std::shared_ptr<EventFile> train_, validation_;
  ModelDescription model_;
  std::size_t steps_ = 0;
  bool failed_ = false;
};

}  // namespace digitnet
