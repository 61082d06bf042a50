// Random numbers that follow from a key, not from a shared stream: the key (seed, epoch, step, sample) gives
// the same numbers on any thread, in any order.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <utility>

#include "digitnet/core/language.hpp"

namespace digitnet {

/// Where all randomness of a model or a training starts.
struct Seed {
  std::uint64_t value = 0;
};

/// SplitMix64's output function (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
constexpr std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

/// A path such as (seed, epoch, step, sample), folded into 64 bits.
struct RandomKey {
  std::uint64_t value = 0;

  constexpr RandomKey() = default;
  constexpr explicit RandomKey(Seed seed) : value(mix(seed.value + 0x9e3779b97f4a7c15u)) {}
  /// The key one step further down the path.
  constexpr RandomKey child(std::uint64_t part) const {
    RandomKey result;
    result.value = mix(mix(part + 0x9e3779b97f4a7c15u) ^ (value + 0x632be59bd9b4e019u));
    return result;
  }
};

/// The stream of numbers that belongs to a key (SplitMix64). A standard uniform random bit generator whose
/// derived values, unlike the standard's distributions, are the same with every standard library.
class Random {
 public:
  using result_type = std::uint64_t;

  constexpr explicit Random(RandomKey key) : state_(key.value) {}
  constexpr explicit Random(Seed seed) : Random(RandomKey(seed)) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }

  constexpr result_type operator()() { return mix(state_ += 0x9e3779b97f4a7c15u); }

  /// Uniform in [0, 1), with 53 random bits.
  constexpr double uniform() { return static_cast<double>((*this)() >> 11) * 0x1p-53; }
  /// Uniform in [low, high).
  constexpr double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal, by Box and Muller (A Note on the Generation of Random Normal Deviates, 1958).
  double normal() {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(2.0 * std::numbers::pi * uniform());
  }
  /// Uniform in {0, ..., bound - 1}; the bias of at most bound / 2^64 is far below what can be observed.
  constexpr std::uint64_t below(std::uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>((*this)()) * bound) >> 64);
  }

 private:
  std::uint64_t state_;
};

/// Puts [first, last) into a random order (Fisher and Yates), the same for the same key.
template <class Iterator>
void shuffle(Iterator first, Iterator last, RandomKey key) {
  Random random(key);
  for (auto remaining = last - first; remaining > 1; --remaining)
    std::swap(first[remaining - 1], first[random.below(static_cast<std::uint64_t>(remaining))]);
}

}  // namespace digitnet
