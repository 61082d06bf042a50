// The memory that one thread needs to run a chain of layers on a micro-batch.
#pragma once
#include <cstddef>

#include "digitnet/core/arena.hpp"

namespace digitnet {

/// What a micro-batch may occupy: most of the second-level cache of current cores (1 MiB and more).
inline constexpr std::size_t cache_budget_bytes = 896 * 1024;

/// Samples beyond which a larger micro-batch gains nothing.
inline constexpr std::size_t largest_micro_batch = 64;

/// Activations, gradients and, with HasScratch, scratch for up to `micro_batch` samples of On, a chain of
/// layers on an input shape.
template <class On, class Input, class T = float, std::size_t fewest = 1, bool HasScratch = true>
class Workspace {
 public:
  /// What stays of so many samples from one stage to the next.
  static constexpr std::size_t lasting_bytes(std::size_t samples) {
    return vector_bytes(samples * Input::size) + 2 * vector_bytes(samples * On::Output::size) +
           On::Cache::template bytes<T>(samples);
  }
  /// And with scratch.
  static constexpr std::size_t bytes(std::size_t samples) {
    return lasting_bytes(samples) + On::template scratch_bytes<T>(samples);
  }

 private:
  // Each number of bytes is a constant of its own, and more samples never need fewer: compilers bound how
  // long one constant may take to compute, and a deep network's memory takes long.
  template <std::size_t samples>
  static constexpr bool fits = bytes(samples) <= cache_budget_bytes;
  template <std::size_t fitting, std::size_t too_many>
  static constexpr std::size_t most_between() {
    if constexpr (fitting + 1 == too_many) {
      return fitting;
    } else {
      constexpr std::size_t middle = (fitting + too_many) / 2;
      if constexpr (fits<middle>)
        return most_between<middle, too_many>();
      else
        return most_between<fitting, middle>();
    }
  }

 public:
  /// The largest number of samples whose activations stay in the cache budget, but not less than `fewest`.
  static constexpr std::size_t micro_batch = most_between<fewest, largest_micro_batch + 1>();

  /// Makes room; a workspace that has room already stays as it is.
  void reserve() {
    constexpr std::size_t needed = HasScratch ? bytes(micro_batch) : lasting_bytes(micro_batch);
    if (memory_.size() < needed) memory_ = Arena<std::byte>(needed);
  }
  T* x() { return at(0); }
  T* y() { return at(vector_bytes(micro_batch * Input::size)); }
  T* dy() {
    return at(vector_bytes(micro_batch * Input::size) + vector_bytes(micro_batch * On::Output::size));
  }
  std::byte* cache() { return memory_.data() + cache_offset; }
  T* scratch() requires HasScratch { return at(cache_offset + On::Cache::template bytes<T>(micro_batch)); }

 private:
  static constexpr std::size_t vector_bytes(std::size_t elements) {
    return round_up(elements * sizeof(T), alignment_bytes);
  }
  static constexpr std::size_t cache_offset =
      vector_bytes(micro_batch * Input::size) + 2 * vector_bytes(micro_batch * On::Output::size);
  T* at(std::size_t byte) { return reinterpret_cast<T*>(memory_.data() + byte); }

  Arena<std::byte> memory_;
};

/// The workspace of a training. Models that synchronize pass the whole batch through one stage after the
/// other, so that only what a stage touches need stay in the cache, and some samples together share what
/// layers do once a call: ResNet-20 trains 1.25 times as fast with eight as with one, and no faster with
/// sixteen. Scratch is then a thread's, so that it stays in the cache from one micro-batch to the next.
template <class On, class Input, class T = float>
using TrainingWorkspace = Workspace<On, Input, T, (On::barriers > 0 ? 8 : 1), On::barriers == 0>;

}  // namespace digitnet
