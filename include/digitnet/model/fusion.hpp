// Fusion by type: which neighbouring layers of a chain run as one operation.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "digitnet/kernels/conv2d_relu_maxpool_backward.hpp"
#include "digitnet/layers/activations.hpp"
#include "digitnet/layers/conv2d.hpp"
#include "digitnet/layers/dense.hpp"
#include "digitnet/layers/layer.hpp"
#include "digitnet/layers/pooling.hpp"
#include "digitnet/model/fused_normalization.hpp"

namespace digitnet {

namespace detail {

/// Conv2D, ReLU and MaxPooling2D as one layer, with the convolution's parameters.
template <class Convolution, class Pooling, Extent Window>
struct Conv2DReluMaxPooling {
  static constexpr std::string_view class_name = "Conv2DReluMaxPooling";

  template <class In>
  struct On : LayerDefaults {
    using ConvolutionOn = typename Convolution::template On<In>;
    using Output = typename Pooling::template On<typename ConvolutionOn::Output>::Output;
    using Parameters = typename ConvolutionOn::Parameters;
    using Cache = Buffer<std::uint8_t, Output::size>;
    static constexpr bool backward_reads_y = false;
    static constexpr kernels::ConvPoolExtents extents{ConvolutionOn::extents, Window};
    static constexpr bool has_bias = Parameters::count == 2;
    static constexpr std::size_t multiply_adds = extents.conv.multiply_adds();
    static constexpr std::string_view method =
        extents.uses_winograd() ? "Winograd F(2x2, 3x3)" : "register tiles";

    template <class T>
    static constexpr std::size_t scratch_bytes(std::size_t) {
      return kernels::conv_pool_scratch<extents>() * sizeof(T);
    }
    template <class T, Purpose purpose>
    static constexpr std::size_t packed_bytes() {
      if (purpose == Purpose::forward) return kernels::conv_pool_packed_forward<extents>() * sizeof(T);
      return purpose == Purpose::all_gradients ? kernels::conv_pool_packed_backward<extents>() * sizeof(T)
                                               : 0;
    }
    template <class T, Purpose purpose>
    static void pack(const Conv2DReluMaxPooling&, ParameterViews<const T, Parameters> parameters, T* packed) {
      const T* const kernel = get<"kernel">(parameters).data;
      if constexpr (purpose == Purpose::forward) kernels::conv_pool_pack_forward<extents>(kernel, packed);
      if constexpr (purpose == Purpose::all_gradients)
        kernels::conv_pool_pack_backward<extents>(kernel, packed);
    }

    template <class Io>
    static void forward(const Io& io) {
      const typename Io::Real* bias = nullptr;
      if constexpr (has_bias) bias = get<"bias">(io.parameters).data;
      kernels::conv_pool_forward<extents>(io.samples(), io.x.data, get<"kernel">(io.parameters).data, bias,
                                          io.packed, io.y.data,
                                          io.mode == Mode::training ? io.cache : nullptr, io.scratch);
    }
    template <class Io>
    static void backward(const Io& io) {
      typename Io::Real* d_bias = nullptr;
      if constexpr (has_bias) d_bias = get<"bias">(io.gradients).data;
      kernels::conv_pool_backward<extents>(
          io.samples(), io.x.data, static_cast<const typename Io::Real*>(io.dy.data), io.cache, io.packed,
          get<"kernel">(io.gradients).data, d_bias, Io::wants_dx ? io.dx.data : nullptr, io.scratch);
    }
  };
};

/// A layer of products and the ReLU after it as one layer, with the first one's parameters.
template <class Product>
struct WithReLU {
  static constexpr std::string_view class_name = "WithReLU";

  template <class In>
  struct On : Product::template On<In> {
    using Base = typename Product::template On<In>;
    static constexpr bool backward_reads_y = true;

