// IDX, the file format of MNIST: arrays of any rank and element type, plain or gzip.
//
// The format (http://yann.lecun.com/exdb/mnist): two zero bytes, the element type, the rank, one big-endian
// 32-bit extent an axis, then the elements, big-endian, row-major.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/tensor.hpp"

// zlib's gzFile points to one.
struct gzFile_s;

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

/// Reads one IDX file: its header at once, then its elements.
class IdxReader {
 public:
  /// `extents` become the file's, which must have so many axes and elements of that type.
  IdxReader(const std::string& path, int type, std::size_t element_bytes, std::span<std::size_t> extents);
  ~IdxReader();
  IdxReader(const IdxReader&) = delete;

  /// All elements, in the machine's byte order. Throws unless they are all that follows.
  void read_elements(void* to, std::size_t count, std::size_t element_bytes);
  /// Whether the file is gzip.
  bool is_packed();

 private:
  void open();
  void read_header(int type, std::size_t element_bytes, std::span<std::size_t> extents);
  // Throws unless all `size` bytes are there.
  void read(void* to, std::size_t size, const char* what);
  void check_end();
  void check_stream();
  [[noreturn]] void fail_corrupt();

  std::string path_;
  std::uintmax_t file_size_ = 0;
  gzFile_s* file_ = nullptr;
};

/// The bytes before the elements.
DIGITNET_INLINE std::vector<unsigned char> idx_header(int type, std::span<const std::size_t> extents);

/// Writes elements of that type as an IDX file.
DIGITNET_INLINE void write_idx_elements(const std::string& path, int type, std::size_t element_bytes,
                                        std::span<const std::size_t> extents, const void* elements);

}  // namespace detail

/// Reads an IDX file, plain or gzip, into an array of exactly this element type and rank. Throws an Error if
/// the file is missing, truncated, damaged or too long, or holds something else; a header that claims more
/// than the file can hold is refused before memory is taken.
template <class T, std::size_t Rank>
xt::xtensor<T, Rank> read_idx(const std::string& path) {
  static_assert(detail::idx_type_code<T>() != 0,
                "IDX holds std::uint8_t, std::int8_t, std::int16_t, std::int32_t, float or double");
  std::array<std::size_t, Rank> extents;
  detail::IdxReader reader(path, detail::idx_type_code<T>(), sizeof(T), extents);
  auto array = xt::xtensor<T, Rank>::from_shape(extents);
  reader.read_elements(array.data(), array.size(), sizeof(T));
  return array;
}

/// Writes an array as an IDX file, gzip if the name ends with ".gz". The file appears whole or not at all.
template <class T, std::size_t Rank>
void write_idx(const std::string& path, const xt::xtensor<T, Rank>& array) {
  static_assert(detail::idx_type_code<T>() != 0 && Rank >= 1 && Rank <= 255,
                "IDX holds std::uint8_t, std::int8_t, std::int16_t, std::int32_t, float or double");
  detail::write_idx_elements(path, detail::idx_type_code<T>(), sizeof(T), array.shape(), array.data());
}

/// Labels: as bytes if they fit, which is what MNIST's files have, else as std::int32_t.
DIGITNET_INLINE void write_idx(const std::string& path, const Labels& labels);

}  // namespace digitnet

#if DIGITNET_BODIES
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "digitnet/core/atomic_file.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/open_file.hpp"

