// A convolution, an elementwise layer and max-pooling: only the largest number of each window is stored, and
// in backward only it has a gradient.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "digitnet/graph/fusion/rule.hpp"
#include "digitnet/kernels/conv2d_relu_maxpool_backward.hpp"
#include "digitnet/layers/activations.hpp"
#include "digitnet/layers/conv2d.hpp"
#include "digitnet/layers/pooling.hpp"

namespace digitnet {

namespace detail {

/// Conv2D, ReLU and MaxPooling2D as one layer, with the convolution's parameters.
template <class Convolution, class Pooling, Extent Window>
struct Conv2DReluMaxPooling {
  static constexpr std::string_view class_name = "Conv2DReluMaxPooling";
  static Conv2DReluMaxPooling from(const void* const*) { return {}; }

  template <class In>
  struct On : LayerDefaults {
    using ConvolutionOn = typename Convolution::template On<In>;
    using Output = typename Pooling::template On<typename ConvolutionOn::Output>::Output;
    using Parameters = typename ConvolutionOn::Parameters;
    using Cache = Buffer<std::uint8_t, Output::size>;
    static constexpr kernels::ConvPoolExtents extents{ConvolutionOn::extents, Window};
    static constexpr bool has_bias = Parameters::count == 2;
    static constexpr LayerTraits traits{.backward_reads_y = false,
                                        .keeps_dy = true,
                                        .multiply_adds = extents.conv.multiply_adds(),
                                        .method = kernels::winograd_method(extents.winograd_outputs())};

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

}  // namespace detail

struct FuseConvolutionPooling {
  static constexpr std::size_t length = 3;
  template <class First, class Second, class Third>
  struct Fused {
    static constexpr bool applies = false;
  };
  template <std::size_t Filters, Extent Kernel, Extent Strides, Padding Border, bool UseBias, Extent Window,
            class In, class Between, class Last>
  struct Fused<detail::LayerNode<Conv2D<Filters, Kernel, Strides, Border, UseBias>, In>,
               detail::LayerNode<ReLU, Between>,
               detail::LayerNode<MaxPooling2D<Window, Window, valid>, Last>> {
    // The place in a window is a bit of a byte.
    static constexpr bool applies = Window.height * Window.width <= 9;
    using Type =
        detail::LayerNode<detail::Conv2DReluMaxPooling<Conv2D<Filters, Kernel, Strides, Border, UseBias>,
                                                       MaxPooling2D<Window, Window, valid>, Window>,
                          In>;
  };
  template <class... Nodes>
  static constexpr bool applies = Fused<Nodes...>::applies;
};

}  // namespace digitnet
