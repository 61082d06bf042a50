// Fusion by type: which neighbouring layers of a chain run as one operation.
#pragma once
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "digitnet/kernels/conv2d_relu_maxpool.hpp"
#include "digitnet/layers/activations.hpp"
#include "digitnet/layers/conv2d.hpp"
#include "digitnet/layers/layer.hpp"
#include "digitnet/layers/pooling.hpp"

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

    template <class T>
    static constexpr std::size_t scratch_bytes(std::size_t) {
      return kernels::conv_pool_scratch<extents>() * sizeof(T);
    }
    template <class T, bool WantsDx>
    static constexpr std::size_t prepared_bytes() {
      return WantsDx ? extents.conv.kernel_rows() * extents.conv.filters * sizeof(T) : 0;
    }
    template <class T, bool WantsDx>
    static void prepare(ParameterViews<const T, Parameters> parameters, T* prepared) {
      if constexpr (WantsDx) kernels::conv_pool_prepare<extents>(get<"kernel">(parameters).data, prepared);
    }

    template <class Io>
    static void forward(const Io& io) {
      const typename Io::Real* bias = nullptr;
      if constexpr (has_bias) bias = get<"bias">(io.parameters).data;
      kernels::conv_pool_forward<extents>(io.samples(), io.x.data, get<"kernel">(io.parameters).data, bias,
                                          io.y.data, io.cache, io.scratch);
    }
    template <class Io>
    static void backward(const Io& io) {
      typename Io::Real* d_bias = nullptr;
      if constexpr (has_bias) d_bias = get<"bias">(io.gradients).data;
      kernels::conv_pool_backward<extents>(
          io.samples(), io.x.data, static_cast<const typename Io::Real*>(io.dy.data), io.cache, io.prepared,
          get<"kernel">(io.gradients).data, d_bias, Io::wants_dx ? io.dx.data : nullptr, io.scratch);
    }
  };
};

/// Three layers that can run together, or not.
template <class First, class Second, class Third>
struct Together {
  static constexpr bool value = false;
};
template <std::size_t Filters, Extent Kernel, Extent Strides, Padding Border, bool UseBias, Extent Window>
struct Together<Conv2D<Filters, Kernel, Strides, Border, UseBias>, ReLU,
                MaxPooling2D<Window, Window, valid>> {
  static constexpr bool value = Window.height * Window.width <= 9;
  using Layer = Conv2DReluMaxPooling<Conv2D<Filters, Kernel, Strides, Border, UseBias>,
                                     MaxPooling2D<Window, Window, valid>, Window>;
};

/// `Length` layers from `First` on, run as one.
template <std::size_t First, std::size_t Length, class... Steps>
struct OperationOf {
  static constexpr std::size_t first = First;
  template <std::size_t I>
  using Step = std::tuple_element_t<First + I, std::tuple<Steps...>>;
  using Layer =
      typename Together<typename Step<0>::Layer, typename Step<1>::Layer, typename Step<2>::Layer>::Layer;
  using Input = typename Step<0>::Input;
  using On = typename Layer::template On<Input>;

  template <class Layers>
  static constexpr const Layer& layer(const Layers&) {
    return instance;
  }

 private:
  static constexpr Layer instance{};
};
template <std::size_t First, class... Steps>
struct OperationOf<First, 1, Steps...> {
  static constexpr std::size_t first = First;
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
    if constexpr (I + 2 < layers) {
      using All = std::tuple<Steps...>;
      using Three = detail::Together<typename std::tuple_element_t<I, All>::Layer,
                                     typename std::tuple_element_t<I + 1, All>::Layer,
                                     typename std::tuple_element_t<I + 2, All>::Layer>;
      if (Three::value) return 3;
    }
    return 1;
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
