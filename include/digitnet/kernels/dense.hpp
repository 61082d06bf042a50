// The matrix products of a dense layer, and the rule that chooses between register tiles and BLAS.
#pragma once
#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "digitnet/core/blas.hpp"
#include "digitnet/kernels/gather_gemm.hpp"
#include "digitnet/kernels/reduce.hpp"

namespace digitnet::kernels {

/// Who computes a dense layer's products.
enum class DenseProducts { own, blas };

/// The rule: OpenBLAS packs its operands, which pays where the kernel is large and a register tile narrow:
/// with AVX2 a tile reads one cache line of a row of the kernel, with AVX-512 four. Measured on one thread,
/// GFLOP/s of digitnet's kernel / OpenBLAS' (./run bench, dense_*).
///
/// Zen 3, AVX2 (sgemm of large matrices: 80):
///                  16 samples                        64 samples
///   kernel         forward   weights   input         forward   weights   input
///   784 x 100      53 / 51   38 / 49   59 / 44       61 / 70   57 / 66   68 / 61
///   1600 x 64      62 / 59   46 / 49   57 / 44       66 / 75   60 / 68   67 / 62
///   512 x 256      61 / 55   42 / 61   60 / 47       66 / 71   58 / 86   64 / 72
///   512 x 512      53 / 55   39 / 57   62 / 51       65 / 77   52 / 85   68 / 71
///   784 x 512      48 / 61   42 / 58   70 / 46       58 / 79   54 / 75   74 / 68
///   1024 x 1024    42 / 59   34 / 54   43 / 47       42 / 79   44 / 81   42 / 73
///
/// Zen 5, AVX-512 (sgemm: 180):
///   784 x 100     160 / 98   91 / 158  176 / 88     176 / 146 148 / 168  191 / 147
///   512 x 256     173 / 105 140 / 168  176 / 79     197 / 158 178 / 180  192 / 140
///   512 x 512     159 / 82  131 / 158  175 / 75     196 / 149 172 / 186  196 / 139
///   784 x 512     179 / 82  128 / 159  174 / 79     195 / 143 177 / 189  195 / 143
///   1024 x 1024   166 / 75  113 / 131  165 / 63     166 / 136 161 / 165  167 / 126
template <class Arch = DefaultArch>
constexpr DenseProducts dense_products(std::size_t inputs, std::size_t outputs) {
  return inputs * outputs >= 128 * 1024 && simd::registers<Arch> < 32 ? DenseProducts::blas
                                                                      : DenseProducts::own;
}

/// Elements of the transposed kernel that dense_backward_input reads.
template <DenseProducts products>
constexpr std::size_t dense_packed(std::size_t inputs, std::size_t outputs) {
  return products == DenseProducts::blas ? 0 : outputs * inputs;
}
template <DenseProducts products, class T>
void dense_pack(std::size_t inputs, std::size_t outputs, const T* kernel, T* packed) {
  if constexpr (products == DenseProducts::own) transpose(inputs, outputs, kernel, packed);
}

// Below, numbers of inputs and outputs may be Fixed.

/// y = activation(x kernel + bias). Assigns y (samples, outputs); bias may be null.
template <DenseProducts products, class Activation = Identity, class Arch = DefaultArch, class T,
          class Outputs>
void dense_forward(std::size_t samples, std::size_t inputs, Outputs outputs, const T* x, const T* kernel,
                   const T* bias, T* y) {
  if (samples == 1) {
    row_times_matrix<Arch, Activation>(inputs, outputs, x, kernel, bias, y);
    return;
  }
  if constexpr (products == DenseProducts::own) {
    gather_gemm<Arch, Result::assign, Activation>(samples, outputs, Walk{.length = inputs},
                                                  Rows<const T>{x, inputs}, kernel, outputs, bias,
                                                  Rows<T>{y, outputs});
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
template <DenseProducts products, Result result = Result::add, class Arch = DefaultArch, class T,
          class Outputs>
void dense_backward_weights(std::size_t samples, std::size_t rows, std::size_t inputs, Outputs outputs,
                            const T* x, const T* dy, T* d_kernel) {
  if constexpr (products == DenseProducts::blas) {
    blas::gemm(blas::Transpose::yes, blas::Transpose::no, rows, outputs, samples, x, inputs, dy, outputs,
               result == Result::add ? T{1} : T{0}, d_kernel, outputs);
    return;
  }
  gather_gemm<Arch, result>(rows, outputs, Walk{.length = samples, .step = inputs}, Rows<const T>{x, 1}, dy,
                            outputs, static_cast<const T*>(nullptr), Rows<T>{d_kernel, outputs});
}
/// d_kernel += x^T dy.
template <DenseProducts products, class Arch = DefaultArch, class T, class Outputs>
void dense_backward_weights(std::size_t samples, std::size_t inputs, Outputs outputs, const T* x, const T* dy,
                            T* d_kernel) {
  dense_backward_weights<products, Result::add, Arch>(samples, inputs, inputs, outputs, x, dy, d_kernel);
}

/// dx = dy kernel^T. Assigns dx (samples, inputs). `packed` is what dense_pack made of the kernel.
template <DenseProducts products, class Arch = DefaultArch, class T, class Inputs>
void dense_backward_input(std::size_t samples, Inputs inputs, std::size_t outputs, const T* dy,
                          const T* kernel, const T* packed, T* dx) {
  if constexpr (products == DenseProducts::blas) {
    blas::gemm(blas::Transpose::no, blas::Transpose::yes, samples, inputs, outputs, dy, outputs, kernel,
               outputs, T{0}, dx, inputs);
    return;
  }
  gather_gemm<Arch>(samples, inputs, Walk{.length = outputs}, Rows<const T>{dy, outputs}, packed, inputs,
                    static_cast<const T*>(nullptr), Rows<T>{dx, inputs});
}

}  // namespace digitnet::kernels
