// DepthwiseConv2D filters each channel by itself; SeparableConv2D then mixes the channels.
#pragma once
#include <algorithm>
#include <cstddef>

#include "digitnet/kernels/depthwise_conv2d.hpp"
#include "digitnet/layers/conv2d.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

namespace detail {

// Shapes and passes of a depthwise convolution; `Multiplier` results for each channel.
template <class In, Extent KernelSize, Extent Strides, Padding Border, std::size_t Multiplier>
struct DepthwiseOn : LayerDefaults {
  static constexpr bool is_image = In::rank == 3;
  static constexpr bool fits =
      !is_image || Border == same || (KernelSize.height <= In::height && KernelSize.width <= In::width);
  static constexpr bool moves = Strides.height > 0 && Strides.width > 0;
  static constexpr std::size_t multiplier = Multiplier > 0 ? Multiplier : 1;
  static constexpr Extent kernel_size = is_image && fits ? KernelSize : Extent{1};
  static constexpr std::size_t wide_channels = In::channels * multiplier;
  static constexpr kernels::DepthwiseExtents extents{
      In::height, In::width, wide_channels, wide_channels, kernel_size, moves ? Strides : Extent{1}, Border};
  using Wide = Shape<extents.out_height, extents.out_width, wide_channels>;
  using KernelShape = Shape<kernel_size.height, kernel_size.width, In::channels, multiplier>;
  static constexpr std::size_t depthwise_adds =
      extents.positions() * kernel_size.height * kernel_size.width * wide_channels;

  // Elements: each channel stands as often as it has results, for one sample.
  static constexpr std::size_t spread = multiplier == 1 ? 0 : round_up(extents.input_size(), 16);
  static constexpr std::size_t scratch = spread + kernels::depthwise_scratch<extents>();

  template <class Activation = kernels::Identity, class T>
  static void convolve(std::size_t samples, const T* x, const T* kernel, const T* bias, T* y, T* memory) {
    if constexpr (multiplier == 1) {
      kernels::depthwise_forward<extents, Activation>(samples, x, kernel, bias, y, memory);
    } else {
      for (std::size_t i = 0; i < samples; ++i)
        kernels::depthwise_forward<extents, Activation>(1, widened(x + i * In::size, memory), kernel, bias,
                                                        y + i * Wide::size, memory + spread);
    }
  }
  template <class T>
  static void weight_gradients(std::size_t samples, const T* x, const T* dy, T* d_kernel, T* d_bias,
                               T* memory) {
    if constexpr (multiplier == 1) {
      kernels::depthwise_backward_weights<extents>(samples, x, dy, d_kernel, d_bias, memory);
    } else {
      for (std::size_t i = 0; i < samples; ++i)
        kernels::depthwise_backward_weights<extents>(1, widened(x + i * In::size, memory),
                                                     dy + i * Wide::size, d_kernel, d_bias, memory + spread);
    }
  }
  template <class T>
  static void input_gradients(std::size_t samples, const T* dy, const T* kernel, T* dx, T* memory) {
    if constexpr (multiplier == 1) {
      kernels::depthwise_backward_input<extents>(samples, dy, kernel, dx, memory);
    } else {
      for (std::size_t i = 0; i < samples; ++i) {
        kernels::depthwise_backward_input<extents>(1, dy + i * Wide::size, kernel, memory, memory + spread);
        for (std::size_t j = 0; j < In::size; ++j) {
          T sum{0};
          for (std::size_t m = 0; m < multiplier; ++m) sum += memory[j * multiplier + m];
          dx[i * In::size + j] = sum;
        }
      }
    }
  }

 private:
  template <class T>
  static const T* widened(const T* image, T* to) {
    for (std::size_t j = 0; j < In::size; ++j) std::fill_n(to + j * multiplier, multiplier, image[j]);
    return to;
  }

  static_assert(is_image,
                "A depthwise convolution needs an image (height, width, channels): put Reshape before it");
  static_assert(fits,
                "The depthwise convolution's kernel is larger than its input: use a smaller kernel, padding "
                "same, or fewer poolings before it");
  static_assert(moves, "The depthwise convolution's strides must be at least 1");
  static_assert(Multiplier > 0, "The depthwise convolution's multiplier must be at least 1");
};

}  // namespace detail

/// Keras' DepthwiseConv2D, without its activation: each channel has DepthMultiplier kernels of its own. Input
/// (height, width, channels), output (positions down, positions across, channels * DepthMultiplier).
/// Parameters "kernel" (kernel height, kernel width, channels, DepthMultiplier) and, with UseBias, "bias".
/// `DepthwiseConv2D<3>`; `DepthwiseConv2D<3, 2, same>`.
template <Extent KernelSize, Extent Strides = 1, Padding Border = valid, std::size_t DepthMultiplier = 1,
          bool UseBias = true>
