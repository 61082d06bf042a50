// An arena: one block of memory, aligned to 64 bytes. What a pass reads from start to end lies in one arena.
#pragma once
#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "digitnet/core/language.hpp"

namespace digitnet {

/// Alignment of arenas and of everything inside them: a cache line, and the widest vector register.
inline constexpr std::size_t alignment_bytes = 64;

/// Parameters start at multiples of this many elements; the elements between them stay zero.
inline constexpr std::size_t alignment_elements = 16;

constexpr std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

/// Whole vectors may be read across the end of a buffer by this much (what is read there is never used);
/// every arena, and every buffer that a layer gets, has as many readable bytes behind it.
inline constexpr std::size_t readable_bytes_behind = 64;

/// `size` values of T, zero at first, aligned to 64 bytes, with readable bytes behind. Copying copies the
/// values, to where this arena's own are if there are as many. An arena that was moved from has size 0.
template <class T>
class Arena {
 public:
  Arena() = default;
  explicit Arena(std::size_t size) : size_(size), memory_(allocate(size)) {
    std::uninitialized_fill_n(data(), size, T{});
  }
  Arena(const Arena& other) : size_(other.size_), memory_(allocate(other.size_)) {
    std::uninitialized_copy_n(other.data(), size_, data());
  }
  Arena& operator=(const Arena& other) {
    if (this == &other) return *this;
    if (size_ == other.size_)
      std::copy_n(other.data(), size_, data());
    else
      *this = Arena(other);
    return *this;
  }
  Arena(Arena&& other) noexcept : size_(std::exchange(other.size_, 0)), memory_(std::move(other.memory_)) {}
  Arena& operator=(Arena&& other) noexcept {
    size_ = std::exchange(other.size_, 0);
    memory_ = std::move(other.memory_);
    return *this;
  }
  ~Arena() = default;

  T* data() { return memory_.get(); }
  const T* data() const { return memory_.get(); }
  std::size_t size() const { return size_; }
  std::span<T> span() { return {data(), size_}; }
  std::span<const T> span() const { return {data(), size_}; }
  void fill(T value) { std::fill_n(data(), size_, value); }

 private:
  struct Release {
    void operator()(T* memory) const { ::operator delete (memory, std::align_val_t{alignment_bytes}); }
  };
  static T* allocate(std::size_t size) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (size == 0) return nullptr;
    if (size > (std::numeric_limits<std::size_t>::max() - readable_bytes_behind) / sizeof(T))
      throw std::bad_array_new_length();
    const std::size_t bytes = size * sizeof(T) + readable_bytes_behind;
    auto* const memory = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{alignment_bytes}));
    std::fill_n(memory + size * sizeof(T), readable_bytes_behind, std::byte{0});
    return reinterpret_cast<T*>(memory);
  }

  std::size_t size_ = 0;
  std::unique_ptr<T, Release> memory_;
};

}  // namespace digitnet
