// Any array as row-major numbers: used where they are if they lie so, else copied.
#pragma once
#include <cstddef>
#include <iterator>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "digitnet/core/tensor.hpp"

namespace digitnet::detail {

/// Something with a shape: an xtensor container, view or expression.
template <class Array>
concept HasShape = requires(const std::remove_cvref_t<Array>& array) {
  array.shape().begin();
  typename std::remove_cvref_t<Array>::value_type;
};

/// Numbers in a row, such as std::vector or std::span.
template <class Array>
concept Row = !HasShape<Array> && std::ranges::contiguous_range<std::remove_cvref_t<Array>> &&
              std::ranges::sized_range<std::remove_cvref_t<Array>>;

template <class Array>
concept AnyArray = HasShape<Array> || Row<Array>;

template <HasShape Array>
std::type_identity<typename Array::value_type> element_of(const Array&);
template <Row Array>
std::type_identity<std::ranges::range_value_t<Array>> element_of(const Array&);

/// The type of the numbers of an array.
template <class Array>
using ElementOf = std::remove_cvref_t<typename decltype(element_of(
    std::declval<const std::remove_cvref_t<Array>&>()))::type>;

/// Whether the numbers lie in row-major order, as the type says.
template <class Array>
inline constexpr bool lies_row_major = [] {
  using Plain = std::remove_cvref_t<Array>;
  if constexpr (Row<Array>)
    return true;
  else if constexpr (
      requires(const Plain& array) {
        array.data();
        array.strides();
        Plain::static_layout;
      } &&
      !requires(const Plain& array) { array.expression(); })
    return Plain::static_layout == xt::layout_type::row_major;
  else
    return false;
}();

/// What an array was taken for: its extents, its numbers in row-major order, and who owns them.
template <class T>
struct RowMajor {
  std::vector<std::size_t> extents{};
  const T* data = nullptr;
  /// Owner of the numbers; null: the array, which must outlive this
  std::shared_ptr<const void> owner{};
};

/// An array that outlives the result is referred to if it lies in row-major order. A temporary is kept, and
/// anything else is copied.
template <AnyArray Array>
RowMajor<ElementOf<Array>> row_major(Array&& array) {
  using Plain = std::remove_cvref_t<Array>;
  RowMajor<ElementOf<Array>> result;
  if constexpr (HasShape<Array>)
    result.extents.assign(array.shape().begin(), array.shape().end());
  else
    result.extents = {std::ranges::size(array)};
  if constexpr (!lies_row_major<Array>) {
    auto copy = std::make_shared<std::vector<ElementOf<Array>>>();
    copy->assign(array.template begin<xt::layout_type::row_major>(),
                 array.template end<xt::layout_type::row_major>());
    result.data = copy->data();
    result.owner = std::move(copy);
  } else if constexpr (std::is_lvalue_reference_v<Array>) {
    result.data = std::data(array);
  } else {
    auto kept = std::make_shared<Plain>(std::forward<Array>(array));
    result.data = std::data(std::as_const(*kept));
    result.owner = std::move(kept);
  }
  return result;
}

}  // namespace digitnet::detail