struct DepthwiseConv2D {
  static constexpr std::string_view class_name = "DepthwiseConv2D";
  static constexpr OutputKind output_kind = OutputKind::numbers;
  /// What it is when a normalization is folded into it.
  using WithBias = DepthwiseConv2D<KernelSize, Strides, Border, DepthMultiplier, true>;
  static constexpr auto settings =
      std::tuple{setting<"kernel_size">(KernelSize), setting<"strides">(Strides), setting<"padding">(Border),
                 setting<"depth_multiplier">(DepthMultiplier), setting<"use_bias">(UseBias)};

  Initializer depthwise_initializer = GlorotUniform{};
  Initializer bias_initializer = Zeros{};
  Regularizer depthwise_regularizer{};
  Regularizer bias_regularizer{};

  template <class In>
  struct On : detail::DepthwiseOn<In, KernelSize, Strides, Border, DepthMultiplier> {
    using Base = detail::DepthwiseOn<In, KernelSize, Strides, Border, DepthMultiplier>;
    using Output = typename Base::Wide;
    using Kernel = Parameter<"kernel", typename Base::KernelShape, &DepthwiseConv2D::depthwise_initializer,
                             &DepthwiseConv2D::depthwise_regularizer>;
    using Bias = Parameter<"bias", Shape<Output::channels>, &DepthwiseConv2D::bias_initializer,
                           &DepthwiseConv2D::bias_regularizer>;
    using Parameters = std::conditional_t<UseBias, ParameterList<Kernel, Bias>, ParameterList<Kernel>>;
    static constexpr LayerTraits traits{.takes_activation = true,
                                        .backward_reads_y = false,
                                        .keeps_dy = true,
                                        .multiply_adds = Base::depthwise_adds,
                                        .method = "by channels"};

    template <class T>
    static constexpr std::size_t scratch_bytes(std::size_t) {
      return Base::scratch * sizeof(T);
    }

    template <class Io, class Activation = kernels::Identity>
    static void forward(const Io& io) {
      const typename Io::Real* bias = nullptr;
      if constexpr (UseBias) bias = get<"bias">(io.parameters).data;
      Base::template convolve<Activation>(io.samples(), io.x.data, get<"kernel">(io.parameters).data, bias,
                                          io.y.data, io.scratch);
    }
    template <class Io>
    static void backward(const Io& io) {
      using T = typename Io::Real;
      T* d_bias = nullptr;
      if constexpr (UseBias) d_bias = get<"bias">(io.gradients).data;
      const T* const dy = io.dy.data;
      Base::weight_gradients(io.samples(), io.x.data, dy, get<"kernel">(io.gradients).data, d_bias,
                             io.scratch);
      if constexpr (Io::wants_dx)
        Base::input_gradients(io.samples(), dy, get<"kernel">(io.parameters).data, io.dx.data, io.scratch);
    }
  };
};

/// Keras' SeparableConv2D, without its activation: a depthwise convolution without bias, then one of 1x1 that
/// mixes the channels. Parameters "depthwise_kernel" (kernel height, kernel width, channels,
/// DepthMultiplier), "pointwise_kernel" (1, 1, channels * DepthMultiplier, Filters) and, with UseBias,
/// "bias" (Filters).
template <std::size_t Filters, Extent KernelSize, Extent Strides = 1, Padding Border = valid,
          std::size_t DepthMultiplier = 1, bool UseBias = true>
struct SeparableConv2D {
  static constexpr std::string_view class_name = "SeparableConv2D";
  static constexpr OutputKind output_kind = OutputKind::numbers;
  /// What it is when a normalization is folded into it.
  using WithBias = SeparableConv2D<Filters, KernelSize, Strides, Border, DepthMultiplier, true>;
  static constexpr auto settings = std::tuple{setting<"filters">(Filters),
                                              setting<"kernel_size">(KernelSize),
                                              setting<"strides">(Strides),
                                              setting<"padding">(Border),
                                              setting<"depth_multiplier">(DepthMultiplier),
                                              setting<"use_bias">(UseBias)};

  Initializer depthwise_initializer = GlorotUniform{};
  Initializer pointwise_initializer = GlorotUniform{};
  Initializer bias_initializer = Zeros{};
  Regularizer depthwise_regularizer{};
  Regularizer pointwise_regularizer{};
  Regularizer bias_regularizer{};

