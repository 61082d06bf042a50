// IDX, the file format of MNIST: arrays of any rank and element type, plain or gzip.
//
// The format (http://yann.lecun.com/exdb/mnist): two zero bytes, the element type, the rank, one big-endian
// 32-bit extent an axis, then the elements, big-endian, row-major.
#pragma once
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "digitnet/core/atomic_file.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/open_file.hpp"
#include "digitnet/core/tensor.hpp"

namespace digitnet {

namespace detail {

template <class T>
constexpr int idx_type_code() {
  if constexpr (std::is_same_v<T, std::uint8_t>) return 0x08;
  if constexpr (std::is_same_v<T, std::int8_t>) return 0x09;
  if constexpr (std::is_same_v<T, std::int16_t>) return 0x0B;
  if constexpr (std::is_same_v<T, std::int32_t>) return 0x0C;
  if constexpr (std::is_same_v<T, float>) return 0x0D;
  if constexpr (std::is_same_v<T, double>) return 0x0E;
  return 0;
}

inline std::string idx_type_name(int code) {
  switch (code) {
    case 0x08:
      return "uint8";
    case 0x09:
      return "int8";
    case 0x0B:
      return "int16";
    case 0x0C:
      return "int32";
    case 0x0D:
      return "float32";
    case 0x0E:
      return "float64";
    default:
      return "";
  }
}

/// The bytes of a file, unpacked if it is gzip.
class IdxReader {
 public:
  explicit IdxReader(const std::string& path) : path_(path) {
    InputFile file(path_);
    file_size_ = file.size();
    if (file_size_ == 0) fail(path_ + " is empty, but an IDX file has at least 8 bytes: get it again");
    file_.reset(gzdopen(file.descriptor(), "rb"));
    if (!file_) fail(path_ + " cannot be read: zlib has no memory");
    // Zlib closes it.
    file.release();
  }

  /// Throws unless all `size` bytes are there.
  void read(void* to, std::size_t size, const char* what) {
    auto* place = static_cast<unsigned char*>(to);
    for (std::size_t done = 0; done < size;) {
      const auto step = static_cast<unsigned>(std::min<std::size_t>(size - done, 1u << 24));
      const int got = gzread(file_.get(), place + done, step);
      if (got < 0) fail_corrupt();
      if (got == 0) {
        check_stream();
        fail(path_ + " ends within " + what + ", " + std::to_string(size - done) +
             " bytes too early: it is truncated, get it again");
      }
      done += static_cast<std::size_t>(got);
    }
  }
  void check_end() {
    unsigned char extra;
    const int got = gzread(file_.get(), &extra, 1);
    if (got > 0)
      fail(path_ + " goes on after its last element: its header and its length disagree, get it again");
    if (got < 0) fail_corrupt();
    check_stream();
  }
  bool is_packed() { return gzdirect(file_.get()) == 0; }
  /// Bytes that it may hold, unpacked: deflate packs 1000 to 1 at best, pictures 2 to 10 to 1. A small file
  /// shall not take all memory.
  std::uintmax_t most_bytes() { return is_packed() ? (60u << 20) + 4 * file_size_ : file_size_; }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  void check_stream() {
    int code = Z_OK;
    gzerror(file_.get(), &code);
    if (code != Z_OK && code != Z_STREAM_END) fail_corrupt();
  }
  [[noreturn]] void fail_corrupt() {
    int code = Z_OK;
    const char* const reason = gzerror(file_.get(), &code);
    if (code == Z_BUF_ERROR) fail(path_ + " ends within its gzip data: it is truncated, get it again");
    fail(path_ + " is damaged gzip data (" + (code == Z_ERRNO ? std::strerror(errno) : reason) +
         "): get it again");
  }

