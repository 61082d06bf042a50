// The matrix products of a dense layer.
#pragma once
#include <cstddef>
#include <cstdint>

#include "digitnet/kernels/panel_gemm.hpp"
#include "digitnet/kernels/reduce.hpp"

namespace digitnet::kernels {

/// Whether forward wants the kernel in panels: where its rows are a quarter of a page and more apart, a tile
/// meets a new page every few rows, and lines that share few sets of the cache. Narrow kernels are not worth
/// the copy: 784 x 100, with batches of 32, would train 0.85 times as fast.
constexpr bool dense_packs_forward(std::size_t outputs) { return outputs >= 256; }

// Numbers of inputs and outputs may be Fixed.

/// y = activation(x kernel + bias). Assigns y (samples, outputs); bias may be null, and so may `packed`, the
/// kernel (inputs, outputs) in panels. The order of additions is the same with and without. Rows of the
/// kernel may be left out where an input is zero: a weight that is not finite need not show there.
template <class Activation = Identity, class Arch = DefaultArch, class T, class Outputs>
void dense_forward(std::size_t samples, std::size_t inputs, Outputs outputs, const T* x, const T* kernel,
                   const T* packed, const T* bias, T* y) {
  if (samples == 1) {
    // A single sample is bound by reading the kernel, unless that lies in the first-level cache. Digits, and
    // what ReLU leaves, are zero in many places.
    std::uint16_t places[most_picked];
    const std::size_t picked =
        inputs <= most_picked && inputs * outputs >= 16 * 1024 ? pick_nonzero<Arch>(inputs, x, places) : 0;
    if (picked > 0) {
      row_times_matrix<Arch, Activation>(PickedWalk{places, picked}, outputs, x, kernel, bias, y);
      return;
    }
    if (!packed) {
      row_times_matrix<Arch, Activation>(Walk{.length = inputs}, outputs, x, kernel, bias, y);
      return;
    }
  }
  panel_gemm<Arch, Result::assign, Activation>(
      samples, outputs, Walk{.length = inputs}, {x, inputs},
      PanelMatrix<T>{packed ? packed : kernel, inputs, outputs, packed != nullptr}, bias, {y, outputs});
}

/// d_kernel (rows, outputs) (=, +=) some rows of x^T dy: x points to the first row's input in the first
/// sample.
template <Result result, class Arch = DefaultArch, class T, class Outputs>
void dense_backward_weights(std::size_t rows, std::size_t inputs, Outputs outputs, const T* x,
                            const PanelMatrix<T>& dy, T* d_kernel) {
  panel_gemm<Arch, result>(rows, outputs, Walk{.length = dy.depth, .step = inputs}, {x, 1}, dy,
                           static_cast<const T*>(nullptr), {d_kernel, outputs});
}

/// dx = dy kernel^T. Assigns dx (samples, inputs). `packed` is the transpose of the kernel in panels.
template <class Arch = DefaultArch, class T, class Inputs>
void dense_backward_input(std::size_t samples, Inputs inputs, std::size_t outputs, const T* dy,
                          const T* packed, T* dx) {
  panel_gemm<Arch>(samples, inputs, Walk{.length = outputs}, {dy, outputs},
                   PanelMatrix<T>{packed, outputs, inputs, true}, static_cast<const T*>(nullptr),
                   {dx, inputs});
}

}  // namespace digitnet::kernels
