// Convolution, ReLU and max-pooling in one pass, backward. Of each window only the argmax has a gradient, and
// only where ReLU let it through. So each filter makes a short list of (place, gradient), and goes over that
// with its kernel in registers.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "digitnet/kernels/conv2d_relu_maxpool.hpp"

namespace digitnet::kernels {

namespace detail {

// Runs over a list of (patch, gradient) with up to `room` vectors of one filter's kernel in registers at a
// time. Block(t) is called with the numbers of the vectors; vector t of a kernel is part t % per_line of line
// t / per_line.
template <ConvPoolExtents E, class T, class Arch>
struct KernelVectors {
  static constexpr std::size_t width = simd::width<T, Arch>;
  static constexpr std::size_t line =
      E.conv.kernel.width * E.conv.channels;  // contiguous in image and kernel
  static constexpr std::size_t per_line = (line + width - 1) / width;
  static constexpr std::size_t count = E.conv.kernel.height * per_line;
  static constexpr std::size_t room = simd::registers<Arch> >= 32 ? 24 : 12;
  static constexpr std::size_t blocks = (count + room - 1) / room;
  static constexpr std::size_t per_block = (count + blocks - 1) / blocks;

  static constexpr std::size_t lanes(std::size_t t) { return std::min(width, line - t % per_line * width); }
  static constexpr std::size_t in_kernel(std::size_t t) { return t / per_line * line + t % per_line * width; }
  static constexpr std::size_t in_image(std::size_t t) {
    return t / per_line * E.conv.padded.width * E.conv.channels + t % per_line * width;
  }
  template <std::size_t t>
  static simd::Vector<T, Arch> read(const T* from) {
    if constexpr (lanes(t) == width)
      return simd::read<Arch>(from);
    else
      return simd::read_part<Arch>(from, lanes(t));
  }
  template <std::size_t t>
  static void write(T* to, const simd::Vector<T, Arch>& vector) {
    if constexpr (lanes(t) == width)
      simd::write<Arch>(to, vector);
    else
      simd::write_part<Arch>(to, vector, lanes(t));
  }
};

// kernel_gradient += sum of gradient * patch over the list, for one filter.
template <ConvPoolExtents E, class Arch, std::size_t First, class T, std::size_t... I>
[[gnu::always_inline]] inline void add_patches(std::index_sequence<I...>, std::size_t count,
                                               const std::uint32_t* patches, const T* gradients,
                                               const T* image, T* kernel_gradient) {
  using K = KernelVectors<E, T, Arch>;
  using Vector = simd::Vector<T, Arch>;
  std::array<Vector, sizeof...(I)> sums{
      K::template read<First + I>(kernel_gradient + K::in_kernel(First + I))...};
  for (std::size_t entry = 0; entry < count; ++entry) {
    const T* const patch = image + patches[entry];
    const Vector gradient(gradients[entry]);
    ((sums[I] = simd::fma(gradient, K::template read<First + I>(patch + K::in_image(First + I)), sums[I])),
     ...);
  }
  (K::template write<First + I>(kernel_gradient + K::in_kernel(First + I), sums[I]), ...);
}

// Each patch of image_gradient in the list += gradient * kernel, for one filter.
template <ConvPoolExtents E, class Arch, std::size_t First, class T, std::size_t... I>
[[gnu::always_inline]] inline void scatter_kernel(std::index_sequence<I...>, std::size_t count,
                                                  const std::uint32_t* patches, const T* gradients,
                                                  const T* kernel, T* image_gradient) {
  using K = KernelVectors<E, T, Arch>;
  using Vector = simd::Vector<T, Arch>;
  const std::array<Vector, sizeof...(I)> weights{
      K::template read<First + I>(kernel + K::in_kernel(First + I))...};
  for (std::size_t entry = 0; entry < count; ++entry) {
    T* const patch = image_gradient + patches[entry];
    const Vector gradient(gradients[entry]);
    (K::template write<First + I>(
         patch + K::in_image(First + I),
         simd::fma(gradient, weights[I], K::template read<First + I>(patch + K::in_image(First + I)))),
     ...);
  }
}

template <ConvPoolExtents E, class T, class Arch, class Visit>
[[gnu::always_inline]] inline void for_each_block(Visit visit) {
  using K = KernelVectors<E, T, Arch>;
  [&]<std::size_t... B>(std::index_sequence<B...>) {
    (visit.template operator()<B * K::per_block, std::min(K::per_block, K::count - B * K::per_block)>(), ...);
  }
  (std::make_index_sequence<K::blocks>{});
}

// With few inputs, the filters are the vectors: for each place of each window, the gradients that belong
// there times the patch's numbers one by one, all of d_kernel in registers.
template <ConvPoolExtents E, class Arch, std::size_t Vectors, class T>
[[gnu::noinline]] void shallow_weights(const T* image, const T* dy, const std::uint8_t* argmax, T* d_kernel,
                                       T* d_bias, std::size_t valid_columns) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t width = simd::width<T, Arch>;
  constexpr std::size_t taps = E.conv.kernel_rows();
  constexpr std::size_t line = E.conv.kernel.width * E.conv.channels;
  constexpr std::size_t places = E.window_size();
  Vector sums[taps][Vectors], bias_sums[Vectors];
  DIGITNET_UNROLL
  for (std::size_t tap = 0; tap < taps; ++tap) {
    DIGITNET_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) sums[tap][v] = Vector(T{0});
  }
  DIGITNET_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) bias_sums[v] = Vector(T{0});
  for (std::size_t pooled = 0; pooled < E.windows(); ++pooled) {
    Vector gradient[Vectors], place_of[Vectors];
    DIGITNET_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) {
      const std::size_t at = pooled * E.conv.filters + v * width;
      const std::size_t lanes = std::min(width, valid_columns - v * width);
      if (lanes == width) {
        place_of[v] = simd::read_bytes<Arch, T>(argmax + at);
      } else {
        std::array<std::uint8_t, width> bytes;
        bytes.fill(static_cast<std::uint8_t>(places));
        std::copy_n(argmax + at, lanes, bytes.data());
        place_of[v] = simd::read_bytes<Arch, T>(bytes.data());
      }
      gradient[v] = lanes == width ? simd::read<Arch>(dy + at) : simd::read_part<Arch>(dy + at, lanes);
      gradient[v] = simd::select(place_of[v] < Vector(static_cast<T>(places)), gradient[v], Vector(T{0}));
      bias_sums[v] += gradient[v];
    }
    DIGITNET_UNROLL
    for (std::size_t place = 0; place < places; ++place) {
      const T* const patch = image + E.patch(pooled, place);
      Vector here[Vectors];
      DIGITNET_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v)
        here[v] = simd::select(place_of[v] == Vector(static_cast<T>(place)), gradient[v], Vector(T{0}));
      DIGITNET_UNROLL
      for (std::size_t tap = 0; tap < taps; ++tap) {
        const Vector x(patch[tap / line * E.conv.padded.width * E.conv.channels + tap % line]);
        DIGITNET_UNROLL
        for (std::size_t v = 0; v < Vectors; ++v) sums[tap][v] = simd::fma(x, here[v], sums[tap][v]);
      }
    }
  }
  for (std::size_t v = 0; v < Vectors; ++v) {
    const std::size_t lanes = std::min(width, valid_columns - v * width);
    const auto add = [&](T* to, const Vector& sum) {
      if (lanes == width)
        simd::write<Arch>(to, simd::read<Arch>(to) + sum);
      else
        simd::write_part<Arch>(to, simd::read_part<Arch>(to, lanes) + sum, lanes);
    };
    for (std::size_t tap = 0; tap < taps; ++tap)
      add(d_kernel + tap * E.conv.filters + v * width, sums[tap][v]);
    if (d_bias) add(d_bias + v * width, bias_sums[v]);
  }
}

}  // namespace detail

