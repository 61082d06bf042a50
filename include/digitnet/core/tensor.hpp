// The one place that includes xtensor: public containers, and typed views of a micro-batch.
#pragma once
#include <cstddef>
#include <cstdint>
#if __has_include(<xtensor/xtensor.hpp>)
#include <xtensor/xadapt.hpp>
#include <xtensor/xtensor.hpp>
#else  // xtensor 0.26 and later sort their headers into folders
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xtensor.hpp>
#endif

#include "digitnet/core/shape.hpp"

namespace digitnet {

/// What the library hands out and takes in: n samples along the first axis, row-major, channels last.
using Images = xt::xtensor<std::uint8_t, 4>;  ///< (n, height, width, channels), one byte a pixel
using Matrix = xt::xtensor<float, 2>;         ///< (n, features)
using Labels = xt::xtensor<std::uint8_t, 1>;  ///< (n), the class of each sample

/// n samples of a shape known to the compiler, somewhere in memory that another object owns.
template <class T, class SampleShape>
struct View {
  using Shape = SampleShape;

  T* data = nullptr;
  std::size_t samples = 0;

  T* sample(std::size_t i) const { return data + i * Shape::size; }
  std::size_t size() const { return samples * Shape::size; }
  /// The same memory as an xtensor expression of shape (samples, ...).
  auto array() const {
    std::array<std::size_t, Shape::rank + 1> extents{samples};
    for (std::size_t axis = 0; axis < Shape::rank; ++axis) extents[axis + 1] = Shape::extents[axis];
    return xt::adapt(data, size(), xt::no_ownership(), extents);
  }
};

/// One tensor (a parameter or its gradient) of a shape known to the compiler.
template <class T, class TensorShape>
struct TensorView {
  using Shape = TensorShape;

  T* data = nullptr;

  static constexpr std::size_t size() { return Shape::size; }
  /// The same memory as an xtensor expression.
  auto array() const { return xt::adapt(data, size(), xt::no_ownership(), Shape::extents); }
};

}  // namespace digitnet
