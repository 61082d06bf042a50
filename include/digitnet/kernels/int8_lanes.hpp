// Vectors for products of bytes: unsigned ones times signed ones, added up in int32. One struct for each
// instruction set; all give the same numbers.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "digitnet/core/processor.hpp"
#include "digitnet/core/simd.hpp"
#if defined(__AVX2__) && !defined(DIGITNET_NO_SIMD)
#define DIGITNET_INT8_VECTORS
#endif

namespace digitnet::kernels {

inline namespace DIGITNET_PROCESSOR {

/// How a sum becomes a byte: times a factor of its output channel, limited, rounded to the nearest (of two,
/// to the even one), plus `zero`. Each of these steps is exact or rounds once, so that it is the same on
/// every processor.
struct ByteRange {
  /// Before `zero` is added: from 0 to 255, or higher from below where a ReLU cuts off.
  float low = 0, high = 255;
  std::int32_t zero = 0;
};

/// Plain C++. What the others do alike:
///
/// - `dot`: sums[i] += x[0] w[i][0] + ... + x[3] w[i][3], for 4 bytes x and 4 bytes of each output w[i].
/// - `dot_channels`: sums[i] += a[i] w[i][0] + b[i] w[i][1], for a byte each of two places of an image.
/// - `to_bytes`, `to_floats`: the first `count` sums, at most all, as bytes, or times their factors.
/// - `quantize`: `lanes` floats divided by a scale as bytes.
///
/// A product tile is `positions` by `columns` vectors of sums.
struct Int8Plain {
  static constexpr std::size_t lanes = 16, positions = 4, columns = 1;
  using Sums = std::array<std::int32_t, lanes>;
  using Bytes = std::array<std::int32_t, 4>;
  using Weights = const std::int8_t*;

  static Sums load(const std::int32_t* from) {
    Sums result;
    std::copy_n(from, lanes, result.begin());
    return result;
  }
  static Weights weights(const std::int8_t* from) { return from; }
  static Bytes bytes(const std::uint8_t* from) { return {from[0], from[1], from[2], from[3]}; }
  static Sums dot(Sums sums, const Bytes& x, Weights w) {
    for (std::size_t i = 0; i < lanes; ++i)
      sums[i] =
          wrapped(sums[i], x[0] * w[4 * i] + x[1] * w[4 * i + 1] + x[2] * w[4 * i + 2] + x[3] * w[4 * i + 3]);
    return sums;
  }
  static Sums dot_channels(Sums sums, const std::uint8_t* a, const std::uint8_t* b, const std::int16_t* w) {
    for (std::size_t i = 0; i < lanes; ++i) sums[i] = wrapped(sums[i], a[i] * w[2 * i] + b[i] * w[2 * i + 1]);
    return sums;
  }
  static Sums max(Sums a, const Sums& b) {
    for (std::size_t i = 0; i < lanes; ++i) a[i] = std::max(a[i], b[i]);
    return a;
  }
  static std::uint8_t byte_of(float value, const ByteRange& range) {
    const float limited = std::min(std::max(value, range.low), range.high);
    return static_cast<std::uint8_t>(static_cast<std::int32_t>(std::lrint(limited)) + range.zero);
  }
  static void to_bytes(const Sums& sums, const float* factors, const ByteRange& range, std::size_t count,
                       std::uint8_t* to) {
    for (std::size_t i = 0; i < std::min(count, lanes); ++i)
      to[i] = byte_of(static_cast<float>(sums[i]) * factors[i], range);
  }
  static void to_floats(const Sums& sums, const float* factors, std::size_t count, float* to) {
    for (std::size_t i = 0; i < std::min(count, lanes); ++i) to[i] = static_cast<float>(sums[i]) * factors[i];
  }
  static void quantize(const float* from, float scale, const ByteRange& range, std::uint8_t* to) {
    for (std::size_t i = 0; i < lanes; ++i) to[i] = byte_of(from[i] / scale, range);
  }

 private:
  // Sums on the way may pass the end of int32 and come back, as the instructions' do.
  static std::int32_t wrapped(std::int32_t a, std::int32_t b) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
  }
};

#ifdef DIGITNET_INT8_VECTORS
/// What all vectors of 8 share.
struct Int8Vectors256 {
  static constexpr std::size_t lanes = 8, positions = 4, columns = 2;
  // As what the instructions have them: with __m256i, g++ moves them to other registers and back each time.
  using Sums [[gnu::vector_size(32)]] = int;

