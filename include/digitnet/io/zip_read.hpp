// Reads zip archives of Keras and Python in memory. Entries are stored, or deflated within limits.
#pragma once
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "digitnet/core/error.hpp"

namespace digitnet::zip {

namespace detail {

// Whole numbers at places in an archive; throws an Error where it ends too early. The layout is that of
// PKWARE's APPNOTE, 4.3.
class Places {
 public:
  Places(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  std::uint64_t number(std::uint64_t at, std::size_t size) const {
    const auto digits = part(at, size);
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(digits[i]);
    return value;
  }
  std::span<const std::byte> part(std::uint64_t at, std::uint64_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) broken();
    return bytes_.subspan(at, size);
  }
  std::string_view text(std::uint64_t at, std::uint64_t size) const {
    return {reinterpret_cast<const char*>(part(at, size).data()), size};
  }
  std::uint64_t size() const { return bytes_.size(); }
  [[noreturn]] void broken() const { fail(name_ + " is no archive, or cut off"); }

 private:
  std::span<const std::byte> bytes_;
  const std::string& name_;
};

struct Entry {
  std::uint64_t flags, method, checksum, packed, size, header;
};

// Where the list of entries begins, and how many there are.
inline std::pair<std::uint64_t, std::uint64_t> directory_of(const Places& archive) {
  constexpr std::uint64_t end_size = 22, longest_comment = 65535;
  if (archive.size() < end_size) archive.broken();
  for (std::uint64_t at = archive.size() - end_size;; --at) {
    if (archive.number(at, 4) == 0x06054b50 && at + end_size + archive.number(at + 20, 2) == archive.size()) {
      const std::uint64_t count = archive.number(at + 10, 2), begin = archive.number(at + 16, 4);
      if (at < 20 || archive.number(at - 20, 4) != 0x07064b50) return {begin, count};
      const std::uint64_t large = archive.number(at - 12, 8);
      if (archive.number(large, 4) != 0x06064b50) archive.broken();
      return {archive.number(large + 48, 8), archive.number(large + 32, 8)};
    }
    if (at == 0 || archive.size() - at > end_size + longest_comment) archive.broken();
  }
}

inline std::optional<Entry> find(const Places& archive, std::string_view wanted, const std::string& name) {
  std::optional<Entry> result;
  auto [at, count] = directory_of(archive);
  for (; count > 0; --count) {
    if (archive.number(at, 4) != 0x02014b50) archive.broken();
    const std::uint64_t name_size = archive.number(at + 28, 2), extra_size = archive.number(at + 30, 2),
                        comment_size = archive.number(at + 32, 2);
    if (archive.text(at + 46, name_size) == wanted) {
      if (result) fail(name + " has " + std::string(wanted) + " twice");
      Entry entry{archive.number(at + 8, 2),  archive.number(at + 10, 2), archive.number(at + 16, 4),
                  archive.number(at + 20, 4), archive.number(at + 24, 4), archive.number(at + 42, 4)};
      // What does not fit 32 bits stands in an extra field, in this order.
      for (std::uint64_t extra = at + 46 + name_size, end = extra + extra_size; extra + 4 <= end;
           extra += 4 + archive.number(extra + 2, 2)) {
        if (archive.number(extra, 2) != 1) continue;
        std::uint64_t place = extra + 4;
        for (std::uint64_t* const number : {&entry.size, &entry.packed, &entry.header})
          if (*number == 0xffffffff) {
            *number = archive.number(place, 8);
            place += 8;
          }
      }
      result = entry;
    }
    at += 46 + name_size + extra_size + comment_size;
  }
  return result;
}

inline std::vector<std::byte> inflated(std::span<const std::byte> packed, std::uint64_t size,
                                       const std::string& what) {
  std::vector<std::byte> bytes(size);
  z_stream stream{};
  if (inflateInit2(&stream, -15) != Z_OK) fail(what + " cannot be unpacked: zlib has no memory");
  std::size_t from = 0, to = 0;
  int state = Z_OK;
  while (state == Z_OK) {
    const auto give = static_cast<uInt>(std::min<std::size_t>(packed.size() - from, 1u << 30)),
               room = static_cast<uInt>(std::min<std::size_t>(bytes.size() - to, 1u << 30));
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data() + from));
    stream.avail_in = give;
    stream.next_out = reinterpret_cast<Bytef*>(bytes.data() + to);
    stream.avail_out = room;
    state = ::inflate(&stream, Z_NO_FLUSH);
    from += give - stream.avail_in;
    to += room - stream.avail_out;
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END || to != bytes.size()) fail(what + " is damaged: it is not as long as it says");
  return bytes;
}

}  // namespace detail

/// One file of an archive. `archive_name` is for messages. Checks the file's checksum. Throws an Error if it
/// is not there, or twice, damaged, encrypted, packed in another way than deflate, or out of proportion:
/// unpacked it may have 16 MiB and twice the archive's size.
inline std::vector<std::byte> read(std::span<const std::byte> archive_bytes, const std::string& archive_name,
                                   const std::string& name) {
  const detail::Places archive(archive_bytes, archive_name);
  const auto entry = detail::find(archive, name, archive_name);
  if (!entry) fail(archive_name + " has no " + name + ": it was not written by Keras 3");
  const std::string what = archive_name + ": " + name;
  if ((entry->flags & 1) != 0) fail(what + " is encrypted");
  constexpr std::uint64_t stored = 0, deflated = 8;
  if (entry->method != stored && entry->method != deflated)
    fail(what + " is packed with method " + std::to_string(entry->method) +
         ", but only stored (as Keras writes it) and deflated files are read");
  if (archive.number(entry->header, 4) != 0x04034b50) archive.broken();
  const auto packed = archive.part(
      entry->header + 30 + archive.number(entry->header + 26, 2) + archive.number(entry->header + 28, 2),
      entry->packed);
  if (entry->size > (16u << 20) + 2 * archive.size())
    fail(what + " claims " + std::to_string(entry->size) + " bytes, out of proportion to the archive's " +
         std::to_string(archive.size()));
  if (entry->method == stored && entry->size != entry->packed) archive.broken();
  std::vector<std::byte> bytes = entry->method == stored
                                     ? std::vector<std::byte>(packed.begin(), packed.end())
                                     : detail::inflated(packed, entry->size, what);
  const auto checksum = ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (checksum != entry->checksum) fail(what + " is damaged: its checksum is wrong");
  return bytes;
}

}  // namespace digitnet::zip