    template <class Io>
    static void forward(const Io& io) {
      Base::template forward<Io, ReLU>(io);
    }
    template <class Io>
    static void backward(const Io& io) {
      using T = typename Io::Real;
      simd::transform(
          io.dy.size(), io.dy.data, [](auto y, auto dy) { return ReLU::slope(y) * dy; }, io.y.data,
          static_cast<const T*>(io.dy.data));
      Base::backward(io);
    }
  };
};

/// Whether the first layers of a list run as one, how many, and as what.
template <class... Layers>
struct Together {
  static constexpr std::size_t length = 1;
};
template <std::size_t Filters, Extent Kernel, Extent Strides, Padding Border, bool UseBias, Extent Window,
          class... Rest>
requires(Window.height* Window.width <=
         9) struct Together<Conv2D<Filters, Kernel, Strides, Border, UseBias>, ReLU,
                            MaxPooling2D<Window, Window, valid>, Rest...> {
  static constexpr std::size_t length = 3;
  using Layer = Conv2DReluMaxPooling<Conv2D<Filters, Kernel, Strides, Border, UseBias>,
                                     MaxPooling2D<Window, Window, valid>, Window>;
};
template <std::size_t Filters, Extent Kernel, Extent Strides, Padding Border, bool UseBias, class... Rest>
struct Together<Conv2D<Filters, Kernel, Strides, Border, UseBias>, ReLU, Rest...> {
  static constexpr std::size_t length = 2;
  using Layer = WithReLU<Conv2D<Filters, Kernel, Strides, Border, UseBias>>;
};
template <std::size_t Units, bool UseBias, class... Rest>
struct Together<Dense<Units, UseBias>, ReLU, Rest...> {
  static constexpr std::size_t length = 2;
  using Layer = WithReLU<Dense<Units, UseBias>>;
};

template <class Product, bool Center, bool Scale, class... Rest>
requires(FoldedProduct<Product>::exists) struct Together<Product, BasicBatchNormalization<Center, Scale>,
                                                         ReLU, Rest...> {
  static constexpr std::size_t length = 3;
  using Layer = NormalizedProduct<Product, BasicBatchNormalization<Center, Scale>, ReLU>;
};
template <class Product, bool Center, bool Scale, class... Rest>
requires(FoldedProduct<Product>::exists) struct Together<Product, BasicBatchNormalization<Center, Scale>,
                                                         Rest...> {
  static constexpr std::size_t length = 2;
  using Layer = NormalizedProduct<Product, BasicBatchNormalization<Center, Scale>, kernels::Identity>;
};
template <bool Center, bool Scale, class... Rest>
struct Together<BasicBatchNormalization<Center, Scale>, ReLU, Rest...> {
  static constexpr std::size_t length = 2;
  using Layer = NormalizationWithActivation<BasicBatchNormalization<Center, Scale>, ReLU>;
};

/// `Length` layers from `First` on, run as one.
template <std::size_t First, std::size_t Length, class... Steps>
struct OperationOf {
  static constexpr std::size_t first = First, length = Length;
  template <std::size_t I>
  using Step = std::tuple_element_t<First + I, std::tuple<Steps...>>;
  using Layer = typename decltype([]<std::size_t... I>(std::index_sequence<I...>) {
    return std::type_identity<Together<typename Step<I>::Layer...>>{};
  }(std::make_index_sequence<Length>{}))::type::Layer;
  using Input = typename Step<0>::Input;
  using On = typename Layer::template On<Input>;

  template <class Layers>
  static constexpr Layer layer(const Layers& layers) {
    if constexpr (requires { Layer::normalization_at; })
      return {&std::get<First + Layer::normalization_at>(layers)};
    else
      return {};
  }
};
template <std::size_t First, class... Steps>
struct OperationOf<First, 1, Steps...> {
  static constexpr std::size_t first = First, length = 1;
  using Step = std::tuple_element_t<First, std::tuple<Steps...>>;
  using Layer = typename Step::Layer;
  using Input = typename Step::Input;
  using On = typename Step::On;

  template <class Layers>
  static constexpr const Layer& layer(const Layers& layers) {
    return std::get<First>(layers);
  }
};

}  // namespace detail

/// The operations of a chain of steps (a std::tuple of them), in order.
template <class StepTuple>
struct Fusion;
template <class... Steps>
struct Fusion<std::tuple<Steps...>> {
  static constexpr std::size_t layers = sizeof...(Steps);

  /// How many layers run together from layer I on.
  template <std::size_t I>
  static constexpr std::size_t length() {
    return []<std::size_t... J>(std::index_sequence<J...>) {
      using All = std::tuple<Steps...>;
      return detail::Together<typename std::tuple_element_t<I + J, All>::Layer...>::length;
    }
    (std::make_index_sequence<std::min<std::size_t>(3, layers - I)>{});
  }
  static constexpr std::array<std::size_t, layers> lengths = [] {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<std::size_t, layers>{length<I>()...};
    }
    (std::make_index_sequence<layers>{});
  }();
  static constexpr std::size_t count = [] {
    std::size_t operations = 0;
    for (std::size_t i = 0; i < layers; i += lengths[i]) ++operations;
    return operations;
  }();
  /// The first layer of each operation.
  static constexpr std::array<std::size_t, count> first = [] {
    std::array<std::size_t, count> result{};
    for (std::size_t operation = 0, i = 0; operation < count; i += lengths[i]) result[operation++] = i;
    return result;
  }();
  template <std::size_t I>
  using Operation = detail::OperationOf<first[I], lengths[first[I]], Steps...>;
};

}  // namespace digitnet
