// A batch: some samples of the data in an order, and how they are copied into a model's input, with
// augmentation and mixing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/compiled.hpp"
#include "digitnet/core/random.hpp"
#include "digitnet/core/sample_transform.hpp"
#include "digitnet/core/samples.hpp"

namespace digitnet {

/// What was measured on some samples, as sums.
struct BatchResult {
  /// The sum of weight times loss.
  double loss = 0;
  std::size_t correct = 0;
  /// Of these `correct` are right: one answer a sample, or one for each of its outputs.
  std::size_t answers = 0;
  std::size_t samples = 0;

  double accuracy() const { return static_cast<double>(correct) / static_cast<double>(answers); }

  BatchResult& operator+=(const BatchResult& other) {
    loss += other.loss;
    correct += other.correct;
    answers += other.answers;
    samples += other.samples;
    return *this;
  }
};

/// Samples data[indices[i]], in this order.
struct Batch {
  const DataView& data;
  std::span<const std::uint32_t> indices;
  /// One for each sample of the data; empty: all are 1.
  std::span<const float> weights;
  /// Changes samples before they are trained on, or null.
  SampleTransform* transform = nullptr;
  /// Its key, which belongs to (seed, epoch).
  RandomKey transforming{};
};

/// How a sample is mixed with another one: `part` of itself, the rest of sample `partner`.
struct Mixture {
  float part = 1;
  std::size_t partner = 0;
};

/// The mixture that the sample at a position of the batch is trained on.
DIGITNET_INLINE Mixture mixture_of(const Batch& batch, std::size_t position);

/// Copies samples of batches, as they are trained on.
class BatchReader {
 public:
  BatchReader(std::size_t sample_size, std::size_t threads) : size_(sample_size), partners_(threads) {}

  /// The samples at positions first, first + 1, ... of the batch, one after the other; `thread` is below
  /// `threads`.
  void read(const Batch& batch, std::size_t first, std::size_t count, float* to, std::size_t thread);

 private:
  // One sample, apart from mixing.
  static void take(const Batch& batch, std::size_t index, float* to, std::size_t thread);

  std::size_t size_;
  // The samples that others are mixed with, one a thread.
  std::vector<Arena<float>> partners_;
};

}  // namespace digitnet

#if DIGITNET_BODIES
namespace digitnet {

DIGITNET_INLINE Mixture mixture_of(const Batch& batch, std::size_t position) {
  if (!batch.transform) return {};
  constexpr std::uint64_t mixing = 1;
  const RandomKey key = batch.transforming.child(batch.indices[position]).child(mixing);
  const float part = batch.transform->part_in_mixture(key);
  if (part == 1) return {};
  return {part, batch.indices[Random(key.child(mixing)).below(batch.indices.size())]};
}

DIGITNET_INLINE void BatchReader::read(const Batch& batch, std::size_t first, std::size_t count, float* to,
                                       std::size_t thread) {
  for (std::size_t i = 0; i < count; ++i) {
    float* const x = to + i * size_;
    take(batch, batch.indices[first + i], x, thread);
    const Mixture mixture = mixture_of(batch, first + i);
    if (mixture.part == 1) continue;
    if (partners_[thread].size() == 0) partners_[thread] = Arena<float>(size_);
    float* const other = partners_[thread].data();
    take(batch, mixture.partner, other, thread);
    for (std::size_t j = 0; j < size_; ++j) x[j] = mixture.part * x[j] + (1 - mixture.part) * other[j];
  }
}

DIGITNET_INLINE void BatchReader::take(const Batch& batch, std::size_t index, float* to, std::size_t thread) {
  batch.data.samples.copy(index, to);
  if (batch.transform) batch.transform->apply(to, batch.transforming.child(index), thread);
}

}  // namespace digitnet
#endif
