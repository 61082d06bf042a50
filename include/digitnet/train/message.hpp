// Message: numbers and texts in a row of bytes, as they go from one process of a training to the others. All
// run the same program, so numbers are sent as they lie in memory.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "digitnet/train/communicator.hpp"

namespace digitnet::detail {

/// What is put in comes out in the same order.
class Message {
 public:
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    append(&value, sizeof value);
  }
  template <class T>
  void put_array(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    put(std::uint64_t{values.size()});
    append(values.data(), values.size_bytes());
  }
  void put_message(const Message& other) { append(other.bytes_.data(), other.bytes_.size()); }
  void put_text(const std::string& text) { put_array(std::span<const char>(text)); }

  template <class T>
  T take() {
    T value;
    std::memcpy(&value, advance(sizeof value), sizeof value);
    return value;
  }
  template <class T>
  std::vector<T> take_array() {
    std::vector<T> values(static_cast<std::size_t>(take<std::uint64_t>()));
    const std::byte* const from = advance(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), from, values.size() * sizeof(T));
    return values;
  }
  std::string take_text() {
    const std::vector<char> text = take_array<char>();
    return {text.begin(), text.end()};
  }

  /// Rank 0's message becomes everybody's. A short one goes at once, the length with it.
  void broadcast(Communicator& communicator) {
    std::byte first[block];
    const auto length = std::uint64_t{bytes_.size()};
    std::memcpy(first, &length, sizeof length);
    if (!bytes_.empty()) std::memcpy(first + sizeof length, bytes_.data(), std::min(bytes_.size(), in_block));
    communicator.broadcast(first);
    std::uint64_t sent = 0;
    std::memcpy(&sent, first, sizeof sent);
    bytes_.resize(static_cast<std::size_t>(sent));
    if (!bytes_.empty()) std::memcpy(bytes_.data(), first + sizeof length, std::min(bytes_.size(), in_block));
    if (bytes_.size() > in_block) communicator.broadcast(std::span(bytes_).subspan(in_block));
  }

 private:
  static constexpr std::size_t block = 2048, in_block = block - sizeof(std::uint64_t);

  void append(const void* from, std::size_t size) {
    const auto* const begin = static_cast<const std::byte*>(from);
    bytes_.insert(bytes_.end(), begin, begin + size);
  }
  const std::byte* advance(std::size_t size) {
    const std::byte* const here = bytes_.data() + taken_;
    taken_ += size;
    return here;
  }

  std::vector<std::byte> bytes_;
  std::size_t taken_ = 0;
};

}  // namespace digitnet::detail