  std::string path_;
  std::uintmax_t file_size_ = 0;
  std::unique_ptr<std::remove_pointer_t<gzFile>, Close> file_;
};

// Between the machine's byte order and the file's, which is big-endian.
template <class T>
void swap_big_endian(T* values, std::size_t count) {
  if constexpr (sizeof(T) > 1 && std::endian::native == std::endian::little)
    for (std::size_t i = 0; i < count; ++i) {
      auto bytes = std::bit_cast<std::array<std::byte, sizeof(T)>>(values[i]);
      for (std::size_t j = 0; j < sizeof(T) / 2; ++j) std::swap(bytes[j], bytes[sizeof(T) - 1 - j]);
      values[i] = std::bit_cast<T>(bytes);
    }
}

}  // namespace detail

/// Reads an IDX file, plain or gzip, into an array of exactly this element type and rank. Throws an Error if
/// the file is missing, truncated, damaged or too long, or holds something else; a header that claims more
/// than the file can hold is refused before memory is taken.
template <class T, std::size_t Rank>
xt::xtensor<T, Rank> read_idx(const std::string& path) {
  static_assert(detail::idx_type_code<T>() != 0,
                "IDX holds std::uint8_t, std::int8_t, std::int16_t, std::int32_t, float or double");
  detail::IdxReader reader(path);
  const std::string& name = path;
  unsigned char magic[4];
  reader.read(magic, sizeof magic, "its header");
  const std::string found_type = detail::idx_type_name(magic[2]);
  if (magic[0] != 0 || magic[1] != 0 || found_type.empty()) {
    char text[16];
    std::snprintf(text, sizeof text, "%02x%02x%02x%02x", magic[0], magic[1], magic[2], magic[3]);
    fail(name + " begins with " + text +
         ", which is no IDX magic number (0000, element type, rank): is it another file?");
  }
  if (magic[2] != detail::idx_type_code<T>())
    fail(name + " holds elements of type " + found_type + ", but " +
         detail::idx_type_name(detail::idx_type_code<T>()) + " is expected here");
  if (magic[3] != Rank)
    fail(name + " holds an array of rank " + std::to_string(magic[3]) + ", but rank " + std::to_string(Rank) +
         " is expected here: are images and labels exchanged?");
  std::array<std::size_t, Rank> extents;
  std::uintmax_t bytes = sizeof(T);
  // Beside an axis without elements others may be long, but not absurd: strides are their products.
  const std::uintmax_t most_of_empty = std::uintmax_t{1} << 40;
  std::uintmax_t most = reader.most_bytes();
  const std::uintmax_t absurd = std::max(most, most_of_empty);
  for (std::size_t axis = 0; axis < Rank; ++axis) {
    unsigned char digits[4];
    reader.read(digits, sizeof digits, "its header");
    extents[axis] =
        std::size_t{digits[0]} << 24 | std::size_t{digits[1]} << 16 | std::size_t{digits[2]} << 8 | digits[3];
    if (extents[axis] == 0) most = absurd;
    // Neither factor exceeds 2^32 times what is absurd, so the product cannot wrap before it is compared.
    const std::size_t extent = std::max<std::size_t>(extents[axis], 1);
    bytes = bytes > absurd / extent + 1 ? absurd + 1 : bytes * extent;
  }
  if (bytes > most && reader.is_packed())
    fail(
        name +
        " claims more than 60 MiB and four times the file's size: its header is damaged, or gunzip it first");
  if (bytes > most)
    fail(name +
         " claims more elements than a file of its size can hold: its header is damaged or it is truncated, "
         "get "
         "it again");
  auto array = xt::xtensor<T, Rank>::from_shape(extents);
  reader.read(array.data(), array.size() * sizeof(T), "its elements");
  reader.check_end();
  detail::swap_big_endian(array.data(), array.size());
  return array;
}

/// Writes an array as an IDX file, gzip if the name ends with ".gz". The file appears whole or not at all.
template <class T, std::size_t Rank>
void write_idx(const std::string& path, const xt::xtensor<T, Rank>& array) {
  static_assert(detail::idx_type_code<T>() != 0 && Rank >= 1 && Rank <= 255,
                "IDX holds std::uint8_t, std::int8_t, std::int16_t, std::int32_t, float or double");
  std::vector<unsigned char> bytes{0, 0, detail::idx_type_code<T>(), Rank};
  for (const auto extent : array.shape()) {
    if (extent > 0xffffffffu) fail("An axis of " + std::to_string(extent) + " elements is too long for IDX");
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<unsigned char>(extent >> shift & 0xff));
  }
  std::vector<T> values(array.begin(), array.end());
  detail::swap_big_endian(values.data(), values.size());
  const auto* const first = reinterpret_cast<const unsigned char*>(values.data());
  bytes.insert(bytes.end(), first, first + values.size() * sizeof(T));
  if (path.ends_with(".gz")) {
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      fail(path + " cannot be packed: zlib has no memory");
    std::vector<unsigned char> packed(deflateBound(&stream, static_cast<uLong>(bytes.size())));
    stream.next_in = bytes.data();
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = packed.data();
    stream.avail_out = static_cast<uInt>(packed.size());
    const int result = deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    if (result != Z_STREAM_END) fail(path + " is too large to be packed at once: write it without .gz");
    bytes = std::move(packed);
  }
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

/// Labels: as bytes if they fit, which is what MNIST's files have, else as std::int32_t.
inline void write_idx(const std::string& path, const Labels& labels) {
  const auto largest = std::max_element(labels.begin(), labels.end());
  if (largest == labels.end() || *largest <= 0xff)
    write_idx(path, xt::xtensor<std::uint8_t, 1>(labels));
  else
    write_idx(path, xt::xtensor<std::int32_t, 1>(labels));
}

}  // namespace digitnet
