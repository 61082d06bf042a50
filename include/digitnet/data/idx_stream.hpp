// IdxStream: a data set in IDX files that is larger than memory, read part by part.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/open_file.hpp"
#include "digitnet/core/sample_stream.hpp"

namespace digitnet {

/// How an IdxStream reads.
struct IdxStreamOptions {
  /// Samples that lie together and stay together while the file is shuffled: large enough that the disk reads
  /// them at once, small enough that a part mixes many of them.
  std::size_t block = 512;
  /// Samples that are in memory, shuffled, as one part. There are two parts.
  std::size_t part = 65'536;
};

/// Samples from one plain IDX file, labels from another. An epoch that is shuffled takes the blocks of the
/// file in a random order; `fit` shuffles each part. So nothing is in memory but two parts, and the disk
/// reads long pieces.
class IdxStream final : public SampleStream {
 public:
  /// Samples are bytes or floats, labels bytes or std::int32_t. Throws an Error if a file is missing, packed,
  /// damaged or holds something else, or if the numbers of samples and labels differ.
  IdxStream(const std::string& samples, const std::string& labels, IdxStreamOptions options = {});

  std::size_t count() const override { return samples_.extents[0]; }
  std::size_t part() const override { return options_.part; }
  void begin_epoch(RandomKey key, bool shuffle) override;
  DataView read(std::size_t samples) override;
  void skip(std::size_t samples) override { next_ += samples; }
  std::string text() const override;

 private:
  // A file whose elements can be read anywhere.
  struct File {
    explicit File(const std::string& path);
    std::size_t sample_bytes() const;
    void read(std::size_t first, std::size_t count, std::byte* to) const;

    InputFile file;
    int type = 0;
    std::size_t element_bytes = 1;
    std::vector<std::size_t> extents;
  };
  // Calls take(first, count) for each run of the next samples that lies together.
  template <class Take>
  void for_each_run(std::size_t samples, const Take& take) const;
  template <class T>
  Samples read_samples(std::size_t samples) const;
  template <class T>
  std::vector<T> read_labels(std::size_t samples) const;

  IdxStreamOptions options_;
  File samples_, labels_;
  // In which the blocks of the file are read, and where in this order the next sample lies.
  std::vector<std::uint32_t> blocks_;
  std::size_t next_ = 0;
};

}  // namespace digitnet

#if DIGITNET_BODIES
#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <utility>

#include "digitnet/core/error.hpp"
#include "digitnet/data/idx.hpp"

namespace digitnet {

DIGITNET_INLINE IdxStream::File::File(const std::string& path) : file(path) {
  unsigned char magic[4] = {};
  if (file.size() >= sizeof magic) file.read_at(0, magic, sizeof magic);
  if (magic[0] == 0x1f && magic[1] == 0x8b)
    fail(path + " is packed and cannot be read in parts: gunzip it first");
  type = magic[2];
  element_bytes = type == 0x08 || type == 0x09 ? 1 : type == 0x0B ? 2 : type == 0x0E ? 8 : 4;
  extents.resize(std::max<std::size_t>(1, magic[3]));
  detail::IdxReader(path, type, element_bytes, extents);
  detail::check_idx_size(path, file.size(), element_bytes, extents);
}

DIGITNET_INLINE std::size_t IdxStream::File::sample_bytes() const {
  return std::accumulate(extents.begin() + 1, extents.end(), element_bytes, std::multiplies<>());
}

DIGITNET_INLINE void IdxStream::File::read(std::size_t first, std::size_t count, std::byte* to) const {
  file.read_at(4 + 4 * extents.size() + first * sample_bytes(), to, count * sample_bytes());
}

DIGITNET_INLINE IdxStream::IdxStream(const std::string& samples, const std::string& labels,
                                     IdxStreamOptions options)
    : options_(options), samples_(samples), labels_(labels) {
  if (options_.block == 0 || options_.part == 0)
    fail("A block and a part of an IdxStream have at least 1 sample, but " +
         std::to_string(std::min(options_.block, options_.part)) + " were asked for");
  if (samples_.type != 0x08 && samples_.type != 0x0D)
    fail(samples + " holds neither bytes nor floats, but samples are one of these");
  if (labels_.extents.size() != 1 || (labels_.type != 0x08 && labels_.type != 0x0C))
    fail(labels +
         " holds no labels, which are bytes or std::int32_t, one for each sample: are samples and "
         "labels exchanged?");
  if (labels_.extents[0] != count())
    fail(samples + " has " + std::to_string(count()) + " samples, but " + labels + " has " +
         std::to_string(labels_.extents[0]) + " labels: every sample needs one");
  begin_epoch({}, false);
}

DIGITNET_INLINE void IdxStream::begin_epoch(RandomKey key, bool shuffle) {
  next_ = 0;
  // The last block may be smaller, and stays at the end.
  const std::size_t whole = count() / options_.block;
  blocks_.resize(whole + (count() % options_.block > 0));
  std::iota(blocks_.begin(), blocks_.end(), std::uint32_t{0});
  if (shuffle) digitnet::shuffle(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(whole), key);
}

template <class Take>
void IdxStream::for_each_run(std::size_t samples, const Take& take) const {
  for (std::size_t place = next_; place < next_ + samples;) {
    const std::size_t in_block = place % options_.block;
    const std::size_t run = std::min(next_ + samples - place, options_.block - in_block);
    take(blocks_[place / options_.block] * options_.block + in_block, run);
    place += run;
  }
}

template <class T>
Samples IdxStream::read_samples(std::size_t samples) const {
  std::vector<std::size_t> extents = samples_.extents;
  extents[0] = samples;
  const std::size_t bytes = samples_.sample_bytes();
  const auto values = std::make_shared_for_overwrite<T[]>(samples * bytes / sizeof(T));
  auto* to = reinterpret_cast<std::byte*>(values.get());
  for_each_run(samples, [&](std::size_t first, std::size_t run) {
    samples_.read(first, run, to);
    to += run * bytes;
  });
  detail::swap_big_endian(reinterpret_cast<unsigned char*>(values.get()), samples * bytes / sizeof(T),
                          sizeof(T));
  return Samples(std::shared_ptr<const T[]>(values), std::move(extents));
}

template <class T>
std::vector<T> IdxStream::read_labels(std::size_t samples) const {
  std::vector<T> values(samples);
  auto* to = reinterpret_cast<std::byte*>(values.data());
  for_each_run(samples, [&](std::size_t first, std::size_t run) {
    labels_.read(first, run, to);
    to += run * sizeof(T);
  });
  detail::swap_big_endian(reinterpret_cast<unsigned char*>(values.data()), samples, sizeof(T));
  return values;
}

DIGITNET_INLINE DataView IdxStream::read(std::size_t samples) {
  DataView result(samples_.type == 0x0D ? read_samples<float>(samples) : read_samples<std::uint8_t>(samples),
                  labels_.type == 0x0C ? Targets(read_labels<std::int32_t>(samples))
                                       : Targets(read_labels<std::uint8_t>(samples)));
  next_ += samples;
  return result;
}

DIGITNET_INLINE std::string IdxStream::text() const {
  return "IDX files of " + detail::shape_text(std::span<const std::size_t>(samples_.extents).subspan(1)) +
         " in blocks of " + std::to_string(options_.block);
}

}  // namespace digitnet
#endif
