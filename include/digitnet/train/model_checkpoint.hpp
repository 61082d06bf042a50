// Callbacks that write files: ModelCheckpoint saves the model or the training, BackupAndRestore lets a killed
// training go on.
#pragma once
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "digitnet/core/absolute_path.hpp"
#include "digitnet/core/compiled.hpp"
#include "digitnet/core/file_lock.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/core/open_file.hpp"
#include "digitnet/train/callbacks.hpp"
#include "digitnet/train/checkpoint.hpp"

namespace digitnet {

namespace detail {

/// Whether the text of a format is "", "8", "08", ".3" or "08.3": fills width, its filler, and precision.
struct FieldFormat {
  std::size_t width = 0;
  char filler = ' ';
  int precision = 6;

  bool read(std::string_view text);
  std::string operator()(std::string text) const {
    if (text.size() >= width) return text;
    const std::size_t sign = filler == '0' && text.starts_with('-') ? 1 : 0;
    return text.insert(sign, width - text.size(), filler);
  }
};

/// A file name with quantities filled in, in Python's notation: "{epoch:02d}", "{val_accuracy:.4f}".
DIGITNET_INLINE std::string filled_in(const std::string& pattern, const EpochLogs& logs);

}  // namespace detail

/// Saves after each epoch, under a name such as "cnn-{epoch:02d}-{val_accuracy:.4f}.safetensors". With
/// save_weights_only the parameters (as save_safetensors does), else the whole training (for
/// Trainer::resume); with save_best_only only when `monitor` has improved. `save` replaces what is written:
/// with digitnet/keras/keras.hpp, `.save = keras_files` writes Keras' files. As in Keras, the best value
/// holds in a later `fit` too.
class ModelCheckpoint : public Callback {
 public:
  struct Options {
    std::string monitor = "val_loss";
    bool save_best_only = false;
    bool save_weights_only = false;
    /// The value that the first epoch must better.
    double initial_value_threshold = std::numeric_limits<double>::quiet_NaN();
    std::function<void(const ModelDescription&, std::span<const float>, const std::string& path)> save{};
  };
  explicit ModelCheckpoint(std::string filepath, Options options)
      : folder_(filepath.starts_with('/') ? "" : working_folder()),
        filepath_(std::move(filepath)),
        options_(std::move(options)),
        improvement_(options_.monitor, 0) {
    if (!std::isnan(options_.initial_value_threshold)) improvement_.update(options_.initial_value_threshold);
  }
  explicit ModelCheckpoint(std::string filepath) : ModelCheckpoint(std::move(filepath), Options{}) {}

  DIGITNET_INLINE void check(TrainingControl& control) override;
  void on_epoch_end(TrainingControl&, const EpochLogs& logs) override {
    saves_ = !options_.save_best_only || improvement_.update(logs);
  }
  DIGITNET_INLINE void after_epoch(TrainingControl& control, const EpochLogs& logs) override;
  void save_state(CallbackState& state) const override {
    improvement_.save(state);
    if (!last_path_.empty()) state.set("last_path", last_path_.substr(fixed_part().size()));
  }
  void load_state(TrainingControl&, const CallbackState& state) override {
    improvement_.load(state);
    last_path_ = state.texts().count("last_path") > 0 ? fixed_part() + state.text("last_path") : "";
  }

  /// What was written last, or an empty text.
  const std::string& last_path() const { return last_path_; }

 private:
  std::string path_for(const EpochLogs& logs) const { return folder_ + detail::filled_in(filepath_, logs); }

  // The folder that is the same in all names.
  std::string fixed_part() const {
    const std::size_t slash = filepath_.substr(0, filepath_.find('{')).rfind('/');
    return folder_ + filepath_.substr(0, slash + 1);
  }

