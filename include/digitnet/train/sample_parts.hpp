// SampleParts: a stream of samples, read part by part, the next one while the one before is trained on.
#pragma once
#include <algorithm>
#include <cstddef>
#include <functional>
#include <future>
#include <string>
#include <utility>

#include "digitnet/core/error.hpp"
#include "digitnet/core/sample_stream.hpp"

namespace digitnet::detail {

/// Refers to the stream, which nobody else reads meanwhile.
class SampleParts {
 public:
  /// `check` throws an Error for samples that cannot be trained on; a thread that reads calls it.
  SampleParts(SampleStream& stream, std::function<void(const DataView&)> check)
      : stream_(stream), check_(std::move(check)) {
    if (count() == 0) fail("The stream has no samples: give it at least one");
  }
  virtual ~SampleParts() = default;
  SampleParts(const SampleParts&) = delete;
  SampleParts& operator=(const SampleParts&) = delete;

  std::size_t count() const { return stream_.count(); }
  std::string text() const { return stream_.text(); }

  /// Samples in each part but the last; parts are whole steps.
  std::size_t part_samples() const { return part_samples_; }
  virtual void set_step(std::size_t samples) {
    part_samples_ = std::max<std::size_t>(1, stream_.part() / samples) * samples;
  }

  /// The next part is this one of an epoch with this key.
  virtual void begin_epoch(RandomKey key, bool shuffle, std::size_t first_part) {
    read_ahead_ = {};
    next_ = first_part;
    read_ahead([this, key, shuffle, skipped = first_part * part_samples_] {
      stream_.begin_epoch(key, shuffle);
      for (std::size_t done = 0; done < skipped; done += part_samples_) stream_.skip(part_samples_);
    });
  }
  /// Throws what the stream threw, or an Error if its samples are not as they should be.
  virtual DataView next() {
    DataView part = read_ahead_.get();
    ++next_;
    if (next_ * part_samples_ < count()) read_ahead([] {});
    return part;
  }

 private:
  template <class Before>
  void read_ahead(const Before& before) {
    const std::size_t first = next_ * part_samples_, wanted = std::min(part_samples_, count() - first);
    read_ahead_ = std::async(std::launch::async, [this, before, first, wanted] {
      before();
      DataView part = stream_.read(wanted);
      if (part.count() != wanted)
        fail("The stream was asked for " + std::to_string(wanted) + " samples, those from " +
             std::to_string(first) + " on of " + std::to_string(count()) + ", but gave " +
             std::to_string(part.count()));
      try {
        check_(part);
      } catch (const Error& error) {
        fail("Of the " + std::to_string(wanted) + " samples of the stream from " + std::to_string(first) +
             " on: " + error.what());
      }
      return part;
    });
  }

  SampleStream& stream_;
  std::function<void(const DataView&)> check_;
  std::size_t part_samples_ = 1;
  std::size_t next_ = 0;
  // Last: whoever ends waits for the thread that reads.
  std::future<DataView> read_ahead_;
};

}  // namespace digitnet::detail
