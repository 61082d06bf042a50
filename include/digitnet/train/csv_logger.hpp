// CSVLogger: a callback that writes a line for each epoch to a file.
#pragma once
#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "digitnet/core/absolute_path.hpp"
#include "digitnet/core/compiled.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/open_file.hpp"
#include "digitnet/train/callback.hpp"

namespace digitnet {

/// Writes a line for each epoch to a file of comma-separated values, as it ends. A training that goes on from
/// a checkpoint goes on writing where the checkpoint was: the file is that of a training that never stopped.
class CSVLogger : public Callback {
 public:
  explicit CSVLogger(std::string path, bool append = false) : path_(absolute_path(path)), append_(append) {}

  DIGITNET_INLINE void check(TrainingControl&) override;
  DIGITNET_INLINE void on_train_begin(TrainingControl&) override;
  DIGITNET_INLINE void on_epoch_end(TrainingControl&, const EpochLogs& logs) override;
  void on_train_end(TrainingControl&, const History&) override { file_.reset(); }
  void save_state(CallbackState& state) const override { state.set("size", size_); }
  void load_state(TrainingControl&, const CallbackState& state) override {
    size_ = std::min(state.number<std::uint64_t>("size"), size());
  }

 private:
  [[noreturn]] void fail_to_write() const {
    fail("CSVLogger cannot write " + path_ + ": " + std::strerror(errno));
  }
  void open();
  struct ::stat status() const;
  std::uint64_t size() const { return static_cast<std::uint64_t>(status().st_size); }

  std::string path_;
  bool append_;
  // The bytes that belong to this training.
  std::uint64_t size_ = 0;
  std::shared_ptr<int> file_;
};

}  // namespace digitnet

#if DIGITNET_BODIES
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "digitnet/core/atomic_file.hpp"
#include "digitnet/core/number_text.hpp"

namespace digitnet {

DIGITNET_INLINE void CSVLogger::check(TrainingControl&) {
  if (file_exists(path_)) return open();
  AtomicFile{path_};
}

DIGITNET_INLINE void CSVLogger::on_train_begin(TrainingControl&) {
  open();
  // What was there before goes with the first line, so that a restored training can still keep it.
  size_ = append_ ? size() : 0;
}

DIGITNET_INLINE void CSVLogger::on_epoch_end(TrainingControl&, const EpochLogs& logs) {
  // Counted from 0, as in Keras.
  std::string header = "epoch", line = std::to_string(logs.epoch - 1);
  auto values = logs.measured();
  values.emplace_back("learning_rate", logs.learning_rate);
  for (const auto& [name, value] : values) {
    header.append(",").append(name);
    line.append(",").append(to_text(value, 9));
  }
  if (size_ == 0) line = header + "\n" + line;
  line += "\n";
  const auto end = static_cast<::off_t>(size_);
  if (::ftruncate(*file_, end) != 0 && S_ISREG(status().st_mode)) fail_to_write();
  for (std::size_t done = 0; done < line.size();) {
    const ::ssize_t written = ::write(*file_, line.data() + done, line.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_to_write();
    done += static_cast<std::size_t>(written);
  }
  size_ += line.size();
}

DIGITNET_INLINE void CSVLogger::open() {
  if (file_) return;
  const int descriptor = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor < 0) fail_to_write();
  file_ = std::shared_ptr<int>(new int(descriptor), [](int* open_file) {
    ::close(*open_file);
    delete open_file;
  });
}

DIGITNET_INLINE struct ::stat CSVLogger::status() const {
  struct ::stat result {};
  if (::fstat(*file_, &result) != 0) fail_to_write();
  return result;
}

}  // namespace digitnet
#endif
