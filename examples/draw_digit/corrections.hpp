// Digits that were read wrongly, with what was meant: kept as IDX files, as MNIST is.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <digitnet/core/dataset.hpp>
#include <digitnet/core/file_lock.hpp>
#include <mutex>
#include <string>

namespace draw {

/// A folder with images.idx3-ubyte and labels.idx1-ubyte. Whenever the process or the machine ends, what was
/// stored before is there and its images and labels fit: images are written before labels, each file whole or
/// not at all, and an image without a label is dropped.
class Corrections {
 public:
  /// At most this many are kept.
  static constexpr std::size_t most = 10'000;

  /// Reads what the folder has; makes the folder if there is none. Throws an Error if it cannot be read or
  /// written, or if another process uses it.
  explicit Corrections(const std::string& folder);

  /// Stores a (28, 28) image; returns how many there are now. Throws an Error if the disk is full.
  std::size_t add(const std::array<std::uint8_t, 28 * 28>& image, std::uint8_t label);
  /// All of them.
  digitnet::Dataset data() const;
  std::size_t size() const;

 private:
  void store(const digitnet::Dataset& data) const;

  digitnet::FileLock lock_;
  std::string images_path_, labels_path_;
  mutable std::mutex mutex_{};
  digitnet::Dataset data_{};
};

/// The training images with the corrections among them, repeated so that about a twentieth are corrections,
/// but none more than 50 times.
digitnet::Dataset with_corrections(const digitnet::Dataset& train, const digitnet::Dataset& corrections);

}  // namespace draw
