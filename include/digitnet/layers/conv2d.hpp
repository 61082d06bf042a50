// Conv2D: a bank of filters slides over an image.
#pragma once
#include "digitnet/kernels/conv2d.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// Keras' Conv2D, without its activation: put that after it. Input (height, width, channels), output
/// (positions down, positions across, Filters). Parameters "kernel" (kernel height, kernel width, channels,
/// Filters) and, with UseBias, "bias" (Filters). `Conv2D<32, 3>`; `Conv2D<64, Extent{3, 5}, 2, same,
/// no_bias>`.
template <std::size_t Filters, Extent KernelSize, Extent Strides = 1, Padding Border = valid,
          bool UseBias = true>
struct Conv2D {
  static constexpr std::string_view class_name = "Conv2D";
  static constexpr OutputKind output_kind = OutputKind::numbers;
  /// What it is when a normalization is folded into it.
  using WithBias = Conv2D<Filters, KernelSize, Strides, Border, true>;

  Initializer kernel_initializer = GlorotUniform{};
  Initializer bias_initializer = Zeros{};
  Regularizer kernel_regularizer{};
  Regularizer bias_regularizer{};
  static constexpr auto settings =
      std::tuple{setting<"filters">(Filters), setting<"kernel_size">(KernelSize), setting<"strides">(Strides),
                 setting<"padding">(Border), setting<"use_bias">(UseBias)};

  template <class In>
  struct On : LayerDefaults {
    static constexpr bool is_image = In::rank == 3;
    static constexpr bool fits =
        !is_image || Border == same || (KernelSize.height <= In::height && KernelSize.width <= In::width);
    static_assert(is_image, "Conv2D needs an image (height, width, channels): put Reshape before it");
    static_assert(fits,
                  "Conv2D's kernel is larger than its input: use a smaller kernel, padding same, or fewer "
                  "poolings before it");
    static constexpr bool moves = Strides.height > 0 && Strides.width > 0;
    static_assert(moves, "Conv2D's strides must be at least 1");
    static_assert(Filters > 0, "Conv2D needs at least 1 filter");
    // Stands in where the input was refused, so that the refusal is the only error.
    static constexpr Extent kernel_size = is_image && fits ? KernelSize : Extent{1};
    static constexpr kernels::Conv2DExtents extents{
        In::height, In::width, In::channels, Filters, kernel_size, moves ? Strides : Extent{1}, Border};

    using Output = std::conditional_t<is_image, Shape<extents.out_height, extents.out_width, Filters>, In>;
    using Kernel = Parameter<"kernel", Shape<kernel_size.height, kernel_size.width, In::channels, Filters>,
                             &Conv2D::kernel_initializer, &Conv2D::kernel_regularizer>;
    using Bias = Parameter<"bias", Shape<Filters>, &Conv2D::bias_initializer, &Conv2D::bias_regularizer>;
    using Parameters = std::conditional_t<UseBias, ParameterList<Kernel, Bias>, ParameterList<Kernel>>;
    static constexpr LayerTraits traits{.takes_activation = true,
                                        .backward_reads_y = false,
                                        .keeps_dy = true,
                                        .multiply_adds = extents.multiply_adds(),
                                        .method = kernels::conv2d_method(extents)};

    template <class T>
    static constexpr std::size_t scratch_bytes(std::size_t) {
      return kernels::conv2d_scratch<extents>() * sizeof(T);
    }

    template <class T, Purpose purpose>
    static constexpr std::size_t packed_bytes() {
      if (purpose == Purpose::forward) return kernels::conv2d_packed_forward<extents>() * sizeof(T);
      return purpose == Purpose::all_gradients ? kernels::conv2d_packed_backward<extents>() * sizeof(T) : 0;
    }
    template <class T, Purpose purpose>
    static void pack(const auto&, ParameterViews<const T, Parameters> parameters, T* packed) {
      const T* const kernel = get<"kernel">(parameters).data;
      if constexpr (purpose == Purpose::forward) kernels::conv2d_pack_forward<extents>(kernel, packed);
      if constexpr (purpose == Purpose::all_gradients) kernels::conv2d_pack_backward<extents>(kernel, packed);
    }

    template <class Io, class Activation = kernels::Identity>
    static void forward(const Io& io) {
      const typename Io::Real* bias = nullptr;
      if constexpr (UseBias) bias = get<"bias">(io.parameters).data;
      kernels::conv2d_forward<extents, Activation>(io.samples(), io.x.data, get<"kernel">(io.parameters).data,
                                                   bias, io.packed, io.y.data, io.scratch);
    }
    template <class Io>
    static void backward(const Io& io) {
      typename Io::Real* d_bias = nullptr;
      if constexpr (UseBias) d_bias = get<"bias">(io.gradients).data;
      kernels::conv2d_backward_weights<extents>(io.samples(), io.x.data, io.dy.data,
                                                get<"kernel">(io.gradients).data, d_bias, io.scratch);
      if constexpr (Io::wants_dx)
        kernels::conv2d_backward_input<extents>(io.samples(), io.dy.data, io.packed, io.dx.data, io.scratch);
    }
  };
};

}  // namespace digitnet
