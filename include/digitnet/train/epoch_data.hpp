// EpochData: the samples of a training in the order of an epoch, as batches, with their weights, and those
// that are held out.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "digitnet/core/labels.hpp"
#include "digitnet/core/random.hpp"
#include "digitnet/train/batch.hpp"
#include "digitnet/train/fit_options.hpp"
#include "digitnet/train/sample_parts.hpp"

namespace digitnet::detail {

/// Refers to the options. A copy goes through the same samples in another order.
class EpochData {
 public:
  /// Samples in memory, or, if `parts` is not null, of a stream, whose first part is read. The batch size
  /// becomes the number of samples at most.
  EpochData(const DataView& data, SampleParts* parts, FitOptions& options, std::size_t outputs,
            RandomKey first_epoch)
      : view_(data), parts_(parts), options_(options), outputs_(outputs) {
    const std::size_t count = parts ? parts->count() : data.count();
    const std::size_t last = parts ? 0 : digitnet::detail::held_out(options, count);
    samples_ = part_samples_ = count - last;
    held_out_.resize(last);
    std::iota(held_out_.begin(), held_out_.end(), static_cast<std::uint32_t>(samples_));
    options.batch_size = std::min(options.batch_size, samples_);
    if (parts) {
      parts->set_step(step_samples());
      part_samples_ = parts->part_samples();
      begin_epoch(first_epoch, options.shuffle);
      begun_ = true;
    } else {
      weigh();
    }
  }

  /// The samples in memory.
  const DataView& view() const { return view_; }
  /// Those that an epoch trains on.
  std::size_t samples() const { return samples_; }
  std::size_t step_samples() const { return options_.batch_size * options_.gradient_accumulation; }
  std::size_t steps() const { return (samples_ + step_samples() - 1) / step_samples(); }
  bool has_held_out() const { return !held_out_.empty(); }
  Batch held_out() const { return {view_, held_out_, {}}; }

  /// The next batch is the one from sample `first` on, which begins a step.
  void begin_epoch(RandomKey key, bool shuffle, std::size_t first = 0) {
    const bool begun = std::exchange(begun_, false) && key.value == key_.value && shuffle == shuffle_;
    if (begun && first < part_samples_) return;
    key_ = key;
    shuffle_ = shuffle;
    part_ = first / part_samples_;
    if (first >= samples_) return;
    pass_ = none;
    take_part();
  }

  /// At most `count` samples of one part, from `first` on.
  Batch batch(std::size_t first, std::size_t count) {
    while (part_ < first / part_samples_) {
      ++part_;
      take_part();
    }
    const std::size_t place = first - part_ * part_samples_;
    return {view_,
            std::span<const std::uint32_t>(order_).subspan(place, std::min(count, order_.size() - place)),
            weights_, options_.augmentation.get(), part_key().child(augmenting)};
  }

 private:
  // Beyond any step number, so that the order of an epoch and its steps have keys of their own.
  static constexpr std::uint64_t shuffling = ~std::uint64_t{0};
  static constexpr std::uint64_t augmenting = shuffling - 1;
  static constexpr std::uint64_t streaming = shuffling - 3;
  static constexpr std::uint64_t later_parts = shuffling - 4;

  RandomKey part_key() const { return part_ == 0 ? key_ : key_.child(later_parts).child(part_); }

  void take_part() {
    if (parts_) {
      // Before the next is taken: two are in memory, not three.
      view_ = {};
      // Also where another pass has gone through the stream meanwhile.
      if (parts_->begun() != pass_) parts_->begin_epoch(key_.child(streaming), shuffle_, part_);
      pass_ = parts_->begun();
      view_ = parts_->next();
      weigh();
    }
    order_.resize(std::min(part_samples_, samples_ - part_ * part_samples_));
    std::iota(order_.begin(), order_.end(), std::uint32_t{0});
    if (shuffle_) digitnet::shuffle(order_.begin(), order_.end(), part_key().child(shuffling));
  }

  void weigh() {
    if (options_.class_weights.empty()) {
      if (!parts_) weights_ = options_.sample_weights;
      return;
    }
    const Targets& targets = view_.targets;
    const std::vector<float>& weights = options_.sample_weights;
    weights_.resize(view_.count());
    for (std::size_t i = 0; i < weights_.size(); ++i)
      weights_[i] = (weights.empty() ? 1.0f : weights[i]) *
                    options_.class_weights[targets.are_labels() ? targets.label(i)
                                                                : predicted_class(outputs_, targets.row(i))];
  }

  DataView view_;
  SampleParts* parts_;
  FitOptions& options_;
  std::size_t outputs_;
  std::size_t samples_ = 0, part_samples_ = 0;
  // Of the part that is in memory.
  std::size_t part_ = 0;
  std::vector<std::uint32_t> order_;
  std::vector<float> weights_;
  std::vector<std::uint32_t> held_out_;
  RandomKey key_{};
  bool shuffle_ = false;
  // The pass through the parts, as they count them, that gave what is in memory.
  static constexpr std::size_t none = ~std::size_t{0};
  std::size_t pass_ = none;
  // Whether an epoch was begun of which no batch was taken.
  bool begun_ = false;
};

}  // namespace digitnet::detail
