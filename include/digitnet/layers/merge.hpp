// Merges: how a Parallel makes one result of its branches'. Keras' Add, Multiply and Concatenate.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "digitnet/core/shape.hpp"
#include "digitnet/core/simd.hpp"
#include "digitnet/core/tensor.hpp"
#include "digitnet/kernels/identity.hpp"

/// @page merge_contract What a merge is
///
/// What makes one result of the results of branches. It has `On<Outputs...>`, for branches with results
/// of these shapes, with:
///
/// - `Output`: a Shape.
/// - `traits`: what it promises, a MergeTraits.
/// - `forward(samples, y, results)`: assigns y; y may be one of the first `traits.overwrites` results.
/// - `backward(samples, dy, results, d)`: assigns what d points to, except null and what is dy itself.
namespace digitnet {

/// What a merge promises. The defaults promise nothing.
struct MergeTraits {
  /// How many of the first results may lie where y goes.
  std::size_t overwrites = 0;
  /// dy is the gradient of each result.
  bool passes_gradient = false;
  /// Whether backward reads the results.
  bool reads_results = true;
  /// forward has a first template parameter: an elementwise layer without settings that is applied to y.
  bool takes_activation = false;
};

/// What a merge may leave unsaid.
struct MergeDefaults {
  static constexpr MergeTraits traits{};
};

/// The sum of results of one shape.
struct Add {
  static constexpr std::string_view class_name = "Add";

  template <class First, class... Rest>
  struct On : MergeDefaults {
    using Output = First;
    static constexpr std::size_t count = 1 + sizeof...(Rest);
    // Of more than two, y is overwritten before the third is read.
    static constexpr MergeTraits traits{.overwrites = std::min<std::size_t>(2, count),
                                        .passes_gradient = true,
                                        .reads_results = false,
                                        .takes_activation = true};

    template <class Activation = kernels::Identity, class T>
    static void forward(std::size_t samples, T* y, const std::array<const T*, count>& results) {
      const std::size_t size = samples * Output::size;
      if constexpr (count == 1)
        simd::transform(
            size, y, [](auto a) { return Activation::value(a); }, results[0]);
      else if constexpr (count == 2)
        simd::transform(
            size, y, [](auto a, auto b) { return Activation::value(a + b); }, results[0], results[1]);
      else
        simd::transform(
            size, y, [](auto a, auto b) { return a + b; }, results[0], results[1]);
      for (std::size_t i = 2; i + 1 < count; ++i)
        simd::transform(
            size, y, [](auto a, auto b) { return a + b; }, static_cast<const T*>(y), results[i]);
      if constexpr (count > 2)
        simd::transform(
            size, y, [](auto a, auto b) { return Activation::value(a + b); }, static_cast<const T*>(y),
            results[count - 1]);
    }
    template <class T>
    static void backward(std::size_t samples, const T* dy, const std::array<const T*, count>&,
                         const std::array<T*, count>& d) {
      for (T* const to : d)
        if (to && to != dy) std::copy_n(dy, samples * Output::size, to);
    }

    static_assert((std::is_same_v<First, Rest> && ...),
                  "Add needs branches with results of one shape: change their layers, or use Concatenate");
  };
};

/// The product of two results: of one shape, or the second with one number for each channel of the first,
/// (1, 1, channels).
struct Multiply {
  static constexpr std::string_view class_name = "Multiply";

  template <class... Outputs>
  struct On : MergeDefaults {
    static_assert(sizeof...(Outputs) == 2, "Multiply needs two branches");
    using All = std::tuple<Outputs..., Shape<1>, Shape<1>>;
    using Output = std::tuple_element_t<0, All>;
    using Factor = std::tuple_element_t<1, All>;
    static constexpr bool by_channel = std::is_same_v<Factor, Shape<1, 1, Output::last>>;
    static constexpr bool fits = std::is_same_v<Factor, Output> || by_channel;
    static_assert(fits,
                  "Multiply needs branches with results of one shape, or a second one of (1, 1, channels)");
    static constexpr MergeTraits traits{.takes_activation = true};
    static constexpr std::size_t count = 2;
    static constexpr std::size_t rows = fits ? Output::size / Factor::size : 1, row = Factor::size;

    template <class Activation = kernels::Identity, class T>
    static void forward(std::size_t samples, T* y, const std::array<const T*, 2>& results) {
      for (std::size_t i = 0; i < samples * rows; ++i)
        simd::transform(
            row, y + i * row, [](auto a, auto b) { return Activation::value(a * b); }, results[0] + i * row,
            results[1] + i / rows * row);
    }
    template <class T>
    static void backward(std::size_t samples, const T* dy, const std::array<const T*, 2>& results,
                         const std::array<T*, 2>& d) {
      // dy may be where one of the results' gradients goes, so each element is read before it is written.
      if (d[1]) std::fill_n(d[1], samples * row, T{0});
      for (std::size_t i = 0; i < samples * rows; ++i) {
        const T* const here = dy + i * row;
        if (d[1])
          simd::transform(
              row, d[1] + i / rows * row, [](auto sum, auto gradient, auto a) { return sum + gradient * a; },
              static_cast<const T*>(d[1] + i / rows * row), here, results[0] + i * row);
        if (d[0])
          simd::transform(
              row, d[0] + i * row, [](auto gradient, auto b) { return gradient * b; }, here,
              results[1] + i / rows * row);
      }
    }
  };
};

namespace detail {

// A shape with another extent along its last axis.
template <class Whole, std::size_t Last, class Axes>
struct WithLast;
template <class Whole, std::size_t Last, std::size_t... Axis>
struct WithLast<Whole, Last, std::index_sequence<Axis...>> {
  using Type = Shape<(Axis + 1 == Whole::rank ? Last : Whole::extents[Axis])...>;
};

}  // namespace detail

/// The results side by side along the last axis.
struct Concatenate {
  static constexpr std::string_view class_name = "Concatenate";

  template <class First, class... Rest>
  struct On : MergeDefaults {
    static constexpr std::size_t positions = First::size / First::last;
    static constexpr std::size_t count = 1 + sizeof...(Rest);
    static constexpr std::array<std::size_t, count> sizes{First::last, Rest::last...};
    static constexpr std::size_t last = (First::last + ... + Rest::last);
    using Output = typename detail::WithLast<First, last, std::make_index_sequence<First::rank>>::Type;
    static constexpr MergeTraits traits{.reads_results = false, .takes_activation = true};

    template <class Activation = kernels::Identity, class T>
    static void forward(std::size_t samples, T* y, const std::array<const T*, count>& results) {
      for (std::size_t position = 0; position < samples * positions; ++position)
        for (std::size_t i = 0; i < count; ++i) {
          simd::transform(
              sizes[i], y, [](auto a) { return Activation::value(a); }, results[i] + position * sizes[i]);
          y += sizes[i];
        }
    }
    template <class T>
    static void backward(std::size_t samples, const T* dy, const std::array<const T*, count>&,
                         const std::array<T*, count>& d) {
      for (std::size_t position = 0; position < samples * positions; ++position)
        for (std::size_t i = 0; i < count; ++i) {
          if (d[i]) std::copy_n(dy, sizes[i], d[i] + position * sizes[i]);
          dy += sizes[i];
        }
    }

    static_assert((true && ... && (First::rank == Rest::rank && Rest::size / Rest::last == positions)),
                  "Concatenate needs branches whose results agree in all axes but the last");
  };
};

}  // namespace digitnet