  static Sums load(const std::int32_t* from) {
    return Sums(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
  }
  static std::int32_t four(const std::uint8_t* from) {
    std::int32_t result;
    std::memcpy(&result, from, sizeof result);
    return result;
  }
  static Sums dot_channels(Sums sums, const std::uint8_t* a, const std::uint8_t* b, const std::int16_t* w) {
    const __m128i both = _mm_unpacklo_epi8(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(a)),
                                           _mm_loadl_epi64(reinterpret_cast<const __m128i*>(b)));
    const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
    return sums + Sums(_mm256_madd_epi16(_mm256_cvtepu8_epi16(both), weights));
  }
  static Sums max(Sums a, Sums b) { return Sums(_mm256_max_epi32(__m256i(a), __m256i(b))); }
  static void to_bytes(Sums sums, const float* factors, const ByteRange& range, std::size_t count,
                       std::uint8_t* to) {
    store_bytes(_mm256_mul_ps(_mm256_cvtepi32_ps(__m256i(sums)), _mm256_loadu_ps(factors)), range, count, to);
  }
  static void to_floats(Sums sums, const float* factors, std::size_t count, float* to) {
    const __m256 result = _mm256_mul_ps(_mm256_cvtepi32_ps(__m256i(sums)), _mm256_loadu_ps(factors));
    if (count >= lanes) return _mm256_storeu_ps(to, result);
    alignas(32) float all[lanes];
    _mm256_store_ps(all, result);
    std::copy_n(all, count, to);
  }
  static void quantize(const float* from, float scale, const ByteRange& range, std::uint8_t* to) {
    store_bytes(_mm256_div_ps(_mm256_loadu_ps(from), _mm256_set1_ps(scale)), range, lanes, to);
  }

 private:
  static void store_bytes(__m256 values, const ByteRange& range, std::size_t count, std::uint8_t* to) {
    const __m256 limited =
        _mm256_min_ps(_mm256_max_ps(values, _mm256_set1_ps(range.low)), _mm256_set1_ps(range.high));
    const __m256i whole = _mm256_add_epi32(_mm256_cvtps_epi32(limited), _mm256_set1_epi32(range.zero));
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    const __m128i packed = _mm_packus_epi16(words, words);
    if (count >= lanes) return _mm_storel_epi64(reinterpret_cast<__m128i*>(to), packed);
    alignas(16) std::uint8_t all[16];
    _mm_store_si128(reinterpret_cast<__m128i*>(all), packed);
    std::copy_n(all, count, to);
  }
};

/// AVX2: products of int16, in which nothing is cut off, as vpmaddubsw would.
struct Int8Avx2 : Int8Vectors256 {
  // Places 0 and 2, and 1 and 3, of the four, as int16.
  struct Pairs {
    __m256i even, odd;
  };
  using Bytes = Pairs;
  using Weights = Pairs;

  static Weights weights(const std::int8_t* from) {
    const __m256i all = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return {_mm256_srai_epi16(_mm256_slli_epi16(all, 8), 8), _mm256_srai_epi16(all, 8)};
  }
  static Bytes bytes(const std::uint8_t* from) {
    const __m256i all = _mm256_set1_epi32(four(from));
    return {_mm256_and_si256(all, _mm256_set1_epi16(0xff)), _mm256_srli_epi16(all, 8)};
  }
  static Sums dot(Sums sums, const Bytes& x, const Weights& w) {
    return sums + Sums(_mm256_madd_epi16(x.even, w.even)) + Sums(_mm256_madd_epi16(x.odd, w.odd));
  }
};
#endif

#if defined(DIGITNET_INT8_VECTORS) && \
    (defined(__AVXVNNI__) || (defined(__AVX512VNNI__) && defined(__AVX512VL__)))
#define DIGITNET_INT8_VNNI
/// AVX-VNNI: vpdpbusd on 8 lanes. AVX-512 VNNI has it under another encoding.
struct Int8AvxVnni : Int8Vectors256 {
  using Bytes = __m256i;
  using Weights = __m256i;

