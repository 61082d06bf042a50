// Memory for tests that shows what reads or writes where it should not.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "digitnet/core/arena.hpp"

namespace digitnet::testing::detail {

/// Memory that begins as NaN (a read before a write shows), between guards (a write outside shows).
template <class T>
class Poisoned {
 public:
  explicit Poisoned(std::size_t size)
      : size_(size), memory_(size + 2 * guard + alignment_elements, poison()) {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data() + guard);
    begin_ = guard + (alignment_bytes - address % alignment_bytes) % alignment_bytes / sizeof(T);
    refresh();
  }
  /// Poisons the contents.
  void refresh() { std::fill(memory_.begin(), memory_.end(), poison()); }
  void fill(T value) { std::fill_n(data(), size_, value); }
  T* data() { return memory_.data() + begin_; }
  std::size_t size() const { return size_; }
  bool intact() const {
    for (std::size_t i = 0; i < memory_.size(); ++i)
      if ((i < begin_ || i >= begin_ + size_) && !is_poison(memory_[i])) return false;
    return true;
  }

 private:
  static constexpr std::size_t guard = 2 * readable_bytes_behind;
  // Bytes make a NaN as float and as double.
  static T poison() {
    if constexpr (std::is_same_v<T, std::byte>)
      return std::byte{0xff};
    else
      return std::numeric_limits<T>::quiet_NaN();
  }
  static bool is_poison(T value) {
    if constexpr (std::is_same_v<T, std::byte>)
      return value == std::byte{0xff};
    else
      return std::isnan(value);
  }

  std::size_t size_;
  std::vector<T> memory_;
  std::size_t begin_ = 0;
};

}  // namespace digitnet::testing::detail