namespace digitnet {

namespace detail {

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

// Between the machine's byte order and the file's, which is big-endian.
inline void swap_big_endian(unsigned char* elements, std::size_t count, std::size_t element_bytes) {
  if (element_bytes == 1 || std::endian::native == std::endian::big) return;
  for (std::size_t i = 0; i < count; ++i)
    std::reverse(elements + i * element_bytes, elements + (i + 1) * element_bytes);
}

/// Throws an Error unless a plain file of so many bytes ends with its last element.
inline void check_idx_size(const std::string& path, std::size_t found, std::size_t element_bytes,
                           std::span<const std::size_t> extents) {
  std::size_t wanted = element_bytes;
  for (const std::size_t extent : extents) wanted *= extent;
  wanted += 4 + 4 * extents.size();
  if (found < wanted)
    fail(path + " ends " + std::to_string(wanted - found) +
         " bytes before its last element: it is truncated, get it again");
  if (found > wanted)
    fail(path + " goes on after its last element: its header and its length disagree, get it again");
}

DIGITNET_INLINE IdxReader::IdxReader(const std::string& path, int type, std::size_t element_bytes,
                                     std::span<std::size_t> extents)
    : path_(path) {
  open();
  try {
    read_header(type, element_bytes, extents);
  } catch (...) {
    gzclose(file_);
    throw;
  }
}

DIGITNET_INLINE IdxReader::~IdxReader() { gzclose(file_); }

DIGITNET_INLINE void IdxReader::open() {
  InputFile file(path_);
  file_size_ = file.size();
  if (file_size_ == 0) fail(path_ + " is empty, but an IDX file has at least 8 bytes: get it again");
  file_ = gzdopen(file.descriptor(), "rb");
  if (!file_) fail(path_ + " cannot be read: zlib has no memory");
  // Zlib closes it.
  file.release();
}

DIGITNET_INLINE void IdxReader::read_header(int type, std::size_t element_bytes,
                                            std::span<std::size_t> extents) {
  unsigned char magic[4];
  read(magic, sizeof magic, "its header");
  const std::string found_type = idx_type_name(magic[2]);
  if (magic[0] != 0 || magic[1] != 0 || found_type.empty()) {
    char text[16];
    std::snprintf(text, sizeof text, "%02x%02x%02x%02x", magic[0], magic[1], magic[2], magic[3]);
    fail(path_ + " begins with " + text +
         ", which is no IDX magic number (0000, element type, rank): is it another file?");
  }
  if (magic[2] != type)
    fail(path_ + " holds elements of type " + found_type + ", but " + idx_type_name(type) +
         " is expected here");
  if (magic[3] != extents.size())
    fail(path_ + " holds an array of rank " + std::to_string(magic[3]) + ", but rank " +
         std::to_string(extents.size()) + " is expected here: are images and labels exchanged?");
  std::uintmax_t bytes = element_bytes;
  // Beside an axis without elements others may be long, but not absurd: strides are their products.
  const std::uintmax_t most_of_empty = std::uintmax_t{1} << 40;
  // Bytes that it may hold, unpacked: deflate packs 1000 to 1 at best, pictures 2 to 10 to 1. A small file
  // shall not take all memory.
  std::uintmax_t most = is_packed() ? (60u << 20) + 4 * file_size_ : file_size_;
  const std::uintmax_t absurd = std::max(most, most_of_empty);
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    unsigned char digits[4];
    read(digits, sizeof digits, "its header");
    extents[axis] =
        std::size_t{digits[0]} << 24 | std::size_t{digits[1]} << 16 | std::size_t{digits[2]} << 8 | digits[3];
    if (extents[axis] == 0) most = absurd;
    // Neither factor exceeds 2^32 times what is absurd, so the product cannot wrap before it is compared.
    const std::size_t extent = std::max<std::size_t>(extents[axis], 1);
    bytes = bytes > absurd / extent + 1 ? absurd + 1 : bytes * extent;
  }
  if (bytes > most && is_packed())
    fail(
        path_ +
        " claims more than 60 MiB and four times the file's size: its header is damaged, or gunzip it first");
  if (bytes > most)
    fail(path_ +
         " claims more elements than a file of its size can hold: its header is damaged or it is truncated, "
         "get "
         "it again");
}

DIGITNET_INLINE void IdxReader::read_elements(void* to, std::size_t count, std::size_t element_bytes) {
  read(to, count * element_bytes, "its elements");
  check_end();
  swap_big_endian(static_cast<unsigned char*>(to), count, element_bytes);
}

DIGITNET_INLINE void IdxReader::read(void* to, std::size_t size, const char* what) {
  auto* place = static_cast<unsigned char*>(to);
  for (std::size_t done = 0; done < size;) {
    const auto step = static_cast<unsigned>(std::min<std::size_t>(size - done, 1u << 24));
    const int got = gzread(file_, place + done, step);
    if (got < 0) fail_corrupt();
    if (got == 0) {
      check_stream();
      fail(path_ + " ends within " + what + ", " + std::to_string(size - done) +
           " bytes too early: it is truncated, get it again");
    }
    done += static_cast<std::size_t>(got);
  }
}

DIGITNET_INLINE void IdxReader::check_end() {
  unsigned char extra;
  const int got = gzread(file_, &extra, 1);
  if (got > 0)
    fail(path_ + " goes on after its last element: its header and its length disagree, get it again");
  if (got < 0) fail_corrupt();
  check_stream();
}

DIGITNET_INLINE bool IdxReader::is_packed() { return gzdirect(file_) == 0; }

DIGITNET_INLINE void IdxReader::check_stream() {
  int code = Z_OK;
  gzerror(file_, &code);
  if (code != Z_OK && code != Z_STREAM_END) fail_corrupt();
}

DIGITNET_INLINE void IdxReader::fail_corrupt() {
  int code = Z_OK;
  const char* const reason = gzerror(file_, &code);
  if (code == Z_BUF_ERROR) fail(path_ + " ends within its gzip data: it is truncated, get it again");
  fail(path_ + " is damaged gzip data (" + (code == Z_ERRNO ? std::strerror(errno) : reason) +
       "): get it again");
}

DIGITNET_INLINE std::vector<unsigned char> idx_header(int type, std::span<const std::size_t> extents) {
  std::vector<unsigned char> bytes{0, 0, static_cast<unsigned char>(type),
                                   static_cast<unsigned char>(extents.size())};
  for (const std::size_t extent : extents) {
    if (extent > 0xffffffffu) fail("An axis of " + std::to_string(extent) + " elements is too long for IDX");
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<unsigned char>(extent >> shift & 0xff));
  }
  return bytes;
}

DIGITNET_INLINE void write_idx_elements(const std::string& path, int type, std::size_t element_bytes,
                                        std::span<const std::size_t> extents, const void* elements) {
  std::vector<unsigned char> bytes = idx_header(type, extents);
  std::size_t count = 1;
  for (const std::size_t extent : extents) count *= extent;
  const std::size_t header = bytes.size();
  const auto* const first = static_cast<const unsigned char*>(elements);
  bytes.insert(bytes.end(), first, first + count * element_bytes);
  swap_big_endian(bytes.data() + header, count, element_bytes);
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

}  // namespace detail

DIGITNET_INLINE void write_idx(const std::string& path, const Labels& labels) {
  const std::size_t extents[] = {labels.size()};
  const auto largest = std::max_element(labels.begin(), labels.end());
  if (largest == labels.end() || *largest <= 0xff) {
    const std::vector<std::uint8_t> bytes(labels.begin(), labels.end());
    detail::write_idx_elements(path, detail::idx_type_code<std::uint8_t>(), 1, extents, bytes.data());
  } else {
    const std::vector<std::int32_t> numbers(labels.begin(), labels.end());
    detail::write_idx_elements(path, detail::idx_type_code<std::int32_t>(), 4, extents, numbers.data());
  }
}

}  // namespace digitnet
#endif
