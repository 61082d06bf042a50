// BatchNormalization as a part of its neighbours: with the activation after it in one pass, and after a
// convolution, into whose kernel and bias it is folded for inference.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <type_traits>

#include "digitnet/graph/fusion/rule.hpp"
#include "digitnet/layers/batch_normalization.hpp"

namespace digitnet {

namespace detail {

/// A normalization and the activation after it, whose derivative is rematerialized from x.
template <class Normalization, class Activation>
struct NormalizationWithActivation {
  static constexpr std::string_view class_name = "NormalizationWithActivation";
  const Normalization* normalization;
  static NormalizationWithActivation from(const void* const* layers) {
    return {static_cast<const Normalization*>(layers[0])};
  }

  template <class In>
  struct On : Normalization::template On<In> {
    using Base = typename Normalization::template On<In>;

    template <std::size_t stage, class Io>
    static void forward_stage(const Io& io) {
      Base::template forward_stage<stage, Activation>(forward_part<typename Io::Real, Normalization, In>(
          io, *io.layer.normalization, io.x.data, io.y.data));
    }
    template <std::size_t stage, class Io>
    static void backward_stage(const Io& io) {
      Base::template backward_stage<stage, Activation>(
          backward_part<typename Io::Real, Normalization, In, Io::wants_dx>(io, *io.layer.normalization,
                                                                            io.x.data, io.dx.data));
    }
  };
};

/// A layer into which a normalization can be folded, which it says by `WithBias`: what it is then. Its
/// output's channels are the last axis of its last kernel.
template <class L>
concept Folds = requires {
  typename L::WithBias;
};

/// A convolution, the normalization after it and an activation. In training the convolution's result is kept,
/// from which theirs is rematerialized; in inference the folded convolution runs alone.
template <class Product, class Normalization, class Activation>
struct NormalizedProduct {
  static constexpr std::string_view class_name = "NormalizedProduct";
  const Normalization* normalization;
  static NormalizedProduct from(const void* const* layers) {
    return {static_cast<const Normalization*>(layers[1])};
  }

  template <class In>
  struct On : LayerDefaults {
    using ProductOn = typename Product::template On<In>;
    using Output = typename ProductOn::Output;
    using NormalizationOn = typename Normalization::template On<Output>;
    struct Parameters {
      static constexpr std::size_t arena_size =
          ProductOn::Parameters::arena_size + NormalizationOn::Parameters::arena_size;
    };
    using Folded = typename Product::WithBias;
    using FoldedOn = typename Folded::template On<In>;
    static constexpr std::size_t normalization_offset = ProductOn::Parameters::arena_size;
    static constexpr std::size_t channels = NormalizationOn::channels;
    static constexpr LayerTraits traits{.backward_reads_x = ProductOn::traits.backward_reads_x,
                                        .backward_reads_y = false,
                                        .keeps_dy = true,
                                        .dx_in_place = true,
                                        .multiply_adds = ProductOn::traits.multiply_adds,
                                        .method = ProductOn::traits.method,
                                        .barriers = NormalizationOn::traits.barriers,
                                        .statistics = NormalizationOn::traits.statistics,
                                        .reads_x_once = true,
                                        .rematerializes_y = true,
                                        .folds = true};

    /// The convolution's result, and its cache.
    struct Cache {
      template <class T>
      using Pointer = std::byte*;
      template <class T>
      static constexpr std::size_t bytes(std::size_t samples) {
        return result_bytes<T>(samples) + ProductOn::Cache::template bytes<T>(samples);
      }
    };
    /// The gradient of the convolution's result, and what the convolution needs.
    template <class T>
    static constexpr std::size_t scratch_bytes(std::size_t samples) {
      return std::max(result_bytes<T>(samples) + ProductOn::template scratch_bytes<T>(samples),
                      FoldedOn::template scratch_bytes<T>(samples));
    }

