// Winograd's minimal filtering: tiles of 2x2 or 4x4 outputs of a 3x3 convolution with 16 or 36
// multiplications instead of 36 or 144. Patches and the kernel are transformed, multiplied point by point (a
// matrix product over the channels at each point), and transformed back. Lavin, Gray: Fast Algorithms for
// Convolutional Neural Networks (2015).
#pragma once
#include <algorithm>
#include <cstddef>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/processor.hpp"
#include "digitnet/core/shape.hpp"
#include "digitnet/kernels/line_gemm.hpp"
#include "digitnet/kernels/winograd_transform.hpp"

namespace digitnet::kernels {

inline namespace DIGITNET_PROCESSOR {

/// 3x3 convolutions with stride 1 of several images, cut into tiles of outputs. What a tile's patch has
/// outside of its image is zero.
struct WinogradExtents {
  /// Outputs of a tile along each axis: 2 or 4
  std::size_t outputs;
  std::size_t tile_rows, tile_columns, channels, filters;
  Extent image;
  /// Rows of the first patch above the image and columns left of it: at most 2
  Extent before{0};

  constexpr std::size_t side() const { return outputs + 2; }
  constexpr std::size_t points() const { return side() * side(); }
  constexpr std::size_t tiles() const { return tile_rows * tile_columns; }
  constexpr std::size_t channel_stride() const { return round_up(channels, alignment_elements); }
  constexpr std::size_t filter_stride() const { return round_up(filters, alignment_elements); }
  /// Elements of the transformed kernel.
  constexpr std::size_t weights() const { return points() * channels * filters; }
};

}  // namespace DIGITNET_PROCESSOR

namespace detail {

// Tiles in a line of the products: no more than a register tile has rows, with enough sums to hide the
// multiplications' latency, and as many as make a tile cost least. For an image of few tiles they may cost a
// little more, so that its last line is not left half empty.
template <class Arch>
constexpr std::size_t winograd_product_rows(std::size_t tiles, std::size_t filters) {
  constexpr std::size_t fewest = 4, sums = 16, few_tiles = 32;
  const std::size_t widest = line_tile<Arch, float>(fewest, filters).vectors;
  std::size_t best = fewest, best_cost = 0, fitting = 0, least_time = 0;
  for (const bool of_an_image : {false, true})
    for (std::size_t rows = fewest; rows <= std::max(sums / widest, std::size_t{9}); ++rows) {
      const TileShape shape = line_tile<Arch, float>(rows, filters);
      if (shape.rows < rows) continue;
      const std::size_t cost = line_cost<Arch, float>(shape, rows, filters);
      if (!of_an_image) {
        if (shape.vectors < widest || (best_cost > 0 && cost * best >= best_cost * rows)) continue;
        best = rows;
        best_cost = cost;
        continue;
      }
      const std::size_t time = (tiles + rows - 1) / rows * cost;
      if (50 * cost * best > 51 * best_cost * rows || (fitting > 0 && time >= least_time)) continue;
      fitting = rows;
      least_time = time;
    }
  return tiles < few_tiles ? fitting : best;
}

// Computed once: where a search stands in a function, some compilers do it again each time the kernel runs.
template <std::size_t tiles, std::size_t filters, class Arch = DefaultArch>
inline constexpr std::size_t product_rows_of = winograd_product_rows<Arch>(tiles, filters);

}  // namespace detail

/// How tiles are taken together, and where their transforms lie in scratch.
template <WinogradExtents E>
struct WinogradLayout {
  /// Tiles in a line of the products.
  static constexpr std::size_t rows = detail::product_rows_of<E.tiles(), E.filters>;
  /// Tiles, of one image or several, that are transformed and multiplied together: what stays in the
  /// second-level cache, and enough for each load of the kernel.
  static constexpr std::size_t block = [] {
    constexpr std::size_t room = (E.outputs == 2 ? 48 : 64) * 1024, fewest = 24;  // elements; tiles
    constexpr std::size_t fit = room / (E.points() * (E.channel_stride() + E.filter_stride()));
    return std::max(fit, fewest) / rows * rows;
  }();

 private:
  static constexpr std::size_t apart(std::size_t elements) {
    return elements / alignment_elements % 2 == 0 ? elements + alignment_elements : elements;
  }