  template <class In>
  struct On : detail::DepthwiseOn<In, KernelSize, Strides, Border, DepthMultiplier> {
    static_assert(Filters > 0, "SeparableConv2D needs at least 1 filter");
    using Base = detail::DepthwiseOn<In, KernelSize, Strides, Border, DepthMultiplier>;
    using Wide = typename Base::Wide;
    using Output = Shape<Wide::height, Wide::width, Filters>;
    using Depthwise =
        Parameter<"depthwise_kernel", typename Base::KernelShape, &SeparableConv2D::depthwise_initializer,
                  &SeparableConv2D::depthwise_regularizer>;
    using Pointwise =
        Parameter<"pointwise_kernel", Shape<1, 1, Wide::channels, Filters>,
                  &SeparableConv2D::pointwise_initializer, &SeparableConv2D::pointwise_regularizer>;
    using Bias = Parameter<"bias", Shape<Filters>, &SeparableConv2D::bias_initializer,
                           &SeparableConv2D::bias_regularizer>;
    using Parameters = std::conditional_t<UseBias, ParameterList<Depthwise, Pointwise, Bias>,
                                          ParameterList<Depthwise, Pointwise>>;
    /// What the depthwise convolution made.
    using Cache = Buffer<Scalar, Wide::size>;
    static constexpr kernels::Conv2DExtents mixing{Wide::height, Wide::width, Wide::channels, Filters, 1, 1,
                                                   valid};
    static constexpr LayerTraits traits{.takes_activation = true,
                                        .backward_reads_y = false,
                                        .keeps_dy = true,
                                        .multiply_adds = Base::depthwise_adds + mixing.multiply_adds(),
                                        .method = "by channels, register tiles"};

    /// One sample's depthwise result or its gradient, and what the convolutions need.
    template <class T>
    static constexpr std::size_t scratch_bytes(std::size_t) {
      return (wide + std::max(Base::scratch, kernels::conv2d_scratch<mixing>())) * sizeof(T);
    }
    template <class T, Purpose purpose>
    static constexpr std::size_t packed_bytes() {
      return purpose == Purpose::forward || purpose == Purpose::inference
                 ? 0
                 : kernels::conv2d_packed_backward<mixing>() * sizeof(T);
    }
    template <class T, Purpose purpose>
    static void pack(const auto&, ParameterViews<const T, Parameters> parameters, T* packed) {
      kernels::conv2d_pack_backward<mixing>(get<"pointwise_kernel">(parameters).data, packed);
    }

    template <class Io, class Activation = kernels::Identity>
    static void forward(const Io& io) {
      using T = typename Io::Real;
      const T* bias = nullptr;
      if constexpr (UseBias) bias = get<"bias">(io.parameters).data;
      for (std::size_t i = 0; i < io.samples(); ++i) {
        T* const between = io.mode == Mode::training ? io.cache + i * Wide::size : io.scratch;
        Base::convolve(1, io.x.sample(i), get<"depthwise_kernel">(io.parameters).data,
                       static_cast<const T*>(nullptr), between, io.scratch + wide);
        kernels::conv2d_forward<mixing, Activation>(
            1, static_cast<const T*>(between), get<"pointwise_kernel">(io.parameters).data, bias,
            static_cast<const T*>(nullptr), io.y.sample(i), io.scratch + wide);
      }
    }
    template <class Io>
    static void backward(const Io& io) {
      using T = typename Io::Real;
      T* d_bias = nullptr;
      if constexpr (UseBias) d_bias = get<"bias">(io.gradients).data;
      for (std::size_t i = 0; i < io.samples(); ++i) {
        const T* const between = io.cache + i * Wide::size;
        const T* const dy = io.dy.sample(i);
        kernels::conv2d_backward_weights<mixing>(1, between, dy, get<"pointwise_kernel">(io.gradients).data,
                                                 d_bias, io.scratch + wide);
        kernels::conv2d_backward_input<mixing>(1, dy, io.packed, io.scratch, io.scratch + wide);
        Base::weight_gradients(1, io.x.sample(i), static_cast<const T*>(io.scratch),
                               get<"depthwise_kernel">(io.gradients).data, static_cast<T*>(nullptr),
                               io.scratch + wide);
        if constexpr (Io::wants_dx)
          Base::input_gradients(1, static_cast<const T*>(io.scratch),
                                get<"depthwise_kernel">(io.parameters).data, io.dx.sample(i),
                                io.scratch + wide);
      }
    }

   private:
    static constexpr std::size_t wide = round_up(Wide::size, alignment_elements);
  };
};

}  // namespace digitnet
