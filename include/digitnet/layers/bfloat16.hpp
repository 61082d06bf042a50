// Layers whose products are in bfloat16: half the memory for weights, and on processors that multiply pairs
// of bfloat16, twice the products. Sums, parameters and results stay float32, as with Keras' mixed_bfloat16.
#pragma once
#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

#include "digitnet/kernels/bfloat16_gemm.hpp"
#include "digitnet/kernels/bfloat16_row.hpp"
#include "digitnet/kernels/reduce.hpp"
#include "digitnet/layers/conv2d.hpp"
#include "digitnet/layers/dense.hpp"

namespace digitnet {

namespace detail {

/// y (rows, Outputs) = x (rows, Inputs) kernel + bias in bfloat16, and its gradients. All memory of pairs is
/// the caller's.
template <std::size_t Inputs, std::size_t Outputs>
struct Bfloat16Product {
  using Pair = kernels::BfloatPair;
  using Panels = kernels::PairPanels<DefaultArch>;
  // Rows whose pairs are made at once: they stay in the first-level cache.
  static constexpr std::size_t block = 56;
  static constexpr std::size_t input_pairs = (Inputs + 1) / 2, output_pairs = (Outputs + 1) / 2;
  static constexpr std::size_t kernel_size = Panels::size(input_pairs, Outputs),
                               transposed_size = Panels::size(output_pairs, Inputs);
  /// Pairs of scratch.
  static constexpr std::size_t gradient_scratch = block / 2 * Inputs + Panels::size(block / 2, Outputs),
                               words_size = Inputs * kernels::RowWords<DefaultArch>::line(Outputs),
                               scratch = std::max({block * input_pairs + input_pairs * Panels::wide,
                                                   block*output_pairs, gradient_scratch});

  /// `packed` is pack_row_pairs' of the kernel; null: each panel is packed when its turn comes.
  template <class Activation>
  static void forward(std::size_t rows, const float* x, const float* kernel, const Pair* packed,
                      const float* bias, float* y, Pair* memory) {
    Pair* const panel = memory + block * input_pairs;
    for (std::size_t first = 0; first < rows; first += block) {
      const std::size_t count = pairs_of<Inputs>(rows, first, x, memory);
      float* const to = y + first * Outputs;
      if (packed) {
        multiply<Activation>(count, Outputs, memory, Panels{packed, input_pairs}, bias, to, Outputs);
        continue;
      }
      for (std::size_t column = 0; column < Outputs; column += Panels::wide) {
        const std::size_t columns = std::min(Panels::wide, Outputs - column);
        kernels::pack_row_pairs(Inputs, columns, kernel + column, Outputs, panel);
        multiply<Activation>(count, columns, memory, Panels{panel, input_pairs}, bias ? bias + column : bias,
                             to + column, Outputs);
      }
    }
  }
  /// forward of one row; `words` is pack_row_words' of the kernel.
  template <class Activation>
  static void forward_row(const float* x, const Pair* words, const float* bias, float* y, Pair* memory) {
    auto* const factors = reinterpret_cast<kernels::RowFactor*>(memory);
    kernels::bfloat16_row<DefaultArch, Activation>(kernels::pick_factors(Inputs, x, factors), factors,
                                                   Outputs, words, bias, y);
  }
  /// dx = dy kernel^T; `packed` is pack_column_pairs' of the kernel.
  static void input_gradient(std::size_t rows, const float* dy, const Pair* packed, float* dx, Pair* memory) {
    for (std::size_t first = 0; first < rows; first += block) {
      const std::size_t count = pairs_of<Outputs>(rows, first, dy, memory);
      multiply<kernels::Identity>(count, Inputs, memory, Panels{packed, output_pairs},
                                  static_cast<const float*>(nullptr), dx + first * Inputs, Inputs);
    }
  }
  /// d_kernel (inputs, Outputs) (=, +=) x^T dy for the first `inputs` columns of x.
  template <kernels::Result result>
  static void weight_gradient(std::size_t rows, std::size_t inputs, const float* x, const float* dy,
                              float* d_kernel, Pair* memory) {
    const std::size_t depth = (rows + 1) / 2;
    Pair* const panels = memory + depth * inputs;
    for (std::size_t row = 0; row < rows; row += 2)
      kernels::pair_rows(inputs, x + row * Inputs, row + 1 < rows ? x + (row + 1) * Inputs : nullptr,
                         memory + row / 2 * inputs);
    kernels::pack_row_pairs(rows, Outputs, dy, Outputs, panels);
    kernels::bfloat16_gemm<DefaultArch, result>(inputs, Outputs, memory, 1, inputs, Panels{panels, depth},
                                                static_cast<const float*>(nullptr), d_kernel, Outputs);
  }
  static void add_weight_gradient(std::size_t rows, const float* x, const float* dy, float* d_kernel,
                                  Pair* memory) {
    for (std::size_t first = 0; first < rows; first += block)
      weight_gradient<kernels::Result::add>(std::min(block, rows - first), Inputs, x + first * Inputs,
                                            dy + first * Outputs, d_kernel, memory);
  }
  /// The whole of a deferred gradient, or some rows of it.
  static void deferred(std::size_t samples, std::size_t inputs, const float* x, const float* dy,
                       float* d_kernel) {
    thread_local std::vector<Pair> memory;
    memory.resize(
        std::max(memory.size(), (samples + 1) / 2 * inputs + Panels::size((samples + 1) / 2, Outputs)));
    weight_gradient<kernels::Result::assign>(samples, inputs, x, dy, d_kernel, memory.data());
  }