 public:
  /// Elements between the points of patches and of products: not a power of two, for then all points of a
  /// tile would fall into the same lines of the first-level cache.
  static constexpr std::size_t patch_points = apart(block * E.channel_stride());
  static constexpr std::size_t product_points = apart(block * E.filter_stride());
  static constexpr std::size_t scratch = E.points() * (patch_points + product_points);
};

namespace detail {

// Calls transform(i, whole) for every vector of `size` elements from i on; the last may not be whole.
template <class Arch, class T, class Transform>
[[gnu::always_inline]] inline void for_each_vector(std::size_t size, const Transform& transform) {
  constexpr std::size_t width = simd::width<T, Arch>;
  const auto read = [](const T* from) __attribute__((always_inline)) { return simd::read<Arch>(from); };
  const auto write = [](T * to, const auto& v) __attribute__((always_inline)) { simd::write<Arch>(to, v); };
  std::size_t i = 0;
  for (; i + width <= size; i += width) transform(i, read, write);
  if (i < size)
    transform(
        i, [&](const T* from) { return simd::read_part<Arch>(from, size - i); },
        [&](T* to, const auto& v) { simd::write_part<Arch>(to, v, size - i); });
}

}  // namespace detail

/// transformed = G g G^T of each channel and filter of a kernel (3, 3, channels, filters), as (points,
/// channels, filters).
template <std::size_t Outputs, class Arch = DefaultArch, class T>
void winograd_weights(std::size_t channels, std::size_t filters, const T* kernel, T* transformed) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t side = Outputs + 2;
  const std::size_t size = channels * filters;
  detail::for_each_vector<Arch, T>(size, [&](std::size_t i, const auto& read, const auto& write) {
    detail::transform_square<3, side, Vector>(
        [](const auto& from, auto& to) { WinogradTransform<Outputs>::kernel(from, to); },
        [&](std::size_t y, std::size_t x) { return read(kernel + (y * 3 + x) * size + i); },
        [&](std::size_t y, std::size_t x, const Vector& v) {
          write(transformed + (y * side + x) * size + i, v);
        });
  });
}

namespace detail {

template <std::size_t size, class T>
alignas(64) inline constexpr T zeros[size]{};

// Squares of side x side positions, `step` apart, over an image; the first begins `before` it. What lies
// outside of the image is zero: rows are read from zeros, columns not at all.
struct Squares {
  std::size_t side, step, rows, columns;
  Extent image, before;
  std::size_t channels;

