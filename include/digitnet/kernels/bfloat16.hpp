// bfloat16: a float without its last 16 bits, 8 bits of precision and float's range. Numbers come in pairs,
// as the processor's products of pairs take them (AVX-512 BF16: VDPBF16PS); elsewhere a pair is two floats
// again.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/processor.hpp"
#include "digitnet/core/simd.hpp"

namespace digitnet::kernels {

/// Two bfloat16, the first in the lower half.
struct BfloatPair {
  std::uint32_t bits;
};

/// The nearest bfloat16 of a number as the upper half of 32 bits, ties to even; NaN stays NaN.
constexpr std::uint32_t bfloat16_bits(float number) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (bits | 0x400000u) & 0xffff0000u;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u;
}
/// A number as bfloat16 holds it.
constexpr float rounded_to_bfloat16(float number) { return std::bit_cast<float>(bfloat16_bits(number)); }

inline namespace DIGITNET_PROCESSOR {

/// Whether the processor multiplies pairs.
#ifdef __AVX512BF16__
template <class Arch>
inline constexpr bool has_pair_products = simd::width<float, Arch> == 16;
#else
template <class Arch>
inline constexpr bool has_pair_products = false;
#endif

/// A vector of pairs, one in the place of each lane.
template <class Arch>
struct PairVector {
  static constexpr std::size_t lanes = simd::width<float, Arch>;
  using Bits = typename simd::detail::Plain<std::uint32_t, lanes>::Type;
  using Floats = simd::Vector<float, Arch>;
  Bits bits;

  static PairVector read(const BfloatPair* from) {
    PairVector result;
    std::memcpy(&result.bits, from, sizeof(Bits));
    return result;
  }
  void write(BfloatPair* to) const { std::memcpy(to, &bits, sizeof(Bits)); }

  /// Pairs of two rows' numbers.
  static PairVector of(const Floats& first, const Floats& second) {
    return {round(first) >> 16 | (round(second) & 0xffff0000u)};
  }

  /// sums + the products of the firsts + those of the seconds with the pair `factors`.
  [[gnu::always_inline]] Floats multiply_add(BfloatPair factors, const Floats& sums) const {
#ifdef __AVX512BF16__
    if constexpr (has_pair_products<Arch>)
      return _mm512_dpbf16_ps(sums, (__m512bh)_mm512_set1_epi32(static_cast<int>(factors.bits)),
                              (__m512bh)bits);
#endif
    // The order of the instruction, so that sums are its own.
    const Floats first(std::bit_cast<float>(factors.bits << 16)),
        second(std::bit_cast<float>(factors.bits & 0xffff0000u));
    return simd::fma(first, firsts(), simd::fma(second, seconds(), sums));
  }

  /// The first, and the second, number of each pair.
  Floats firsts() const { return floats(bits << 16); }
  Floats seconds() const { return floats(bits & 0xffff0000u); }

 private:
  static Bits round(const Floats& numbers) {
    alignas(64) float lanes_of[lanes];
    simd::write<Arch>(lanes_of, numbers);
    Bits bits;
    std::memcpy(&bits, lanes_of, sizeof(Bits));
    const Bits is_nan = (Bits)((bits & 0x7fffffffu) > 0x7f800000u);
    return (is_nan & (bits | 0x400000u)) | (~is_nan & (bits + 0x7fffu + (bits >> 16 & 1u)));
  }
  static Floats floats(Bits numbers) {
    alignas(64) float lanes_of[lanes];
    std::memcpy(lanes_of, &numbers, sizeof(Bits));
    return simd::read<Arch>(lanes_of);
  }
};

/// A row of `count` numbers as pairs of neighbours; the last one's second is zero if count is odd. `to` has
/// room for (count + 1) / 2 pairs.
template <class Arch = DefaultArch>
void pair_neighbours(std::size_t count, const float* from, BfloatPair* to) {
  std::size_t i = 0;
#ifdef __AVX512BF16__
  if constexpr (has_pair_products<Arch>)
    for (; i + 32 <= count; i += 32) {
      const __m512bh pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + i + 16), _mm512_loadu_ps(from + i));
      std::memcpy(to + i / 2, &pairs, sizeof(pairs));
    }
#endif
  for (; i + 2 <= count; i += 2) to[i / 2].bits = bfloat16_bits(from[i]) >> 16 | bfloat16_bits(from[i + 1]);
  if (i < count) to[i / 2].bits = bfloat16_bits(from[i]) >> 16;
}

/// Pairs of the numbers of two rows of `count`; the seconds are zero where the second row is null. What is
/// read beyond a row's end is not written.
template <class Arch = DefaultArch>
void pair_rows(std::size_t count, const float* first, const float* second, BfloatPair* to) {
  using Pairs = PairVector<Arch>;
  using Floats = typename Pairs::Floats;
  constexpr std::size_t width = Pairs::lanes;
  std::size_t i = 0;
  for (; i + width <= count; i += width)
    Pairs::of(simd::read<Arch>(first + i), second ? simd::read<Arch>(second + i) : Floats(0.0f))
        .write(to + i);
  for (; i < count; ++i)
    to[i].bits = bfloat16_bits(first[i]) >> 16 | (second ? bfloat16_bits(second[i]) : 0u);
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::kernels