/// Filters first: what conv_pool_backward wants of the kernel to compute dx.
template <ConvPoolExtents E>
constexpr std::size_t conv_pool_packed_backward() {
  return E.conv.kernel_rows() * E.conv.filters;
}
template <ConvPoolExtents E, class T>
void conv_pool_pack_backward(const T* kernel, T* filters_first) {
  transpose(E.conv.kernel_rows(), E.conv.filters, kernel, filters_first);
}

/// d_kernel and d_bias (unless null) += the gradients of n samples; assigns dx unless it is null.
template <ConvPoolExtents E, class Arch = DefaultArch, class T>
void conv_pool_backward(std::size_t samples, const T* x, const T* dy, const std::uint8_t* argmax,
                        const T* filters_first, T* d_kernel, T* d_bias, T* dx, T* scratch) {
  constexpr std::size_t filters = E.conv.filters;
  constexpr std::size_t kernel_size = E.conv.kernel_rows();
  constexpr Border border = E.conv.border();
  constexpr std::size_t border_size = detail::conv_pool_border<E>();
  T* const padded_dx = scratch + border_size;
  T* const kernel_gradients = scratch + 2 * border_size;  // filters first
  if constexpr (!E.is_shallow()) std::fill_n(kernel_gradients, kernel_size * filters, T{0});
  T* const gradients = kernel_gradients + detail::conv_pool_kernel_gradients<E>();
  auto* const patches = reinterpret_cast<std::uint32_t*>(gradients + detail::conv_pool_list<E>());
  const PaddedImages<border, T> images(x, scratch);
  for (std::size_t i = 0; i < samples; ++i) {
    const T* const image = images(i);
    const T* const gradient = dy + i * E.output_size();
    const std::uint8_t* const places = argmax + i * E.output_size();
    T* const dx_here = border.is_empty() ? dx + (dx ? i * E.conv.input_size() : 0) : padded_dx;
    if (dx) std::fill_n(dx_here, border.is_empty() ? E.conv.input_size() : border.size(), T{0});
    if constexpr (E.is_shallow()) {
      constexpr std::size_t width = simd::width<T, Arch>;
      constexpr std::size_t room = simd::registers<Arch> >= 32 ? 24 : 12;
      constexpr std::size_t most = std::clamp<std::size_t>(room / kernel_size, 1, 4);
      const auto columns = [&]<std::size_t Vectors>(std::size_t column) {
        detail::shallow_weights<E, Arch, Vectors>(image, gradient + column, places + column,
                                                  d_kernel + column, d_bias ? d_bias + column : nullptr,
                                                  std::min(Vectors * width, filters - column));
      };
      constexpr std::size_t whole = filters / (most * width) * most * width;
      for (std::size_t column = 0; column < whole; column += most * width)
        columns.template operator()<most>(column);
      if constexpr (whole < filters)
        columns.template operator()<(filters - whole + width - 1) / width>(whole);
      if (!dx) continue;
    }
    for (std::size_t filter = 0; filter < filters; ++filter) {
      std::size_t count = 0;
      T sum{0};
      for (std::size_t pooled = 0; pooled < E.windows(); ++pooled) {
        const std::size_t place = places[pooled * filters + filter];
        const bool live = place < E.window_size();
        // Written always and kept if live: a branch here would be taken at random.
        patches[count] = static_cast<std::uint32_t>(E.patch(pooled, live ? place : 0));
        const T value = gradient[pooled * filters + filter];
        gradients[count] = value;
        sum += live ? value : T{0};
        count += live;
      }
      if constexpr (!E.is_shallow()) {
        if (d_bias) d_bias[filter] += sum;
        detail::for_each_block<E, T, Arch>([&]<std::size_t First, std::size_t Count>() {
          detail::add_patches<E, Arch, First>(std::make_index_sequence<Count>{}, count, patches, gradients,
                                              image, kernel_gradients + filter * kernel_size);
        });
      }
      if (dx)
        detail::for_each_block<E, T, Arch>([&]<std::size_t First, std::size_t Count>() {
          detail::scatter_kernel<E, Arch, First>(std::make_index_sequence<Count>{}, count, patches, gradients,
                                                 filters_first + filter * kernel_size, dx_here);
        });
    }
    if constexpr (!border.is_empty())
      if (dx) remove_padding<border>(static_cast<const T*>(padded_dx), dx + i * E.conv.input_size());
  }
  if constexpr (!E.is_shallow()) {
    // Back to Keras' order, a block at a time so that both sides stay in the first-level cache.
    constexpr std::size_t block = 16;
    for (std::size_t row = 0; row < kernel_size; row += block)
      for (std::size_t filter = 0; filter < filters; ++filter)
        for (std::size_t k = row; k < std::min(kernel_size, row + block); ++k)
          d_kernel[k * filters + filter] += kernel_gradients[filter * kernel_size + k];
  }
}

}  // namespace digitnet::kernels