 private:
  // Pairs of the block's rows of numbers; how many rows there are.
  template <std::size_t Width>
  static std::size_t pairs_of(std::size_t rows, std::size_t first, const float* numbers, Pair* to) {
    const std::size_t count = std::min(block, rows - first);
    for (std::size_t i = 0; i < count; ++i)
      kernels::pair_neighbours(Width, numbers + (first + i) * Width, to + i * ((Width + 1) / 2));
    return count;
  }
  template <class Activation>
  static void multiply(std::size_t rows, std::size_t columns, const Pair* a, Panels b, const float* bias,
                       float* c, std::size_t c_stride) {
    kernels::bfloat16_gemm<DefaultArch, kernels::Result::assign, Activation>(rows, columns, a, b.depth, 1, b,
                                                                             bias, c, c_stride);
  }
};

// What a layer of products is for Bfloat16: rows a sample, and how many numbers each reads and gives.
template <class L>
struct ProductsOf {
  static constexpr bool exists = false;
};
template <std::size_t Units, bool UseBias>
struct ProductsOf<Dense<Units, UseBias>> {
  static constexpr bool exists = true, use_bias = UseBias;
  template <class In>
  static constexpr std::size_t rows = 1;
  template <class In>
  static constexpr std::size_t inputs = In::size;
  static constexpr std::size_t outputs = Units;
};
template <std::size_t Filters, Extent KernelSize, Padding Border, bool UseBias>
requires(KernelSize == Extent{1}) struct ProductsOf<Conv2D<Filters, KernelSize, Extent{1}, Border, UseBias>> {
  static constexpr bool exists = true, use_bias = UseBias;
  template <class In>
  static constexpr std::size_t rows = In::size / In::last;
  template <class In>
  static constexpr std::size_t inputs = In::last;
  static constexpr std::size_t outputs = Filters;
};

}  // namespace detail

/// A Dense, or a Conv2D of one position and stride 1, whose products are in bfloat16: x, the kernel and dy
/// are rounded to 8 bits of precision, products are summed in float32. Parameters, settings, names and files
/// are those of the layer itself. In double (gradient checks) it is that layer.
template <class L>
struct Bfloat16 : L {
  static_assert(detail::ProductsOf<L>::exists,
                "Bfloat16 takes a Dense, or a Conv2D with a kernel and strides of 1");
  using Products = detail::ProductsOf<L>;

  constexpr Bfloat16() = default;
  constexpr explicit Bfloat16(L layer) : L(std::move(layer)) {}

  template <class In>
  struct On : L::template On<In> {
    using Base = typename L::template On<In>;
    using Product = detail::Bfloat16Product<Products::template inputs<In>, Products::outputs>;
    using Pair = kernels::BfloatPair;
    static constexpr std::size_t rows = Products::template rows<In>;