    /// For inference: whether the convolution is folded, its folded parameters, and what it packs.
    template <class T, Purpose purpose>
    static constexpr std::size_t packed_bytes() {
      if constexpr (purpose == Purpose::inference)
        return alignment_bytes + folded_bytes<T> + FoldedOn::template packed_bytes<T, Purpose::forward>();
      else
        return ProductOn::template packed_bytes<T, purpose>();
    }
    template <class T, Purpose purpose>
    static void pack(const NormalizedProduct& layer, ParameterViews<const T, Parameters> parameters,
                     T* packed) {
      if constexpr (purpose == Purpose::inference) {
        T* const kernel = packed + alignment_bytes / sizeof(T);
        packed[0] = fold<T>(layer, parameters.data, kernel) ? T{1} : T{0};
        if constexpr (FoldedOn::template packed_bytes<T, Purpose::forward>() > 0)
          FoldedOn::template pack<T, Purpose::forward>(folded, {kernel},
                                                       kernel + folded_bytes<T> / sizeof(T));
      } else if constexpr (ProductOn::template packed_bytes<T, purpose>() > 0) {
        ProductOn::template pack<T, purpose>(product, {parameters.data}, packed);
      }
    }

    template <std::size_t stage, class Io>
    static void forward_stage(const Io& io) {
      using T = typename Io::Real;
      if (io.mode == Mode::inference) {
        if constexpr (stage == 1) infer(io);
        return;
      }
      T* const z = reinterpret_cast<T*>(io.cache);
      if constexpr (stage == 0) ProductOn::forward(product_io(io, product, io.parameters.data, io.packed, z));
      NormalizationOn::template forward_stage<stage, Activation>(normalization_io(io, z));
    }
    template <std::size_t stage>
    static void merge_statistics(const MergedStatistics& merge) {
      NormalizationOn::template merge_statistics<stage>(merge);
    }
    template <std::size_t stage, class Io>
    static void backward_stage(const Io& io) {
      using T = typename Io::Real;
      const T* const z = reinterpret_cast<const T*>(io.cache);
      T* const dz = io.scratch;
      auto normalization = backward_part<T, Normalization, Output, true>(io, *io.layer.normalization, z, dz);
      normalization.parameters.data += normalization_offset;
      normalization.gradients.data += normalization_offset;
      NormalizationOn::template backward_stage<stage, Activation>(normalization);
      if constexpr (stage == 1) {
        auto part = backward_part<T, Product, In, Io::wants_dx>(io, product, io.x.data, io.dx.data);
        part.y.data = z;
        part.dy.data = dz;
        part.cache = cache_of<ProductOn, T>(io.cache, io.samples());
        part.scratch = dz + result_bytes<T>(io.samples()) / sizeof(T);
        ProductOn::backward(part);
      }
    }

   private:
    static constexpr Product product{};
    static constexpr Folded folded{};
    template <class T>
    static constexpr std::size_t folded_bytes = round_up(FoldedOn::Parameters::arena_size * sizeof(T),
                                                         alignment_bytes);
    template <class T>
    static constexpr std::size_t result_bytes(std::size_t samples) {
      return round_up(samples * Output::size * sizeof(T), alignment_bytes);
    }
    template <class On, class T>
    static auto cache_of(std::byte* cache, std::size_t samples) {
      return reinterpret_cast<typename On::Cache::template Pointer<T>>(
          cache ? cache + result_bytes<T>(samples) : nullptr);
    }
    template <class Io, class L, class T>
    static auto product_io(const Io& io, const L& layer, const T* parameters, const T* packed, T* to) {
      auto part = forward_part<T, L, In>(io, layer, io.x.data, to);
      part.parameters.data = parameters;
      part.packed = packed;
      part.cache = cache_of<typename L::template On<In>, T>(io.cache, io.samples());
      return part;
    }
    template <class Io, class T>
    static auto normalization_io(const Io& io, T* z) {
      auto part = forward_part<T, Normalization, Output>(io, *io.layer.normalization, z, io.y.data);
      part.parameters.data += normalization_offset;
      return part;
    }

    template <class Io>
    static void infer(const Io& io) {
      using T = typename Io::Real;
      if (io.packed && io.packed[0] != 0) {
        const T* const kernel = io.packed + alignment_bytes / sizeof(T);
        const auto part = product_io(io, folded, kernel, kernel + folded_bytes<T> / sizeof(T), io.y.data);
        FoldedOn::template forward<std::remove_const_t<decltype(part)>, Activation>(part);
        return;
      }
      ProductOn::forward(
          product_io(io, product, io.parameters.data, static_cast<const T*>(nullptr), io.y.data));
      NormalizationOn::template forward_stage<1, Activation>(normalization_io(io, io.y.data));
    }

