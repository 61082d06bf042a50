// The small transforms of Winograd's minimal filtering F(m x m, 3x3): patches of (m + 2) x (m + 2), kernels
// and products, each to or from the points at which a convolution is a plain product. Lavin, Gray: Fast
// Algorithms for Convolutional Neural Networks (2015).
#pragma once
#include <cstddef>

#include "digitnet/core/simd.hpp"
#include "digitnet/kernels/gather_gemm.hpp"

namespace digitnet::kernels {

/// The matrices of the paper, one column at a time, for tiles of `Outputs` x `Outputs`: of a tile's patch
/// d, kernel g and products m, the outputs are A^T ((G g G^T) * (B^T d B)) A. `data` applies B^T, `kernel` G,
/// `outputs` A^T; their transposes A and G^T are what gradients need.
template <std::size_t Outputs>
struct WinogradTransform;

template <>
struct WinogradTransform<2> {
  template <class V>
  [[gnu::always_inline]] static void data(const V (&d)[4], V (&points)[4]) {
    points[0] = d[0] - d[2];
    points[1] = d[1] + d[2];
    points[2] = d[2] - d[1];
    points[3] = d[1] - d[3];
  }
  template <class V>
  [[gnu::always_inline]] static void kernel(const V (&g)[3], V (&points)[4]) {
    const V half(static_cast<typename V::value_type>(0.5)), ends = half * (g[0] + g[2]), middle = half * g[1];
    points[0] = g[0];
    points[1] = ends + middle;
    points[2] = ends - middle;
    points[3] = g[2];
  }
  template <class V>
  [[gnu::always_inline]] static void outputs(const V (&points)[4], V (&y)[2]) {
    y[0] = points[0] + points[1] + points[2];
    y[1] = points[1] - points[2] - points[3];
  }
  template <class V>
  [[gnu::always_inline]] static void outputs_gradient(const V (&dy)[2], V (&points)[4]) {
    points[0] = dy[0];
    points[1] = dy[0] + dy[1];
    points[2] = dy[0] - dy[1];
    points[3] = V(typename V::value_type{0}) - dy[1];
  }
  template <class V>
  [[gnu::always_inline]] static void kernel_gradient(const V (&points)[4], V (&dg)[3]) {
    const V half(static_cast<typename V::value_type>(0.5)), sum = half * (points[1] + points[2]);
    dg[0] = points[0] + sum;
    dg[1] = half * (points[1] - points[2]);
    dg[2] = sum + points[3];
  }
};

/// The points are 0, +-a, +-b and infinity with a^2 = 1/2 and b^2 = 2: in float, with 32 channels, the sums'
/// error is half of that with the paper's 1 and 2 (6.2e-7 against 1.3e-6 of the outputs' root mean square).
template <>
struct WinogradTransform<4> {
  static constexpr double a = 0.70710678118654752440, b = 1.41421356237309504880;

