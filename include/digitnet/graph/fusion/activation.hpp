// A layer of products, or a merge, and the elementwise layer after it: one pass over the result less.
#pragma once
#include <array>
#include <cstddef>
#include <string_view>

#include "digitnet/graph/fusion/rule.hpp"

namespace digitnet {

namespace detail {

/// A layer and the elementwise one after it. Where the latter has no settings, the former's kernel applies it
/// to each number before it stores it. Where its slope is a function of its argument, training keeps that in
/// the cache.
template <class Product, class Activation>
struct WithActivation {
  static constexpr std::string_view class_name = "WithActivation";
  const Product* product;
  const Activation* activation;
  static WithActivation from(const void* const* layers) {
    return {static_cast<const Product*>(layers[0]), static_cast<const Activation*>(layers[1])};
  }

  template <class In>
  struct On : Product::template On<In> {
    using Base = typename Product::template On<In>;
    static constexpr bool keeps_argument = slope_of_argument<Activation>,
                          in_kernel = WithoutSettings<Activation>;
    static constexpr LayerTraits traits = [] {
      LayerTraits result = Base::traits;
      result.takes_activation = result.keeps_dy = false;
      result.backward_reads_y = !keeps_argument;
      return result;
    }();

    /// The argument of the activation, if it is kept, and the product's own.
    struct Cache {
      template <class T>
      using Pointer = std::byte*;
      template <class T>
      static constexpr std::size_t bytes(std::size_t samples) {
        return argument_bytes<T>(samples) + Base::Cache::template bytes<T>(samples);
      }
    };

    template <class T, Purpose purpose>
    static void pack(const WithActivation& layer,
                     ParameterViews<const T, typename Base::Parameters> parameters, T* packed) {
      Base::template pack<T, purpose>(*layer.product, parameters, packed);
    }
    template <class Io>
    static void forward(const Io& io) {
      using T = typename Io::Real;
      const bool keeps = keeps_argument && io.mode == Mode::training;
      T* const z = keeps ? reinterpret_cast<T*>(io.cache) : io.y.data;
      auto part = forward_part<T, Product, In>(io, *io.layer.product, io.x.data, z);
      part.cache = cache_of<T>(io.cache, io.samples());
      if constexpr (in_kernel)
        if (!keeps) return Base::template forward<decltype(part), Activation>(part);
      Base::forward(part);
      simd::transform(
          io.y.size(), io.y.data, [&](auto x) { return io.layer.activation->value(x); },
          static_cast<const T*>(z));
    }
    template <class Io>
    static void backward(const Io& io) {
      using T = typename Io::Real;
      const T* const at = keeps_argument ? reinterpret_cast<const T*>(io.cache) : io.y.data;
      simd::transform(
          io.dy.size(), io.dy.data, [&](auto a, auto dy) { return io.layer.activation->slope(a) * dy; }, at,
          static_cast<const T*>(io.dy.data));
      auto part = backward_part<T, Product, In, Io::wants_dx>(io, *io.layer.product, io.x.data, io.dx.data);
      part.cache = cache_of<T>(io.cache, io.samples());
      Base::backward(part);
    }

   private:
    template <class T>
    static constexpr std::size_t argument_bytes(std::size_t samples) {
      return keeps_argument ? round_up(samples * Base::Output::size * sizeof(T), alignment_bytes) : 0;
    }
    template <class T>
    static auto cache_of(std::byte* cache, std::size_t samples) {
      return reinterpret_cast<typename Base::Cache::template Pointer<T>>(
          cache ? cache + argument_bytes<T>(samples) : nullptr);
    }
  };
};

/// A merge and an elementwise layer without settings, whose slope follows from its result.
template <class Merge, class Activation>
struct MergeWithActivation {
  static constexpr std::string_view class_name = "MergeWithActivation";

  template <class... Inputs>
  struct On : Merge::template On<Inputs...> {
    using Base = typename Merge::template On<Inputs...>;
    using ActivationType = Activation;

    template <class T, std::size_t count>
    static void forward(std::size_t samples, T* y, const std::array<const T*, count>& results) {
      Base::template forward<Activation>(samples, y, results);
    }
  };
};

}  // namespace detail

struct FuseActivation {
  static constexpr std::size_t length = 2;
  template <class First, class Second>
  static constexpr bool applies = [] {
    if constexpr (!detail::Elementwise<Second>)
      return false;
    else if constexpr (First::is_merge)
      return First::On::traits.takes_activation && detail::WithoutSettings<typename Second::Layer> &&
             !Second::traits.backward_reads_x;
    else
      return First::traits.takes_activation;
  }();
  template <class First, class Second>
  struct Fused {
    using Type = detail::LayerNode<detail::WithActivation<typename First::Layer, typename Second::Layer>,
                                   typename First::Input>;
  };
  template <class Merge, class... Inputs, class Second>
  struct Fused<detail::MergeNode<Merge, Inputs...>, Second> {
    using Type = detail::MergeNode<detail::MergeWithActivation<Merge, typename Second::Layer>, Inputs...>;
  };
};

}  // namespace digitnet
