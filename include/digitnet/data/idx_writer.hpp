// IdxWriter: an IDX file written piece by piece, for data larger than memory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "digitnet/core/atomic_file.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/data/idx.hpp"

namespace digitnet {

/// Bytes, such as images or labels. The file appears whole, or not at all.
class IdxWriter {
 public:
  /// Throws an Error if the file cannot be written.
  IdxWriter(const std::string& path, std::span<const std::size_t> extents) : path_(path), file_(path) {
    if (path.ends_with(".gz")) fail(path + " cannot be packed in pieces: write it without .gz");
    const std::vector<unsigned char> header =
        detail::idx_header(detail::idx_type_code<std::uint8_t>(), extents);
    file_.write(header.data(), header.size());
    for (const std::size_t extent : extents) left_ *= extent;
  }
  /// The next elements, row-major.
  void write(std::span<const std::uint8_t> elements) {
    if (elements.size() > left_)
      fail(path_ + " is to have " + std::to_string(left_) + " elements more, but was given " +
           std::to_string(elements.size()));
    file_.write(elements.data(), elements.size());
    left_ -= elements.size();
  }
  /// Makes the file appear. Throws an Error unless all elements were written.
  void commit() {
    if (left_ > 0) fail(path_ + " lacks its last " + std::to_string(left_) + " elements");
    file_.commit();
  }

 private:
  std::string path_;
  AtomicFile file_;
  std::size_t left_ = 1;
};

}  // namespace digitnet
