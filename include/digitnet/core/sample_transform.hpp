// The interface of augmentation: what changes a sample on its way into a training batch.
#pragma once
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <typeinfo>
#include <utility>

#include "digitnet/core/class_name.hpp"
#include "digitnet/core/random.hpp"

namespace digitnet {

/// Changes training samples as they are copied into a batch, on the thread that trains on them; see
/// Augmentation. What it does follows from the key, which belongs to (seed, epoch, sample).
class SampleTransform {
 public:
  virtual ~SampleTransform() = default;
  /// Before the training: samples of these extents will come, on so many threads. Throws an Error if it
  /// cannot change such samples.
  virtual void begin(std::span<const std::size_t> extents, std::size_t threads) = 0;
  /// Changes a sample in place; `thread` is below `threads`.
  virtual void apply(float* sample, RandomKey key, std::size_t thread) = 0;
  /// The part of the sample in its mixture with another one of the batch; 1: it is not mixed.
  virtual float part_in_mixture(RandomKey) const { return 1; }
  /// What it does, with all settings: a checkpoint of a training with another text is refused.
  virtual std::string text() const { return class_name(typeid(*this)); }
};

/// The transform of a `fit`: none, settings such as an Augmentation, or a pointer to a SampleTransform that
/// the caller keeps.
class SampleTransformHandle {
 public:
  SampleTransformHandle() = default;
  template <class Settings>
  requires requires(const Settings& settings) {
    { settings.transform() } -> std::convertible_to<std::shared_ptr<SampleTransform>>;
  }
  SampleTransformHandle(const Settings& settings) : transform_(settings.transform()) {}
  SampleTransformHandle(SampleTransform* transform) : transform_(transform, [](SampleTransform*) {}) {}

  SampleTransform* get() const { return transform_.get(); }

 private:
  std::shared_ptr<SampleTransform> transform_;
};

}  // namespace digitnet
