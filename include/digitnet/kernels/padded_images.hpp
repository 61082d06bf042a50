// Images with a border of zeros, so that no window needs an exception at the border.
#pragma once
#include <algorithm>
#include <cstddef>

#include "digitnet/core/shape.hpp"

namespace digitnet::kernels {

/// An image and the zeros around it.
struct Border {
  Extent inner;
  std::size_t channels;
  /// Zero rows above and zero columns left
  Extent before;
  /// Extents of the image with its zeros
  Extent outer;

  constexpr bool is_empty() const { return inner == outer; }
  /// Elements of scratch that padding needs.
  constexpr std::size_t size() const { return is_empty() ? 0 : outer.height * outer.width * channels; }
  /// Elements from the start of the whole to that of a row of the image.
  constexpr std::size_t row(std::size_t i) const {
    return ((i + before.height) * outer.width + before.width) * channels;
  }
};

/// Zeroes what lies around the image in scratch, once for many images.
template <Border F, class T>
void clear_padding(T* scratch) {
  if constexpr (F.is_empty()) return;
  T* from = scratch;
  for (std::size_t i = 0; i < F.inner.height; ++i) {
    std::fill(from, scratch + F.row(i), T{0});
    from = scratch + F.row(i) + F.inner.width * F.channels;
  }
  std::fill(from, scratch + F.size(), T{0});
}

/// The padded image: a copy in scratch, whose border is clear, or the image itself where there is
/// none.
template <Border F, class T>
const T* add_padding(const T* image, T* scratch) {
  if constexpr (F.is_empty()) return image;
  constexpr std::size_t row = F.inner.width * F.channels;
  for (std::size_t i = 0; i < F.inner.height; ++i) std::copy_n(image + i * row, row, scratch + F.row(i));
  return scratch;
}

/// Images that are padded in scratch one at a time: what is asked for lasts until the next one is.
template <Border F, class T>
class PaddedImages {
 public:
  PaddedImages(const T* images, T* scratch) : images_(images), scratch_(scratch) {
    clear_padding<F>(scratch);
  }
  const T* operator()(std::size_t sample) const {
    return add_padding<F>(images_ + sample * F.inner.height * F.inner.width * F.channels, scratch_);
  }

 private:
  const T* images_;
  T* scratch_;
};

/// The inner image, without its border.
template <Border F, class T>
void remove_padding(const T* padded, T* image) {
  constexpr std::size_t row = F.inner.width * F.channels;
  for (std::size_t i = 0; i < F.inner.height; ++i) std::copy_n(padded + F.row(i), row, image + i * row);
}

}  // namespace digitnet::kernels