  // Columns of the squares in a column of them that lie right of the image.
  constexpr std::size_t right(std::size_t column) const {
    const std::size_t end = column * step + side, width = image.width + before.width;
    return end > width ? end - width : 0;
  }
  // Whether all squares lie inside of the image.
  constexpr bool are_inside() const {
    return before == Extent{0} && right(columns - 1) == 0 && (rows - 1) * step + side <= image.height;
  }
};

// Calls use(read) for square `index`, where read(y, x, channel) gives a vector of its numbers.
template <Squares S, class Arch, class T, class Use>
[[gnu::always_inline]] inline void read_square(const T* image, std::size_t index, const Use& use) {
  const std::size_t square_row = index / S.columns, column = index % S.columns;
  if constexpr (S.are_inside()) {
    const T* const square = image + (square_row * S.image.width + column) * S.step * S.channels;
    use([&](std::size_t y, std::size_t x, std::size_t channel) __attribute__((always_inline)) {
      return simd::read<Arch>(square + (y * S.image.width + x) * S.channels + channel);
    });
    return;
  }
  // What use reads begins at the first column inside of the image.
  const std::size_t first_column = column == 0 ? 0 : column * S.step - S.before.width;
  const T* rows[S.side];
  DIGITNET_UNROLL
  for (std::size_t y = 0; y < S.side; ++y) {
    const std::size_t row = square_row * S.step + y;
    rows[y] = row >= S.before.height && row < S.image.height + S.before.height
                  ? image + ((row - S.before.height) * S.image.width + first_column) * S.channels
                  : zeros<S.side * S.channels, T>;
  }
  const auto with = [&]<std::size_t left, std::size_t right>() __attribute__((always_inline)) {
    use([&](std::size_t y, std::size_t x, std::size_t channel) __attribute__((always_inline)) {
      return x < left || x + right >= S.side ? simd::Vector<T, Arch>(T{0})
                                             : simd::read<Arch>(rows[y] + (x - left) * S.channels + channel);
    });
  };
  constexpr std::size_t last = S.right(S.columns - 1);
  if constexpr (S.columns == 1) {
    with.template operator()<S.before.width, last>();
  } else {
    // Only the last two can reach beyond the image, and where there are no more, the first is one of them.
    constexpr std::size_t next_to_last = S.right(S.columns - 2);
    if (S.before.width > 0 && column == 0)
      with.template operator()<S.before.width, S.right(0)>();
    else if (last > 0 && column + 1 == S.columns)
      with.template operator()<0, last>();
    else if (next_to_last > 0 && column + 2 == S.columns)
      with.template operator()<0, next_to_last>();
    else
      with.template operator()<0, 0>();
  }
}

// The patches of `count` tiles from tile `first` of all images on. image_of(sample) is called when a sample's
// first tile comes, and gives its image, which stays in `image` until the next one's.
template <WinogradExtents E, class Arch, class T, class ImageOf>
[[gnu::noinline]] void winograd_patches(std::size_t first, std::size_t count, const ImageOf& image_of,
                                        const T*& image, T* patches) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t tile = (first + i) % E.tiles();
    if (tile == 0) image = image_of((first + i) / E.tiles());
    T* const to = patches + i * E.channel_stride();
    constexpr Squares squares{E.side(), E.outputs, E.tile_rows, E.tile_columns,
                              E.image,  E.before,  E.channels};
    read_square<squares, Arch>(
        image, tile, [&](const auto& read) __attribute__((always_inline)) {
          for (std::size_t channel = 0; channel < E.channels; channel += simd::width<T, Arch>)
            transform_square<E.side(), E.side(), simd::Vector<T, Arch>>(
                [](const auto& from, auto& points)
                    __attribute__((always_inline)) { WinogradTransform<E.outputs>::data(from, points); },
                [&](std::size_t y, std::size_t x)
                    __attribute__((always_inline)) { return read(y, x, channel); },
                [&](std::size_t y, std::size_t x, const auto& v) __attribute__((always_inline)) {
                  simd::write<Arch>(to + (y * E.side() + x) * WinogradLayout<E>::patch_points + channel, v);
                });
        });
  }
}

}  // namespace detail

/// Calls store(sample, tile, filter, outputs) for every tile of every sample and every vector of filters from
/// `filter` on (lanes beyond the last filter hold anything), with the sums, without bias, of the tile's
/// outputs, row by row. image_of(sample) gives an image, which must last until the next one is asked for;
/// `weights` are transformed.
template <WinogradExtents E, class Arch = DefaultArch, class T, class ImageOf, class Store>
void winograd(std::size_t samples, const ImageOf& image_of, const T* weights, T* scratch,
              const Store& store) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t block = WinogradLayout<E>::block, rows = WinogradLayout<E>::rows;
  constexpr auto walk = walk_of<Walk{.length = E.channels}>();
  T* const patches = scratch;
  T* const products = scratch + E.points() * WinogradLayout<E>::patch_points;
  const std::size_t tiles = samples * E.tiles();
  const T* image = nullptr;
  for (std::size_t first = 0; first < tiles; first += block) {
    const std::size_t count = std::min(block, tiles - first);
    detail::winograd_patches<E, Arch>(first, count, image_of, image, patches);
    for (std::size_t point = 0; point < E.points(); ++point) {
      const T* const a = patches + point * WinogradLayout<E>::patch_points;
      T* const c = products + point * WinogradLayout<E>::product_points;
      // Rows beyond `count`, up to the end of a register tile, are computed in vain.
      line_gemm<Lines{rows, E.channel_stride(), E.filter_stride()}, E.filters, Arch>(
          (count + rows - 1) / rows, walk, Rows<const T>{a, rows * E.channel_stride()},
          weights + point * E.channels * E.filters, static_cast<const T*>(nullptr),
          Rows<T>{c, rows * E.filter_stride()});
    }
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t filter = 0; filter < E.filters; filter += simd::width<T, Arch>) {
        const T* const from = products + i * E.filter_stride() + filter;
        Vector outputs[E.outputs * E.outputs];
        detail::transform_square<E.side(), E.outputs, Vector>(
            [](const auto& points, auto& y)
                __attribute__((always_inline)) { WinogradTransform<E.outputs>::outputs(points, y); },
            [&](std::size_t y, std::size_t x) __attribute__((always_inline)) {
              return simd::read<Arch>(from + (y * E.side() + x) * WinogradLayout<E>::product_points);
            },
            [&](std::size_t y, std::size_t x, const Vector& v)
                __attribute__((always_inline)) { outputs[y * E.outputs + x] = v; });
        store((first + i) / E.tiles(), (first + i) % E.tiles(), filter, outputs);
      }
  }
}

