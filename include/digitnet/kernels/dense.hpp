// The products of a dense layer, and the rule that chooses who computes them.
#pragma once
#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "digitnet/core/blas.hpp"
#include "digitnet/kernels/gather_gemm.hpp"
#include "digitnet/kernels/reduce.hpp"

namespace digitnet::kernels {

/// The rule: OpenBLAS packs its operands, which pays once the kernel is large.
constexpr bool dense_uses_blas(std::size_t inputs, std::size_t outputs) {
  return inputs * outputs >= 128 * 1024;
}

/// Elements of the transposed kernel that dense_backward_input reads.
constexpr std::size_t dense_prepared(std::size_t inputs, std::size_t outputs) {
  return dense_uses_blas(inputs, outputs) ? 0 : outputs * inputs;
}
template <class T>
void dense_prepare(std::size_t inputs, std::size_t outputs, const T* kernel, T* prepared) {
  if (!dense_uses_blas(inputs, outputs)) transpose(inputs, outputs, kernel, prepared);
}

/// y = activation(x kernel + bias). Assigns y (samples, outputs); bias may be null.
template <class Activation = Identity, class Arch = DefaultArch, class T>
void dense_forward(std::size_t samples, std::size_t inputs, std::size_t outputs, const T* x, const T* kernel,
                   const T* bias, T* y) {
  if (samples == 1) {
    row_times_matrix<Arch, Activation>(inputs, outputs, x, kernel, bias, y);
    return;
  }
  if (!dense_uses_blas(inputs, outputs)) {
    gather_gemm<Arch, Result::assign, Activation>(
        samples, outputs, Walk{.length = inputs}, [=](std::size_t i) { return x + i * inputs; }, kernel,
        outputs, bias, [=](std::size_t i) { return y + i * outputs; });
    return;
  }
  blas::gemm(blas::Transpose::no, blas::Transpose::no, samples, outputs, inputs, x, inputs, kernel, outputs,
             T{0}, y, outputs);
  using Vector = simd::Vector<T, Arch>;
  for (std::size_t i = 0; i < samples; ++i) {
    T* const row = y + i * outputs;
    if (bias)
      simd::transform<Arch>(
          outputs, row, [](Vector sum, Vector b) { return Activation::value(sum + b); },
          static_cast<const T*>(row), bias);
    else if constexpr (!std::is_same_v<Activation, Identity>)
      simd::transform<Arch>(
          outputs, row, [](Vector sum) { return Activation::value(sum); }, static_cast<const T*>(row));
  }
}

/// d_kernel (rows, outputs) (=, +=) some rows of x^T dy: x points to the first row's input in the first
/// sample.
template <Result result = Result::add, class Arch = DefaultArch, class T>
void dense_backward_weights(std::size_t samples, std::size_t rows, std::size_t inputs, std::size_t outputs,
                            const T* x, const T* dy, T* d_kernel) {
  if (dense_uses_blas(inputs, outputs)) {
    blas::gemm(blas::Transpose::yes, blas::Transpose::no, rows, outputs, samples, x, inputs, dy, outputs,
               result == Result::add ? T{1} : T{0}, d_kernel, outputs);
    return;
  }
  gather_gemm<Arch, result>(
      rows, outputs, Walk{.length = samples, .step = inputs}, [=](std::size_t input) { return x + input; },
      dy, outputs, static_cast<const T*>(nullptr),
      [=](std::size_t input) { return d_kernel + input * outputs; });
}
/// d_kernel += x^T dy.
template <class Arch = DefaultArch, class T>
void dense_backward_weights(std::size_t samples, std::size_t inputs, std::size_t outputs, const T* x,
                            const T* dy, T* d_kernel) {
  dense_backward_weights<Result::add, Arch>(samples, inputs, inputs, outputs, x, dy, d_kernel);
}

/// dx = dy kernel^T. Assigns dx (samples, inputs). `prepared` is what dense_prepare made of the kernel.
template <class Arch = DefaultArch, class T>
void dense_backward_input(std::size_t samples, std::size_t inputs, std::size_t outputs, const T* dy,
                          const T* kernel, const T* prepared, T* dx) {
  if (dense_uses_blas(inputs, outputs)) {
    blas::gemm(blas::Transpose::no, blas::Transpose::yes, samples, inputs, outputs, dy, outputs, kernel,
               outputs, T{0}, dx, inputs);
    return;
  }
  gather_gemm<Arch>(
      samples, inputs, Walk{.length = outputs}, [=](std::size_t i) { return dy + i * outputs; }, prepared,
      inputs, static_cast<const T*>(nullptr), [=](std::size_t i) { return dx + i * inputs; });
}

}  // namespace digitnet::kernels
