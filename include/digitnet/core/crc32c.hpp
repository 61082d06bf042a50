// CRC-32C, the checksum of files: it notices every error that spans at most 32 bits.
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "digitnet/core/language.hpp"

namespace digitnet {

namespace detail {

// tables[k][b] is what byte b does to the checksum when k bytes follow it.
// Computed when a program first needs them: in a constant they would cost each unit a tenth of a second.
inline const std::array<std::array<std::uint32_t, 256>, 8>& crc32c_tables() {
  static const auto computed = [] {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82F63B78u : 0);
      tables[0][i] = value;
    }
    for (std::size_t k = 1; k < 8; ++k)
      for (std::size_t i = 0; i < 256; ++i)
        tables[k][i] = tables[k - 1][i] >> 8 ^ tables[0][tables[k - 1][i] & 0xFF];
    return tables;
  }();
  return computed;
}

}  // namespace detail

/// Takes bytes piece by piece: CRC-32C (Castagnoli, polynomial 0x1EDC6F41; RFC 3720, appendix B.4).
class Crc32c {
 public:
  Crc32c& add(const void* data, std::size_t size) {
    static_assert(std::endian::native == std::endian::little);
    const auto& tables = detail::crc32c_tables();
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (; size >= 8; size -= 8, bytes += 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes, sizeof word);
      word ^= state_;
      state_ = 0;
      for (std::size_t k = 0; k < 8; ++k) state_ ^= tables[7 - k][word >> 8 * k & 0xFF];
    }
    for (; size > 0; --size) state_ = state_ >> 8 ^ tables[0][(state_ ^ *bytes++) & 0xFF];
    return *this;
  }
  Crc32c& add(std::string_view bytes) { return add(bytes.data(), bytes.size()); }
  template <class T>
  Crc32c& add(std::span<T> values) {
    return add(values.data(), values.size_bytes());
  }

  std::uint32_t value() const { return ~state_; }
  /// Eight digits.
  std::string text() const {
    std::string digits(8, '0');
    for (std::size_t i = 0; i < 8; ++i) digits[i] = "0123456789abcdef"[value() >> (28 - 4 * i) & 0xF];
    return digits;
  }

 private:
  std::uint32_t state_ = ~std::uint32_t{0};
};

inline std::uint32_t crc32c(std::string_view bytes) { return Crc32c().add(bytes).value(); }

}  // namespace digitnet
