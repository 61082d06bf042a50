// The one place that includes xtensor: public containers, and typed views of a micro-batch.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#if __has_include(<xtensor/xtensor.hpp>)
#include <xtensor/xadapt.hpp>
#include <xtensor/xtensor.hpp>
#else  // xtensor 0.26 and later sort their headers into folders
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xtensor.hpp>
#endif

#include "digitnet/core/error.hpp"
#include "digitnet/core/shape.hpp"

namespace digitnet {

/// What the library hands out and takes in: n samples along the first axis, row-major, channels last.
/// (n, height, width, channels), one byte a pixel
using Images = xt::xtensor<std::uint8_t, 4>;
/// (n, features)
using Matrix = xt::xtensor<float, 2>;
/// (n), the class of each sample
using Labels = xt::xtensor<std::uint32_t, 1>;

static_assert(XTENSOR_DEFAULT_LAYOUT == xt::layout_type::row_major,
              "digitnet's arrays are row-major: leave XTENSOR_DEFAULT_LAYOUT as it is, and give single "
              "containers xt::layout_type::column_major");

/// An xtensor view of somebody else's numbers. What is assigned to it is written to these numbers, also where
/// it is another such view (xtensor's own adaptors would then write nothing, and look elsewhere from then
/// on).
template <class Adaptor>
class ArrayView : public Adaptor {
 public:
  ArrayView(Adaptor adaptor) : Adaptor(std::move(adaptor)) {}
  ArrayView(const ArrayView&) = default;
  ~ArrayView() = default;
  /// Throws an Error if the shapes differ.
  ArrayView& operator=(const ArrayView& other) {
    check(other.shape());
    std::copy(other.storage().begin(), other.storage().end(), this->storage().begin());
    return *this;
  }
  template <class Expression>
  ArrayView& operator=(const xt::xexpression<Expression>& values) {
    check(values.derived_cast().shape());
    Adaptor::operator=(values);
    return *this;
  }

 private:
  void check(const auto& extents) const {
    if (!std::equal(this->shape().begin(), this->shape().end(), extents.begin(), extents.end()))
      fail("An array of one shape was assigned to a view of another: the shapes must be equal");
  }
};

namespace detail {

template <class T, class Extents>
auto view_of(T* data, std::size_t size, const Extents& extents) {
  return ArrayView(xt::adapt<xt::layout_type::row_major>(data, size, xt::no_ownership(), extents));
}

}  // namespace detail

/// n samples of a shape known to the compiler, somewhere in memory that another object owns.
template <class T, class SampleShape>
struct View {
  using Shape = SampleShape;

  T* data = nullptr;
  std::size_t samples = 0;

  T* sample(std::size_t i) const { return data + i * Shape::size; }
  std::size_t size() const { return samples * Shape::size; }
  /// The same memory as an xtensor expression of shape (samples, ...); what is assigned to it is written
  /// there.
  auto array() const {
    std::array<std::size_t, Shape::rank + 1> extents{samples};
    for (std::size_t axis = 0; axis < Shape::rank; ++axis) extents[axis + 1] = Shape::extents[axis];
    return detail::view_of(data, size(), extents);
  }
};

/// One tensor (a parameter or its gradient) of a shape known to the compiler.
template <class T, class TensorShape>
struct TensorView {
  using Shape = TensorShape;

  T* data = nullptr;

  static constexpr std::size_t size() { return Shape::size; }
  /// The same memory as an xtensor expression.
  auto array() const { return detail::view_of(data, size(), Shape::extents); }
};

}  // namespace digitnet