    // Kernel times factor, and (bias - mean) times factor plus offset, of each output channel. Where a mean
    // is so far from zero that the sum of these would lose what the normalization shows, they are not used.
    template <class T>
    static bool fold(const NormalizedProduct& layer, const T* parameters, T* to) {
      constexpr double farthest = 1000;  // in deviations
      constexpr std::size_t bias_at = FoldedOn::Parameters::count - 1, block = 64;
      std::fill_n(to, FoldedOn::Parameters::arena_size, T{0});
      const ParameterViews<const T, typename NormalizationOn::Parameters> of_normalization{
          parameters + normalization_offset};
      const Normalization& normalization = *layer.normalization;
      bool near = true;
      for (std::size_t first = 0; first < channels; first += block) {
        const std::size_t count = std::min(block, channels - first);
        std::array<T, block> factors;
        T* const bias = to + FoldedOn::Parameters::offset(bias_at) + first;
        for (std::size_t c = 0; c < count; ++c) {
          const auto map =
              NormalizationOn::template inference_map<T>(normalization, of_normalization, first + c);
          factors[c] = map.factor;
          double shift = -double{map.mean};
          if constexpr (ProductOn::Parameters::count > bias_at)
            shift += parameters[ProductOn::Parameters::offset(bias_at) + first + c];
          bias[c] = static_cast<T>(map.factor * shift + map.offset);
          near = near && std::abs(shift) <= farthest * NormalizationOn::template deviation<T>(
                                                           normalization, of_normalization, first + c);
        }
        std::size_t index = 0;
        ProductOn::Parameters::for_each([&]<class P>(std::size_t offset) {
          if (index++ + 1 == bias_at)
            for (std::size_t at = first; at < P::Shape::size; at += channels)
              for (std::size_t c = 0; c < count; ++c)
                to[offset + at + c] = factors[c] * parameters[offset + at + c];
        });
      }
      std::size_t index = 0;
      ProductOn::Parameters::for_each([&]<class P>(std::size_t offset) {
        if (index++ + 1 < bias_at) std::copy_n(parameters + offset, P::Shape::size, to + offset);
      });
      return near;
    }
  };
};

/// Whether a normalization's kernel takes this activation.
template <class Node>
concept FollowsNormalization = Elementwise<Node> && WithoutSettings<typename Node::Layer>;
template <class L>
inline constexpr bool is_normalization = false;
template <bool Center, bool Scale>
inline constexpr bool is_normalization<BasicBatchNormalization<Center, Scale>> = true;

}  // namespace detail

/// Product, normalization, activation.
struct FuseProductNormalizationActivation {
  static constexpr std::size_t length = 3;
  template <class First, class Second, class Third>
  static constexpr bool applies = detail::Folds<typename First::Layer>&&
      detail::is_normalization<typename Second::Layer>&& detail::FollowsNormalization<Third>;
  template <class First, class Second, class Third>
  struct Fused {
    using Type = detail::LayerNode<
        detail::NormalizedProduct<typename First::Layer, typename Second::Layer, typename Third::Layer>,
        typename First::Input>;
  };
};
/// Product, normalization.
struct FuseProductNormalization {
  static constexpr std::size_t length = 2;
  template <class First, class Second>
  static constexpr bool applies =
      detail::Folds<typename First::Layer>&& detail::is_normalization<typename Second::Layer>;
  template <class First, class Second>
  struct Fused {
    using Type = detail::LayerNode<
        detail::NormalizedProduct<typename First::Layer, typename Second::Layer, kernels::Identity>,
        typename First::Input>;
  };
};
/// Normalization, activation.
struct FuseNormalizationActivation {
  static constexpr std::size_t length = 2;
  template <class First, class Second>
  static constexpr bool applies =
      detail::is_normalization<typename First::Layer>&& detail::FollowsNormalization<Second>;
  template <class First, class Second>
  struct Fused {
    using Type =
        detail::LayerNode<detail::NormalizationWithActivation<typename First::Layer, typename Second::Layer>,
                          typename First::Input>;
  };
};

}  // namespace digitnet