  static Weights weights(const std::int8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static Bytes bytes(const std::uint8_t* from) { return _mm256_set1_epi32(four(from)); }
  static Sums dot(Sums sums, Bytes x, Weights w) {
#if defined(__AVXVNNI__)
    return Sums(_mm256_dpbusd_avx_epi32(__m256i(sums), x, w));
#else
    return Sums(_mm256_dpbusd_epi32(__m256i(sums), x, w));
#endif
  }
};
#endif

#if defined(DIGITNET_INT8_VNNI) && defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define DIGITNET_INT8_AVX512_VNNI
/// AVX-512 VNNI: vpdpbusd on 16 lanes.
struct Int8Avx512Vnni {
  static constexpr std::size_t lanes = 16, positions = 12, columns = 2;
  // See Int8Vectors256.
  using Sums [[gnu::vector_size(64)]] = int;
  using Bytes = __m512i;
  using Weights = __m512i;

  static Sums load(const std::int32_t* from) { return Sums(_mm512_loadu_si512(from)); }
  static Weights weights(const std::int8_t* from) { return _mm512_loadu_si512(from); }
  static Bytes bytes(const std::uint8_t* from) {
    std::int32_t four;
    std::memcpy(&four, from, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static Sums dot(Sums sums, Bytes x, Weights w) { return Sums(_mm512_dpbusd_epi32(__m512i(sums), x, w)); }
  static Sums dot_channels(Sums sums, const std::uint8_t* a, const std::uint8_t* b, const std::int16_t* w) {
    const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(a)),
                  second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(b));
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi8(first, second)),
                                                 _mm_unpackhi_epi8(first, second), 1);
    return sums + Sums(_mm512_madd_epi16(_mm512_cvtepu8_epi16(both), _mm512_loadu_si512(w)));
  }
  static Sums max(Sums a, Sums b) { return Sums(_mm512_max_epi32(__m512i(a), __m512i(b))); }
  static void to_bytes(Sums sums, const float* factors, const ByteRange& range, std::size_t count,
                       std::uint8_t* to) {
    store_bytes(_mm512_mul_ps(_mm512_cvtepi32_ps(__m512i(sums)), _mm512_loadu_ps(factors)), range,
                first(count), to);
  }
  static void to_floats(Sums sums, const float* factors, std::size_t count, float* to) {
    _mm512_mask_storeu_ps(to, first(count),
                          _mm512_mul_ps(_mm512_cvtepi32_ps(__m512i(sums)), _mm512_loadu_ps(factors)));
  }
  static void quantize(const float* from, float scale, const ByteRange& range, std::uint8_t* to) {
    store_bytes(_mm512_div_ps(_mm512_loadu_ps(from), _mm512_set1_ps(scale)), range, first(lanes), to);
  }

 private:
  static __mmask16 first(std::size_t count) {
    return static_cast<__mmask16>(count >= lanes ? 0xffff : (1u << count) - 1);
  }
  static void store_bytes(__m512 values, const ByteRange& range, __mmask16 mask, std::uint8_t* to) {
    const __m512 limited =
        _mm512_min_ps(_mm512_max_ps(values, _mm512_set1_ps(range.low)), _mm512_set1_ps(range.high));
    const __m512i whole = _mm512_add_epi32(_mm512_cvtps_epi32(limited), _mm512_set1_epi32(range.zero));
    _mm_mask_storeu_epi8(to, mask, _mm512_cvtepi32_epi8(whole));
  }
};
#endif

/// The fastest that this translation unit is compiled for.
#if defined(DIGITNET_INT8_AVX512_VNNI)
using Int8Lanes = Int8Avx512Vnni;
#elif defined(DIGITNET_INT8_VNNI)
using Int8Lanes = Int8AvxVnni;
#elif defined(DIGITNET_INT8_VECTORS)
using Int8Lanes = Int8Avx2;
#else
using Int8Lanes = Int8Plain;
#endif

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::kernels
