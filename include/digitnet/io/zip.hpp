// Writes zip archives as Keras does: in memory, with files that are stored, not compressed. zip_read.hpp
// reads them. Needs libzip.
#pragma once
#include <zip.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"

namespace digitnet::zip {

struct File {
  std::string name;
  std::vector<std::byte> bytes;
};

namespace detail {

[[noreturn]] inline void fail_with(const std::string& name, zip_error_t& error) {
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  fail(name + ": " + reason);
}

}  // namespace detail

/// The bytes of an archive.
inline std::vector<std::byte> write(const std::vector<File>& files) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* const source = zip_source_buffer_create(nullptr, 0, 0, &error);
  if (!source) detail::fail_with("The archive cannot be made", error);
  zip_source_keep(source);  // it is read after the archive is closed
  const std::unique_ptr<zip_source_t, void (*)(zip_source_t*)> keeper(source, zip_source_free);
  zip_t* const archive = zip_open_from_source(source, ZIP_TRUNCATE, &error);
  if (!archive) {
    zip_source_free(source);
    detail::fail_with("The archive cannot be made", error);
  }
  for (const File& file : files) {
    zip_source_t* const part = zip_source_buffer(archive, file.bytes.data(), file.bytes.size(), 0);
    const zip_int64_t index = part ? zip_file_add(archive, file.name.c_str(), part, ZIP_FL_ENC_UTF_8) : -1;
    if (index < 0 ||
        zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0) != 0) {
      const std::string reason = zip_strerror(archive);
      zip_discard(archive);
      fail("The archive cannot be made: " + reason);
    }
  }
  if (zip_close(archive) != 0) {
    const std::string reason = zip_strerror(archive);
    zip_discard(archive);
    fail("The archive cannot be made: " + reason);
  }
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_source_open(source) != 0 || zip_source_stat(source, &status) != 0)
    fail("The archive cannot be read back");
  std::vector<std::byte> bytes(status.size);
  const zip_int64_t got = zip_source_read(source, bytes.data(), bytes.size());
  zip_source_close(source);
  if (got < 0 || static_cast<std::size_t>(got) != bytes.size()) fail("The archive cannot be read back");
  return bytes;
}

}  // namespace digitnet::zip