  // Only the second is a pattern.
  std::string folder_, filepath_;
  Options options_;
  detail::Improvement improvement_;
  bool saves_ = false;
  std::string last_path_;
};

/// Writes the whole training to a file after each epoch, and when a training begins goes on from there if the
/// file exists: a run that was killed and is started again ends with the same bits as one that was not,
/// whatever callbacks it has. Another training's file is refused with all differences, except that a training
/// may go on for more epochs. While it is in use the file is locked (PATH.lock). It is removed when the
/// training has ended, after all callbacks; with `delete_checkpoint` false it stays, until `remove()`.
class BackupAndRestore : public Callback {
 public:
  explicit BackupAndRestore(std::string path, bool delete_checkpoint = true)
      : path_(absolute_path(path)), delete_checkpoint_(delete_checkpoint) {
    if (path_.empty()) fail("BackupAndRestore needs a file to write to, but its path is empty");
  }

  DIGITNET_INLINE void check(TrainingControl& control) override;
  DIGITNET_INLINE void before_training(TrainingControl& control) override;
  void after_epoch(TrainingControl& control, const EpochLogs&) override {
    write_checkpoint(path_, control.description(), control.parameters(), control.state());
  }
  void after_training(TrainingControl&, const History& history) override {
    if (delete_checkpoint_ && !history.interrupted) remove();
  }
  /// Removes the file: for a program that keeps it until the trained model is in safety.
  void remove() {
    std::remove(path_.c_str());
    lock_.reset();
  }

 private:
  void lock() {
    if (!lock_) lock_ = std::make_shared<FileLock>(path_ + ".lock", "The checkpoint " + path_);
  }

  std::string path_;
  bool delete_checkpoint_;
  // Copies of the callback share it.
  std::shared_ptr<FileLock> lock_;
};

}  // namespace digitnet

#if DIGITNET_BODIES
#include <cctype>

#include "digitnet/core/atomic_file.hpp"

namespace digitnet {

namespace detail {

DIGITNET_INLINE bool FieldFormat::read(std::string_view text) {
  const std::size_t point = text.find('.');
  const std::string_view before = text.substr(0, point);
  if (before.starts_with('0')) filler = '0';
  const auto wide = before.empty() ? std::optional<std::size_t>(0) : parse_number<std::size_t>(before);
  const auto digits = point == text.npos ? std::optional<int>(6) : parse_number<int>(text.substr(point + 1));
  if (!wide || *wide > 99 || !digits || *digits < 0 || *digits > 99) return false;
  width = *wide;
  precision = *digits;
  return true;
}

DIGITNET_INLINE std::string filled_in(const std::string& pattern, const EpochLogs& logs) {
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
    if (!format.empty() && std::string_view("defg").find(format.back()) != std::string_view::npos) {
      type = format.back();
      format.pop_back();
    }
    FieldFormat layout;
    if (!layout.read(format) || is_epoch != (type == 'd')) refuse();
    result += layout(is_epoch      ? std::to_string(logs.epoch)
                     : type == 'f' ? to_fixed_text(logs.value(name), layout.precision)
                     : type == 'e' ? to_scientific_text(logs.value(name), layout.precision)
                                   : to_text(logs.value(name), layout.precision));
    at = end + 1;
  }
  return result;
}

}  // namespace detail

DIGITNET_INLINE void ModelCheckpoint::check(TrainingControl& control) {
  EpochLogs example = control.measures();
  example.epoch = 1;
  AtomicFile{path_for(example)};
  if (options_.save_best_only) improvement_.check(control);
  control.setup();
}

DIGITNET_INLINE void ModelCheckpoint::after_epoch(TrainingControl& control, const EpochLogs& logs) {
  if (!saves_) return;
  last_path_ = path_for(logs);
  if (options_.save)
    options_.save(control.description(), control.parameters(), last_path_);
  else if (options_.save_weights_only)
    save_safetensors(control.description(), control.parameters(), last_path_);
  else
    write_checkpoint(last_path_, control.description(), control.parameters(), control.state());
}

DIGITNET_INLINE void BackupAndRestore::check(TrainingControl& control) {
  AtomicFile{path_};
  lock();
  control.setup();
}

DIGITNET_INLINE void BackupAndRestore::before_training(TrainingControl& control) {
  if (!file_exists(path_)) return;
  control.restore(read_checkpoint(path_, control.description(), control.state().optimizer, control.slots(),
                                  control.parameters().size(), control.setup()));
  control.print("BackupAndRestore: resumed from " + path_);
}

}  // namespace digitnet
#endif
