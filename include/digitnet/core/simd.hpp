// The one place that includes xsimd: vectors of the widest registers that the compiler may use.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes the deliberately undefined operand in its own AVX-512 header for a mistake (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <xsimd/xsimd.hpp>
#pragma GCC diagnostic pop
#else
#include <xsimd/xsimd.hpp>
#endif

#include "digitnet/core/one_lane.hpp"

namespace digitnet {

/// The instruction set that the translation unit is compiled for. Kernels take it as a template parameter, so
/// that translation units with different flags have different functions. Without a vector unit, or with
/// DIGITNET_NO_SIMD defined, vectors have one lane.
#if defined(XSIMD_NO_SUPPORTED_ARCHITECTURE) || defined(DIGITNET_NO_SIMD)
using DefaultArch = simd::NoSimd;
#else
using DefaultArch = xsimd::default_arch;
#endif

}  // namespace digitnet

namespace digitnet::simd {

namespace detail {

template <class T, class Arch>
struct VectorOf {
  using Type = xsimd::batch<T, Arch>;
};
template <class T>
struct VectorOf<T, NoSimd> {
  using Type = OneLane<T>;
};

}  // namespace detail

template <class T, class Arch = DefaultArch>
using Vector = typename detail::VectorOf<T, Arch>::Type;

/// Lanes of a vector.
template <class T, class Arch = DefaultArch>
inline constexpr std::size_t width = Vector<T, Arch>::size;

/// Vector registers that the instruction set names: 32 with AVX-512, else 16.
template <class Arch = DefaultArch>
inline constexpr std::size_t registers = width<float, Arch> >= 16 ? 32 : 16;

namespace detail {

template <class T, class Arch, std::size_t lanes>
struct ArchWith {
  using Type = Arch;
};
#if defined(__AVX512F__) && !defined(DIGITNET_NO_SIMD)
template <class Arch>
requires(width<float, Arch> == 16) struct ArchWith<float, Arch, 4> {
  using Type = xsimd::sse4_2;
};
template <class Arch>
requires(width<float, Arch> == 16) struct ArchWith<float, Arch, 8> {
  using Type = xsimd::fma3<xsimd::avx2>;
};
#endif

}  // namespace detail

/// An instruction set whose vectors have exactly so many lanes and the same results, where it is faster than
/// a part of Arch's vectors: on some processors two short vectors are multiplied in the time of a long one.
template <class T, class Arch, std::size_t lanes>
using ArchOf = typename detail::ArchWith<T, Arch, lanes>::Type;

// Of vectors, beside those of one lane.
using xsimd::abs;
using xsimd::erf;
using xsimd::exp;
using xsimd::expm1;
using xsimd::log1p;
using xsimd::max;
using xsimd::min;
using xsimd::select;
using xsimd::sqrt;
using xsimd::tanh;

/// a * b + c, rounded once where the processor can. xsimd before 10 multiplies and adds for AVX-512, which
/// some compilers, at some levels of optimization, make one instruction, and others do not.
template <class T, class Arch>
[[gnu::always_inline]] inline xsimd::batch<T, Arch> fma(const xsimd::batch<T, Arch>& a,
                                                        const xsimd::batch<T, Arch>& b,
                                                        const xsimd::batch<T, Arch>& c) {
#ifdef __AVX512F__
  if constexpr (sizeof(xsimd::batch<T, Arch>) == 64) {
    if constexpr (sizeof(T) == 4)
      return _mm512_fmadd_ps(a, b, c);
    else
      return _mm512_fmadd_pd(a, b, c);
  } else if constexpr (std::is_same_v<xsimd::batch<T, Arch>, xsimd::batch<float, xsimd::sse4_2>>) {
    // Else it would be rounded twice; see ArchOf.
    return _mm_fmadd_ps(a, b, c);
  } else
#endif
    return xsimd::fma(a, b, c);
}

template <class Arch, class T>
Vector<T, Arch> read(const T* from) {
  return Vector<T, Arch>::load_unaligned(from);
}

template <class Arch, class V>
void write(typename V::value_type* to, const V& vector) {
  vector.store_unaligned(to);
}

namespace detail {

// The processor's own reading and writing of some lanes: no call, before which all vectors would leave their
// registers.
template <class T, class V>
inline constexpr bool has_masks = false;
#if defined(__AVX512F__)
template <class V>
inline constexpr bool has_masks<float, V> = sizeof(V) == 64;
template <class V>
inline constexpr bool has_masks<double, V> = sizeof(V) == 64;
inline __m512 read_masked(const float* from, std::size_t count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
}
inline __m512d read_masked(const double* from, std::size_t count) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), from);
}
inline void write_masked(float* to, __m512 vector, std::size_t count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), vector);
}
inline void write_masked(double* to, __m512d vector, std::size_t count) {
  _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1), vector);
}
#elif defined(__AVX2__)
template <class V>
inline constexpr bool has_masks<float, V> = sizeof(V) == 32;
template <class V>
inline constexpr bool has_masks<double, V> = sizeof(V) == 32;
inline __m256i mask_of_floats(std::size_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline __m256i mask_of_doubles(std::size_t count) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(static_cast<long long>(count)),
                            _mm256_setr_epi64x(0, 1, 2, 3));
}
inline __m256 read_masked(const float* from, std::size_t count) {
  return _mm256_maskload_ps(from, mask_of_floats(count));
}
inline __m256d read_masked(const double* from, std::size_t count) {
  return _mm256_maskload_pd(from, mask_of_doubles(count));
}
inline void write_masked(float* to, __m256 vector, std::size_t count) {
  _mm256_maskstore_ps(to, mask_of_floats(count), vector);
}
inline void write_masked(double* to, __m256d vector, std::size_t count) {
  _mm256_maskstore_pd(to, mask_of_doubles(count), vector);
}
#else
template <class T>
T read_masked(const T*, std::size_t) = delete;
template <class T, class V>
void write_masked(T*, const V&, std::size_t) = delete;
#endif

}  // namespace detail