/// Elements of scratch that winograd_weight_gradients needs.
template <WinogradExtents E>
constexpr std::size_t winograd_gradients_scratch() {
  return WinogradLayout<E>::scratch + round_up(E.weights(), alignment_elements);
}

/// d_kernel += the gradient of a kernel (3, 3, channels, filters), of all samples: G^T of the sums over all
/// tiles of (A dy A^T) * (B^T d B). image_of(sample) gives an image and gradient_of(sample) its output's
/// gradient (out.height, out.width, filters), zero beyond; both must last until the next ones are asked for.
template <WinogradExtents E, Extent out, class Arch = DefaultArch, class T, class ImageOf, class GradientOf>
void winograd_weight_gradients(std::size_t samples, const ImageOf& image_of, const GradientOf& gradient_of,
                               T* d_kernel, T* scratch) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t block = WinogradLayout<E>::block, width = simd::width<T, Arch>,
                        size = E.channels * E.filters;
  T* const patches = scratch;
  T* const gradients = patches + E.points() * WinogradLayout<E>::patch_points;
  T* const sums = gradients + E.points() * WinogradLayout<E>::product_points;
  std::fill_n(sums, E.weights(), T{0});
  const std::size_t tiles = samples * E.tiles();
  const T *image = nullptr, *gradient = nullptr;
  for (std::size_t first = 0; first < tiles; first += block) {
    const std::size_t count = std::min(block, tiles - first);
    detail::winograd_patches<E, Arch>(first, count, image_of, image, patches);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t tile = (first + i) % E.tiles();
      if (tile == 0) gradient = gradient_of((first + i) / E.tiles());
      T* const to = gradients + i * E.filters;
      constexpr detail::Squares squares{E.outputs, E.outputs, E.tile_rows, E.tile_columns,
                                        out,       Extent{0}, E.filters};
      detail::read_square<squares, Arch>(
          gradient, tile, [&](const auto& read) __attribute__((always_inline)) {
            // Lanes beyond the last filter spill into the next tile's place, which is written after.
            for (std::size_t filter = 0; filter < E.filters; filter += width)
              detail::transform_square<E.outputs, E.side(), Vector>(
                  [](const auto& dy, auto& points) __attribute__((always_inline)) {
                    WinogradTransform<E.outputs>::outputs_gradient(dy, points);
                  },
                  [&](std::size_t y, std::size_t x)
                      __attribute__((always_inline)) { return read(y, x, filter); },
                  [&](std::size_t y, std::size_t x, const Vector& v) __attribute__((always_inline)) {
                    simd::write<Arch>(to + (y * E.side() + x) * WinogradLayout<E>::product_points + filter,
                                      v);
                  });
          });
    }
    const Walk walk{.length = count, .step = E.channel_stride()};
    for (std::size_t point = 0; point < E.points(); ++point) {
      const T* const a = patches + point * WinogradLayout<E>::patch_points;
      T* const c = sums + point * size;
      line_gemm<Lines{E.channels, 1, E.filters}, E.filters, Arch, Result::add>(
          1, walk, Rows<const T>{a, 0}, gradients + point * WinogradLayout<E>::product_points,
          static_cast<const T*>(nullptr), Rows<T>{c, 0});
    }
  }
  detail::for_each_vector<Arch, T>(size, [&](std::size_t i, const auto& read, const auto& write) {
    detail::transform_square<E.side(), 3, Vector>(
        [](const auto& points, auto& dg) { WinogradTransform<E.outputs>::kernel_gradient(points, dg); },
        [&](std::size_t y, std::size_t x) { return read(sums + (y * E.side() + x) * size + i); },
        [&](std::size_t y, std::size_t x, const Vector& v) {
          T* const to = d_kernel + (y * 3 + x) * size + i;
          write(to, read(to) + v);
        });
  });
}

}  // namespace digitnet::kernels
