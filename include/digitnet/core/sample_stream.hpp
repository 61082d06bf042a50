// SampleStream: where samples come from that are not all in memory.
#pragma once
#include <cstddef>
#include <string>

#include "digitnet/core/random.hpp"
#include "digitnet/core/samples.hpp"

namespace digitnet {

/// Samples that are read one part after the other: of data larger than memory, or made as they are needed.
/// `fit` reads the next part in a thread of its own while it trains on the one before, so two are in memory.
/// A training with the same parts has the same bits. What a function throws ends the training.
class SampleStream {
 public:
  virtual ~SampleStream() = default;
  /// Samples in an epoch.
  virtual std::size_t count() const = 0;
  /// Samples that are read at once. `fit` takes whole steps, at least one, and shuffles them if it is to.
  virtual std::size_t part() const { return 65'536; }
  /// The next `read` gives the first samples of an epoch. A stream that can shuffle does so by the key where
  /// `shuffle` says so; the same key has to give the same order.
  virtual void begin_epoch(RandomKey key, bool shuffle) = 0;
  /// The next `samples` samples, which are there; the same kind each time. Arrays that the result does not
  /// own have to stay as they are during the next read.
  virtual DataView read(std::size_t samples) = 0;
  /// Leaves the next `samples` samples out, where a training goes on in the middle of an epoch.
  virtual void skip(std::size_t samples) { read(samples); }
  /// What tells this data from other data of as many samples: a checkpoint of a training on another text is
  /// refused.
  virtual std::string text() const { return "a stream"; }
};

}  // namespace digitnet