/// The first `count` lanes from memory, the others zero; `count` is at most the width.
template <class Arch, class T>
Vector<T, Arch> read_part(const T* from, std::size_t count) {
  if (count > width<T, Arch>) __builtin_unreachable();
  if constexpr (detail::has_masks<T, Vector<T, Arch>>) {
    return detail::read_masked(from, count);
  } else {
    alignas(64) T lanes[width<T, Arch>] = {};
    std::memcpy(lanes, from, count * sizeof(T));
    return read<Arch>(lanes);
  }
}

/// Writes the first `count` lanes and nothing beyond them.
template <class Arch, class V>
void write_part(typename V::value_type* to, const V& vector, std::size_t count) {
  using T = typename V::value_type;
  if (count > width<T, Arch>) __builtin_unreachable();
  if constexpr (detail::has_masks<T, V>) {
    detail::write_masked(to, vector, count);
  } else {
    alignas(64) T lanes[width<T, Arch>];
    write<Arch>(lanes, vector);
    std::memcpy(to, lanes, count * sizeof(T));
  }
}

namespace detail {

template <class Element, std::size_t lanes>
struct Plain {
  typedef Element Type __attribute__((vector_size(lanes * sizeof(Element))));
};

}  // namespace detail

/// Writes lanes that hold whole numbers from 0 to 255 as bytes.
template <class Arch, class V>
void write_bytes(std::uint8_t* to, const V& vector) {
  using T = typename V::value_type;
  constexpr std::size_t lanes = width<T, Arch>;
  alignas(64) T numbers[lanes];
  write<Arch>(numbers, vector);
  typename detail::Plain<T, lanes>::Type plain;
  std::memcpy(&plain, numbers, sizeof(plain));
  using Integers =
      typename detail::Plain<std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>, lanes>::Type;
  const auto bytes = __builtin_convertvector(__builtin_convertvector(plain, Integers),
                                             typename detail::Plain<std::uint8_t, lanes>::Type);
  std::memcpy(to, &bytes, sizeof(bytes));
}

/// Bytes as numbers.
template <class Arch, class T>
Vector<T, Arch> read_bytes(const std::uint8_t* from) {
  constexpr std::size_t lanes = width<T, Arch>;
  typename detail::Plain<std::uint8_t, lanes>::Type bytes;
  std::memcpy(&bytes, from, sizeof(bytes));
  using Integers =
      typename detail::Plain<std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>, lanes>::Type;
  const auto plain = __builtin_convertvector(__builtin_convertvector(bytes, Integers),
                                             typename detail::Plain<T, lanes>::Type);
  alignas(64) T numbers[lanes];
  std::memcpy(numbers, &plain, sizeof(plain));
  return read<Arch>(numbers);
}

/// The sum of all lanes, by halves.
template <class Arch, class V>
typename V::value_type add_lanes(const V& vector) {
  using T = typename V::value_type;
  alignas(64) T lanes[width<T, Arch>];
  write<Arch>(lanes, vector);
  for (std::size_t half = width<T, Arch> / 2; half > 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}

/// output[i] = function(inputs[i]...) for i < count, by whole vectors. The last, partial vector goes through
/// the same instructions, so that a value does not depend on where in memory it lies. Output may be one of
/// the inputs.
template <class Arch = DefaultArch, class T, class Function, class... Inputs>
void transform(std::size_t count, T* output, Function function, const Inputs*... inputs) {
  constexpr std::size_t lanes = width<T, Arch>;
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) write<Arch>(output + i, function(read<Arch>(inputs + i)...));
  if (i < count) write_part<Arch>(output + i, function(read_part<Arch>(inputs + i, count - i)...), count - i);
}

/// The sum of function(inputs[i]...) for i < count, always in the same order of additions.
template <class Arch = DefaultArch, class Function, class T, class... Inputs>
T transform_sum(std::size_t count, Function function, const T* first, const Inputs*... inputs) {
  constexpr std::size_t lanes = width<T, Arch>;
  Vector<T, Arch> sum(T{0});
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) sum += function(read<Arch>(first + i), read<Arch>(inputs + i)...);
  if (i < count)
    sum += function(read_part<Arch>(first + i, count - i), read_part<Arch>(inputs + i, count - i)...);
  return add_lanes<Arch>(sum);
}

/// Whether none of the numbers is NaN or infinite.
template <class Arch = DefaultArch, class T>
bool all_finite(std::size_t count, const T* numbers) {
  // 0 times a number is 0 unless the number is not finite. In several sums, none of which waits for another.
  constexpr std::size_t sums = 4, lanes = width<T, Arch>;
  using V = Vector<T, Arch>;
  const std::size_t whole = count / (sums * lanes) * (sums * lanes);
  V sum[sums] = {V(T{0}), V(T{0}), V(T{0}), V(T{0})};
  for (std::size_t i = 0; i < whole; i += sums * lanes)
    for (std::size_t j = 0; j < sums; ++j)
      sum[j] = simd::fma(read<Arch>(numbers + i + j * lanes), V(T{0}), sum[j]);
  const T rest = transform_sum<Arch>(
      count - whole, [](V x) { return x * V(T{0}); }, numbers + whole);
  return add_lanes<Arch>((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest == 0;
}

}  // namespace digitnet::simd