  template <class V>
  [[gnu::always_inline]] static void data(const V (&d)[6], V (&points)[6]) {
    const V both(number<V>(-(a * a + b * b)));
    points[0] = simd::fma(both, d[2], d[0] + d[4]);  // a b is 1
    const V even_a = simd::fma(V(number<V>(-b * b)), d[2], d[4]),
            odd_a = V(number<V>(a)) * simd::fma(V(number<V>(-b * b)), d[1], d[3]);
    points[1] = even_a + odd_a;
    points[2] = even_a - odd_a;
    const V even_b = simd::fma(V(number<V>(-a * a)), d[2], d[4]),
            odd_b = V(number<V>(b)) * simd::fma(V(number<V>(-a * a)), d[1], d[3]);
    points[3] = even_b + odd_b;
    points[4] = even_b - odd_b;
    points[5] = simd::fma(both, d[3], d[1] + d[5]);
  }
  template <class V>
  [[gnu::always_inline]] static void kernel(const V (&g)[3], V (&points)[6]) {
    points[0] = g[0];
    const V even_a = V(number<V>(at_a)) * simd::fma(V(number<V>(a * a)), g[2], g[0]),
            odd_a = V(number<V>(at_a * a)) * g[1];
    points[1] = even_a + odd_a;
    points[2] = even_a - odd_a;
    const V even_b = V(number<V>(at_b)) * simd::fma(V(number<V>(b * b)), g[2], g[0]),
            odd_b = V(number<V>(at_b * b)) * g[1];
    points[3] = even_b + odd_b;
    points[4] = even_b - odd_b;
    points[5] = g[2];
  }
  template <class V>
  [[gnu::always_inline]] static void outputs(const V (&points)[6], V (&y)[4]) {
    const V sum_a = points[1] + points[2], sum_b = points[3] + points[4],
            difference_a = points[1] - points[2], difference_b = points[3] - points[4];
    y[0] = points[0] + sum_a + sum_b;
    y[1] = simd::fma(V(number<V>(b)), difference_b, V(number<V>(a)) * difference_a);
    y[2] = simd::fma(V(number<V>(b * b)), sum_b, V(number<V>(a * a)) * sum_a);
    y[3] = simd::fma(V(number<V>(b * b * b)), difference_b,
                     simd::fma(V(number<V>(a * a * a)), difference_a, points[5]));
  }
  template <class V>
  [[gnu::always_inline]] static void outputs_gradient(const V (&dy)[4], V (&points)[6]) {
    points[0] = dy[0];
    const V even_a = simd::fma(V(number<V>(a * a)), dy[2], dy[0]),
            odd_a = V(number<V>(a)) * simd::fma(V(number<V>(a * a)), dy[3], dy[1]);
    points[1] = even_a + odd_a;
    points[2] = even_a - odd_a;
    const V even_b = simd::fma(V(number<V>(b * b)), dy[2], dy[0]),
            odd_b = V(number<V>(b)) * simd::fma(V(number<V>(b * b)), dy[3], dy[1]);
    points[3] = even_b + odd_b;
    points[4] = even_b - odd_b;
    points[5] = dy[3];
  }
  template <class V>
  [[gnu::always_inline]] static void kernel_gradient(const V (&points)[6], V (&dg)[3]) {
    const V sum_a = V(number<V>(at_a)) * (points[1] + points[2]),
            sum_b = V(number<V>(at_b)) * (points[3] + points[4]);
    dg[0] = points[0] + sum_a + sum_b;
    dg[1] = simd::fma(V(number<V>(at_a * a)), points[1] - points[2],
                      V(number<V>(at_b * b)) * (points[3] - points[4]));
    dg[2] = simd::fma(V(number<V>(a * a)), sum_a, simd::fma(V(number<V>(b * b)), sum_b, points[5]));
  }

 private:
  // One over the derivative of x (x^2 - a^2) (x^2 - b^2) at the points.
  static constexpr double at_a = 1 / (2 * a * a * (a * a - b * b)), at_b = 1 / (2 * b * b * (b * b - a * a));
  template <class V>
  static constexpr typename V::value_type number(double value) {
    return static_cast<typename V::value_type>(value);
  }
};

namespace detail {

// transform of the columns and then the rows of a square: read(y, x) gives its elements, write(y, x, value)
// gets the result's.
template <std::size_t From, std::size_t To, class V, class Transform, class Read, class Write>
[[gnu::always_inline]] inline void transform_square(const Transform& transform, const Read& read,
                                                    const Write& write) {
  V columns[To][From];
  DIGITNET_UNROLL
  for (std::size_t x = 0; x < From; ++x) {
    V from[From], to[To];
    DIGITNET_UNROLL
    for (std::size_t y = 0; y < From; ++y) from[y] = read(y, x);
    transform(from, to);
    DIGITNET_UNROLL
    for (std::size_t y = 0; y < To; ++y) columns[y][x] = to[y];
  }
  DIGITNET_UNROLL
  for (std::size_t y = 0; y < To; ++y) {
    V to[To];
    transform(columns[y], to);
    DIGITNET_UNROLL
    for (std::size_t x = 0; x < To; ++x) write(y, x, to[x]);
  }
}

}  // namespace detail

}  // namespace digitnet::kernels
