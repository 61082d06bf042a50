// Dense: every output sees every input, y = x kernel + bias.
#pragma once
#include <algorithm>

#include "digitnet/kernels/dense.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// Keras' Dense, without its activation: put that after it. Input (features), output (Units). Parameters
/// "kernel" (features, Units) and, with UseBias, "bias" (Units).
template <std::size_t Units, bool UseBias = true>
struct Dense {
  static constexpr std::string_view class_name = "Dense";
  static constexpr OutputKind output_kind = OutputKind::numbers;

  Initializer kernel_initializer = GlorotUniform{};
  Initializer bias_initializer = Zeros{};
  Regularizer kernel_regularizer{};
  Regularizer bias_regularizer{};
  static constexpr auto settings = std::tuple{setting<"units">(Units), setting<"use_bias">(UseBias)};

  template <class In>
  struct On : LayerDefaults {
    static_assert(In::rank == 1, "Dense needs a flat input: put Flatten before it");
    static_assert(Units > 0, "Dense needs at least 1 unit");
    using Output = Shape<(Units > 0 ? Units : 1)>;
    using Kernel =
        Parameter<"kernel", Shape<In::size, Units>, &Dense::kernel_initializer, &Dense::kernel_regularizer>;
    using Bias = Parameter<"bias", Shape<Units>, &Dense::bias_initializer, &Dense::bias_regularizer>;
    using Parameters = std::conditional_t<UseBias, ParameterList<Kernel, Bias>, ParameterList<Kernel>>;
    static constexpr std::size_t deferred = In::size + Units;
    static constexpr kernels::Fixed<Units> units{};

    static void multiply(std::size_t samples, std::size_t rows, const float* x, const float* dy, float* to) {
      kernels::dense_backward_weights<kernels::Result::assign>(
          rows, In::size, units, x, kernels::PanelMatrix<float>{dy, samples, Units, true}, to);
    }
    static constexpr LayerTraits traits{
        .takes_activation = true,
        .backward_reads_y = false,
        .keeps_dy = true,
        .multiply_adds = In::size * Units,
        .method = "register tiles",
        .deferred_gradient = {.inputs = In::size,
                              .outputs = Units,
                              .panel = kernels::panel_width<float, DefaultArch>,
                              .multiply = multiply}};

    template <class T, Purpose purpose>
    static constexpr std::size_t packed_bytes() {
      const bool packs = purpose == Purpose::all_gradients ||
                         (purpose == Purpose::forward && kernels::dense_packs_forward(Units));
      return packs ? In::size * Units * sizeof(T) : 0;
    }
    template <class T, Purpose purpose>
    static void pack(const auto&, ParameterViews<const T, Parameters> parameters, T* packed) {
      const T* const kernel = get<"kernel">(parameters).data;
      if constexpr (purpose == Purpose::all_gradients)
        kernels::pack_transposed_panels(Units, In::size, kernel, packed);
      else
        kernels::pack_panels(0, In::size, In::size, Units, kernel, packed);
    }

    /// Keeps x and dy (which `multiply` wants in panels) where the kernel's gradient is left to the end of
    /// the batch; whether it is.
    template <bool in_panels = false, class Io>
    static bool keep_for_deferred(const Io& io) {
      if (!io.deferred.memory) return false;
      const std::size_t first = io.deferred.first_sample, batch = io.deferred.batch;
      auto* const x = io.deferred.memory;
      auto* const dy = x + batch * In::size;
      std::copy_n(io.x.data, io.x.size(), x + first * In::size);
      if constexpr (in_panels)
        kernels::pack_panels(first, io.samples(), batch, Units, io.dy.data, dy);
      else
        std::copy_n(io.dy.data, io.dy.size(), dy + first * Units);
      return true;
    }

    template <class Io, class Activation = kernels::Identity>
    static void forward(const Io& io) {
      using T = typename Io::Real;
      const T* bias = nullptr;
      if constexpr (UseBias) bias = get<"bias">(io.parameters).data;
      kernels::dense_forward<Activation>(
          io.samples(), In::size, units, io.x.data, get<"kernel">(io.parameters).data,
          kernels::dense_packs_forward(Units) ? io.packed : nullptr, bias, io.y.data);
    }
    template <class Io>
    static void backward(const Io& io) {
      using T = typename Io::Real;
      if (!keep_for_deferred<true>(io)) {
        kernels::dense_backward_weights<kernels::Result::add>(
            In::size, In::size, units, io.x.data,
            kernels::PanelMatrix<T>{io.dy.data, io.samples(), Units, false},
            get<"kernel">(io.gradients).data);
      }
      if constexpr (UseBias)
        kernels::add_column_sums(io.samples(), Units, io.dy.data, get<"bias">(io.gradients).data);
      if constexpr (Io::wants_dx)
        kernels::dense_backward_input(io.samples(), kernels::Fixed<In::size>{}, Units, io.dy.data, io.packed,
                                      io.dx.data);
    }
  };
};

}  // namespace digitnet