    static constexpr LayerTraits traits = [] {
      LayerTraits result = Base::traits;
      // Packed in two orders for inference, for one row and for many.
      result.folds = rows == 1;
      result.method = "bfloat16";
      if (result.deferred_gradient.multiply) {
        // dy is made pairs for each piece.
        result.deferred_gradient.pieces = 8;
        result.deferred_gradient.multiply = Product::deferred;
      }
      return result;
    }();

    template <class T>
    static constexpr std::size_t scratch_bytes(std::size_t samples) {
      if constexpr (std::is_same_v<T, float>)
        return round_up(Product::scratch * sizeof(Pair), alignment_bytes);
      else
        return Base::template scratch_bytes<T>(samples);
    }
    template <class T, Purpose purpose>
    static constexpr std::size_t packed_bytes() {
      if constexpr (!std::is_same_v<T, float>)
        return Base::template packed_bytes<T, purpose>();
      else if constexpr (purpose == Purpose::forward)
        return kernel_bytes;
      else if constexpr (purpose == Purpose::inference)
        return kernel_bytes + round_up(Product::words_size * sizeof(Pair), alignment_bytes);
      else if constexpr (purpose == Purpose::all_gradients)
        return round_up(Product::transposed_size * sizeof(Pair), alignment_bytes);
      return 0;
    }
    template <class T, Purpose purpose>
    static void pack(const auto& layer, ParameterViews<const T, typename Base::Parameters> parameters,
                     T* packed) {
      if constexpr (!std::is_same_v<T, float>)
        Base::template pack<T, purpose>(layer, parameters, packed);
      else if constexpr (purpose == Purpose::inference) {
        pack<T, Purpose::forward>(layer, parameters, packed);
        kernels::pack_row_words(inputs, outputs, get<"kernel">(parameters).data, words(packed));
      } else if constexpr (purpose == Purpose::forward)
        kernels::pack_row_pairs(inputs, outputs, get<"kernel">(parameters).data, outputs, pairs(packed));
      else if constexpr (purpose == Purpose::all_gradients)
        kernels::pack_column_pairs(inputs, outputs, get<"kernel">(parameters).data, pairs(packed));
    }

    template <class Io, class Activation = kernels::Identity>
    static void forward(const Io& io) {
      if constexpr (!std::is_same_v<typename Io::Real, float>) {
        Base::template forward<Io, Activation>(io);
      } else {
        const float* bias = nullptr;
        if constexpr (Products::use_bias) bias = get<"bias">(io.parameters).data;
        if constexpr (rows == 1)
          if (io.mode == Mode::inference && io.packed && io.samples() == 1)
            return Product::template forward_row<Activation>(io.x.data, words(io.packed), bias, io.y.data,
                                                             pairs(io.scratch));
        Product::template forward<Activation>(io.samples() * rows, io.x.data,
                                              get<"kernel">(io.parameters).data, pairs(io.packed), bias,
                                              io.y.data, pairs(io.scratch));
      }
    }
    template <class Io>
    static void backward(const Io& io) {
      if constexpr (!std::is_same_v<typename Io::Real, float>) {
        Base::backward(io);
      } else {
        const std::size_t count = io.samples() * rows;
        bool deferred = false;
        if constexpr (requires { Base::keep_for_deferred(io); }) deferred = Base::keep_for_deferred(io);
        if (!deferred)
          Product::add_weight_gradient(count, io.x.data, io.dy.data, get<"kernel">(io.gradients).data,
                                       pairs(io.scratch));
        if constexpr (Products::use_bias)
          kernels::add_column_sums(count, outputs, io.dy.data, get<"bias">(io.gradients).data);
        if constexpr (Io::wants_dx)
          Product::input_gradient(count, io.dy.data, pairs(io.packed), io.dx.data, pairs(io.scratch));
      }
    }

   private:
    static constexpr std::size_t inputs = Products::template inputs<In>, outputs = Products::outputs;
    static constexpr std::size_t kernel_bytes =
        round_up(Product::kernel_size * sizeof(Pair), alignment_bytes);
    static auto* words(auto* packed) { return pairs(packed) + kernel_bytes / sizeof(Pair); }
    static Pair* pairs(float* memory) { return reinterpret_cast<Pair*>(memory); }
    static const Pair* pairs(const float* memory) { return reinterpret_cast<const Pair*>(memory); }
  };
};

}  // namespace digitnet
