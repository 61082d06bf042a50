// IDX files as arrays that are mapped, not read: for data larger than memory.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/mapped_file.hpp"
#include "digitnet/core/tensor.hpp"
#include "digitnet/data/idx.hpp"

namespace digitnet {

namespace detail {

/// An IDX file's elements, where they are mapped. `extents` become the file's, which must have so many axes.
/// Throws an Error if the file is missing, packed, damaged, too short or too long, or holds something else.
DIGITNET_INLINE std::shared_ptr<const MappedFile> map_idx(const std::string& path, int type,
                                                          std::span<std::size_t> extents);

}  // namespace detail

namespace idx {

/// The array of an IDX file, row-major. Copies refer to the same file. Samples and Targets take it.
template <class T, std::size_t Rank>
class MappedArray {
 public:
  using value_type = T;
  static constexpr xt::layout_type static_layout = xt::layout_type::row_major;

  MappedArray(std::shared_ptr<const MappedFile> file, const std::array<std::size_t, Rank>& extents)
      : file_(std::move(file)), extents_(extents) {
    std::size_t stride = 1;
    for (std::size_t axis = Rank; axis-- > 0; stride *= extents_[axis]) strides_[axis] = stride;
    size_ = stride;
  }

  const std::array<std::size_t, Rank>& shape() const { return extents_; }
  const std::array<std::size_t, Rank>& strides() const { return strides_; }
  std::size_t size() const { return size_; }
  const T* data() const { return reinterpret_cast<const T*>(file_->bytes().data() + 4 + 4 * Rank); }
  template <class... Index>
  requires(sizeof...(Index) == Rank) T operator()(Index... index) const {
    std::size_t place = 0, axis = 0;
    ((place += static_cast<std::size_t>(index) * strides_[axis++]), ...);
    return data()[place];
  }
  const std::shared_ptr<const MappedFile>& file() const { return file_; }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::array<std::size_t, Rank> extents_, strides_{};
  std::size_t size_ = 0;
};

/// Maps an IDX file of bytes: `trainer.fit({idx::map<std::uint8_t, 3>("images"), idx::map<std::uint8_t,
/// 1>("labels")})` trains on files of any size. Samples in any order are then read from the disk as they are
/// needed; IdxStream is quicker where the system cannot keep the file in its cache. The file must stay as it
/// is. Throws an Error if it is missing, packed, damaged, too short or too long, or holds something else.
template <class T, std::size_t Rank>
MappedArray<T, Rank> map(const std::string& path) {
  static_assert(
      std::is_same_v<T, std::uint8_t> || std::is_same_v<T, std::int8_t>,
      "Only bytes can be mapped, for IDX has the bytes of larger numbers in reverse order: read_idx "
      "reads them");
  std::array<std::size_t, Rank> extents{};
  auto file = digitnet::detail::map_idx(path, digitnet::detail::idx_type_code<T>(), extents);
  return {std::move(file), extents};
}

}  // namespace idx

}  // namespace digitnet

#if DIGITNET_BODIES
#include "digitnet/core/error.hpp"

namespace digitnet::detail {

DIGITNET_INLINE std::shared_ptr<const MappedFile> map_idx(const std::string& path, int type,
                                                          std::span<std::size_t> extents) {
  const bool packed = IdxReader(path, type, 1, extents).is_packed();
  if (packed) fail(path + " is packed and cannot be mapped: gunzip it first");
  auto file = std::make_shared<const MappedFile>(path);
  check_idx_size(path, file->bytes().size(), 1, extents);
  return file;
}

}  // namespace digitnet::detail
#endif
