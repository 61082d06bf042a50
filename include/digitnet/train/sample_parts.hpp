// SampleParts: a stream of samples, read part by part, the next one while the one before is trained on.
#pragma once
#include <cstddef>
#include <exception>
#include <string>
#include <thread>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/sample_stream.hpp"
#include "digitnet/train/training.hpp"

namespace digitnet::detail {

/// Refers to the stream, which nobody else reads meanwhile.
class SampleParts {
 public:
  /// `what` shall be done with the samples in that training, such as "train". Throws an Error if there are
  /// none.
  SampleParts(SampleStream& stream, const Training& training, const char* what);
  virtual ~SampleParts() { wait(); }
  SampleParts(const SampleParts&) = delete;
  SampleParts& operator=(const SampleParts&) = delete;

  std::size_t count() const { return stream_.count(); }
  /// What tells this data, and with it the order of its samples, from other data.
  std::string text() const;

  /// Samples in each part but the last; parts are whole steps.
  std::size_t part_samples() const { return part_samples_; }
  std::size_t step_samples() const { return step_samples_; }
  void set_step(std::size_t samples);

  /// How often an epoch was begun: whoever reads parts, and finds another number than before, has to begin
  /// again.
  std::size_t begun() const { return begun_; }
  /// The next part is this one of an epoch with this key.
  // Virtual functions have their bodies in the class: else every program that includes it compiles them.
  virtual void begin_epoch(RandomKey key, bool shuffle, std::size_t first_part) {
    begin_reading(key, shuffle, first_part);
  }
  /// Throws what the stream threw, or an Error if the samples are too few or cannot be used.
  virtual DataView next() { return take(); }

 private:
  void begin_reading(RandomKey key, bool shuffle, std::size_t first_part);
  DataView take();
  template <class Before>
  void read_ahead(const Before& before);
  DataView read(std::size_t first);
  void wait() {
    if (reader_.joinable()) reader_.join();
  }

  SampleStream& stream_;
  const Training& training_;
  const char* what_;
  std::size_t step_samples_ = 1, part_samples_ = 1;
  std::size_t begun_ = 0, next_ = 0;
  // Writes these two until it has ended.
  std::thread reader_;
  DataView part_;
  std::exception_ptr error_;
};

/// The mean loss, with penalties, and the accuracy on all of them.
DIGITNET_INLINE Evaluation evaluate_parts(Training& training, SampleParts& parts);

}  // namespace digitnet::detail

#if DIGITNET_BODIES
#include <algorithm>
#include <utility>

#include "digitnet/core/error.hpp"

namespace digitnet::detail {

DIGITNET_INLINE SampleParts::SampleParts(SampleStream& stream, const Training& training, const char* what)
    : stream_(stream), training_(training), what_(what) {
  if (count() == 0) fail("The stream has no samples: give it at least one");
}

DIGITNET_INLINE std::string SampleParts::text() const {
  return stream_.text() + ": " + std::to_string(count()) + " samples in parts of " +
         std::to_string(stream_.part());
}

DIGITNET_INLINE void SampleParts::set_step(std::size_t samples) {
  step_samples_ = samples;
  part_samples_ = std::max<std::size_t>(1, stream_.part() / samples) * samples;
}

DIGITNET_INLINE void SampleParts::begin_reading(RandomKey key, bool shuffle, std::size_t first_part) {
  wait();
  ++begun_;
  next_ = first_part;
  read_ahead([=, this] {
    stream_.begin_epoch(key, shuffle);
    for (std::size_t part = 0; part < first_part; ++part) stream_.skip(part_samples_);
  });
}

DIGITNET_INLINE DataView SampleParts::take() {
  wait();
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  DataView part = std::exchange(part_, {});
  ++next_;
  if (next_ * part_samples_ < count()) read_ahead([] {});
  return part;
}

template <class Before>
void SampleParts::read_ahead(const Before& before) {
  part_ = {};
  error_ = nullptr;
  reader_ = std::thread([this, before] {
    try {
      before();
      part_ = read(next_ * part_samples_);
    } catch (...) {
      error_ = std::current_exception();
    }
  });
}

DIGITNET_INLINE DataView SampleParts::read(std::size_t first) {
  const std::size_t wanted = std::min(part_samples_, count() - first);
  DataView part = stream_.read(wanted);
  const std::string those =
      std::to_string(wanted) + " samples of the stream from " + std::to_string(first) + " on";
  if (part.count() != wanted)
    fail("The " + those + " were asked for, but " + std::to_string(part.count()) +
         " came: it says that it has " + std::to_string(count()));
  try {
    training_.check(part, what_);
  } catch (const Error& error) {
    fail("Of the " + those + ": " + error.what());
  }
  return part;
}

DIGITNET_INLINE Evaluation evaluate_parts(Training& training, SampleParts& parts) {
  parts.set_step(1);
  parts.begin_epoch(RandomKey(), false, 0);
  BatchResult sum;
  bool classes = false;
  while (sum.samples < parts.count()) {
    const DataView part = parts.next();
    classes = training.classifies(part);
    sum += training.measure(part);
  }
  return training.evaluation_of(sum, classes);
}

}  // namespace digitnet::detail
#endif
