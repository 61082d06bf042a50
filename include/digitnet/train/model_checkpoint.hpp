// Callbacks that write files: ModelCheckpoint keeps what was learnt, BackupAndRestore what a killed training
// needs.
#pragma once
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "digitnet/io/checkpoint.hpp"
#include "digitnet/train/callbacks.hpp"

namespace digitnet {

namespace detail {

/// A file name with quantities filled in, in Python's notation: "{epoch:02d}", "{val_accuracy:.4f}".
[[gnu::cold]] inline std::string filled_in(const std::string& pattern, const EpochLogs& logs) {
  std::string result;
  for (std::size_t at = 0; at < pattern.size();) {
    if (pattern[at] != '{') {
      result += pattern[at++];
      continue;
    }
    const std::size_t end = pattern.find('}', at);
    const auto refuse = [&] {
      fail("\"" + pattern + "\" is no pattern of file names: write {epoch:02d} or {val_accuracy:.4f}");
    };
    if (end == std::string::npos) refuse();
    const std::string field = pattern.substr(at + 1, end - at - 1);
    const std::size_t colon = field.find(':');
    const std::string name = field.substr(0, colon);
    std::string format = colon == std::string::npos ? "" : field.substr(colon + 1);
    const bool is_epoch = name == "epoch";
    char type = is_epoch ? 'd' : 'g';
    if (!format.empty() && std::isalpha(static_cast<unsigned char>(format.back())) != 0) {
      type = format.back();
      format.pop_back();
    }
    if (format.size() > 8 || format.find_first_not_of("0123456789.") != std::string::npos ||
        std::string(is_epoch ? "d" : "feg").find(type) == std::string::npos)
      refuse();
    char text[400];
    if (is_epoch)
      std::snprintf(text, sizeof text, ("%" + format + "zu").c_str(), logs.epoch);
    else
      std::snprintf(text, sizeof text, ("%" + format + type).c_str(), logs.value(name));
    result += text;
    at = end + 1;
  }
  return result;
}

}  // namespace detail

/// Saves after each epoch, under a name such as "cnn-{epoch:02d}-{val_accuracy:.4f}.safetensors". With
/// save_weights_only the parameters (as save_safetensors does), else the whole training (for
/// Trainer::resume); with save_best_only only when `monitor` has improved. `save` replaces what is written:
/// with digitnet/io/keras.hpp,
/// `.save = keras_files` writes Keras' files.
class ModelCheckpoint : public Callback {
 public:
  struct Options {
    std::string monitor = "val_loss";
    bool save_best_only = false;
    bool save_weights_only = false;
    double initial_value_threshold =
        std::numeric_limits<double>::quiet_NaN();  ///< what the first must better
    std::function<void(const ModelDescription&, std::span<const float>, const std::string& path)> save{};
  };
  explicit ModelCheckpoint(std::string filepath, Options options)
      : filepath_(std::move(filepath)), options_(std::move(options)) {}
  explicit ModelCheckpoint(std::string filepath) : ModelCheckpoint(std::move(filepath), Options{}) {}

  void on_train_begin(TrainingControl&) override {
    EpochLogs example{
        .epoch = 1, .loss = 0, .accuracy = 0, .val_loss = 0, .val_accuracy = 0, .learning_rate = 0};
    example.has_accuracy = example.has_validation = true;
    detail::filled_in(filepath_, example);
    if (options_.save_best_only) example.value(options_.monitor);
    improvement_.start(options_.monitor, 0);
    if (!std::isnan(options_.initial_value_threshold)) improvement_.update(options_.initial_value_threshold);
  }
  void on_epoch_end(TrainingControl& control, const EpochLogs& logs) override {
    if (options_.save_best_only && !improvement_.update(logs.value(options_.monitor))) return;
    last_path_ = detail::filled_in(filepath_, logs);
    if (options_.save)
      options_.save(control.description(), control.parameters(), last_path_);
    else if (options_.save_weights_only)
      save_safetensors(control.description(), control.parameters(), last_path_);
    else
      write_checkpoint(last_path_, control.description(), control.parameters(), control.state());
  }
  /// What was written last, or an empty text.
  const std::string& last_path() const { return last_path_; }

 private:
  std::string filepath_;
  Options options_;
  detail::Improvement improvement_;
  std::string last_path_;
};

/// Writes the whole training to a file after each epoch, and when a training begins goes on from there if the
/// file exists: a run that was killed and is started again ends with the same bits as one that was not. The
/// file is removed when the training has ended. (Callbacks' own counters, such as EarlyStopping's, start
/// afresh.)
class BackupAndRestore : public Callback {
 public:
  explicit BackupAndRestore(std::string path, bool delete_checkpoint = true)
      : path_(std::move(path)), delete_checkpoint_(delete_checkpoint) {}

  void on_train_begin(TrainingControl& control) override {
    if (std::FILE* const file = std::fopen(path_.c_str(), "rb")) {
      std::fclose(file);
      const std::string optimizer = control.state().optimizer;
      control.restore(
          read_checkpoint(path_, control.description(), optimizer, control.slots(), control.parameters()));
      control.print("BackupAndRestore: resumed from " + path_);
    }
  }
  void on_epoch_end(TrainingControl& control, const EpochLogs&) override {
    write_checkpoint(path_, control.description(), control.parameters(), control.state());
  }
  void on_train_end(TrainingControl&, const History& history) override {
    if (delete_checkpoint_ && !history.interrupted) std::remove(path_.c_str());
  }

 private:
  std::string path_;
  bool delete_checkpoint_;
};

}  // namespace digitnet
