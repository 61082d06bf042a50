// Class labels: whole numbers of any type, and the class that a model's outputs stand for.
#pragma once
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/row_major.hpp"
#include "digitnet/core/tensor.hpp"

namespace digitnet {

/// The class of each sample: whole numbers of any type, (n) or (n, 1), which must outlive this; a temporary
/// is kept. Throws an Error if one of them is negative.
class LabelView {
 public:
  LabelView() = default;
  template <detail::AnyArray Array>
  requires(!std::same_as<std::remove_cvref_t<Array>, LabelView>) LabelView(Array&& array) {
    static_assert(std::integral<detail::ElementOf<Array>>,
                  "Labels are whole numbers: give an array of an integer type, such as int");
    if constexpr (std::integral<detail::ElementOf<Array>>)
      take(detail::row_major(std::forward<Array>(array)));
  }
  LabelView(std::initializer_list<int> labels) {
    auto kept = std::make_shared<std::vector<int>>(labels);
    take(detail::RowMajor<int>{{kept->size()}, kept->data(), kept});
  }

  std::size_t size() const { return size_; }
  std::size_t operator()(std::size_t index) const {
    switch (width_) {
      case 1:
        return static_cast<const std::uint8_t*>(data_)[index];
      case 2:
        return static_cast<const std::uint16_t*>(data_)[index];
      case 4:
        return static_cast<const std::uint32_t*>(data_)[index];
      default:
        return static_cast<std::size_t>(static_cast<const std::uint64_t*>(data_)[index]);
    }
  }

  /// Throws unless every label is below `classes`.
  void check_below(std::size_t classes, const std::string& because) const;

 private:
  // Where no number is negative, its bytes are those of an unsigned one.
  template <class T>
  void take(detail::RowMajor<T> labels) {
    const auto& extents = labels.extents;
    if (extents.empty() || extents.size() > 2 || (extents.size() == 2 && extents[1] != 1))
      fail("Labels are one whole number a sample, but an array of " + std::to_string(extents.size()) +
           " axes was given: one-hot rows are floats");
    size_ = extents[0];
    if constexpr (std::is_signed_v<T>)
      for (std::size_t i = 0; i < size_; ++i)
        if (labels.data[i] < 0)
          fail("Label " + std::to_string(labels.data[i]) + " of sample " + std::to_string(i) +
               " is negative: the first class is 0");
    data_ = labels.data;
    owner_ = std::move(labels.owner);
    width_ = sizeof(T);
  }

  const void* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t width_ = 1;
  std::shared_ptr<const void> owner_{};
};

/// What `predicted_class` returns for outputs that are not numbers.
inline constexpr std::size_t no_class = ~std::size_t{0};

/// The class that a row of outputs stands for: the largest one, or, of a single output, whether it is above
/// `half` (one half for a probability, 0 for a number before the sigmoid). NaN stands for no class.
inline std::size_t predicted_class(std::size_t outputs, const float* row, float half = 0.5f) {
  std::size_t best = 0;
  for (std::size_t i = 0; i < outputs; ++i) {
    if (std::isnan(row[i])) return no_class;
    if (row[i] > row[best]) best = i;
  }
  return outputs == 1 ? row[0] > half : best;
}

/// The classes that rows of outputs stand for. Throws an Error if an output is NaN.
DIGITNET_INLINE Labels classes_of(const Matrix& outputs, float half = 0.5f);

}  // namespace digitnet

#if DIGITNET_BODIES
namespace digitnet {

DIGITNET_INLINE void LabelView::check_below(std::size_t classes, const std::string& because) const {
  for (std::size_t i = 0; i < size_; ++i)
    if ((*this)(i) >= classes)
      fail("Label " + std::to_string((*this)(i)) + " of sample " + std::to_string(i) +
           " is beyond the last class " + std::to_string(classes - 1) + ": " + because);
}

DIGITNET_INLINE Labels classes_of(const Matrix& outputs, float half) {
  const std::size_t count = outputs.shape()[0], size = outputs.shape()[1];
  Labels classes(std::array<std::size_t, 1>{count});
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t best = predicted_class(size, outputs.data() + i * size, half);
    if (best == no_class)
      fail("The model answers NaN to sample " + std::to_string(i) +
           ", which stands for no class: its parameters are broken, train it with a smaller learning rate");
    classes(i) = static_cast<Labels::value_type>(best);
  }
  return classes;
}

}  // namespace digitnet
#endif
