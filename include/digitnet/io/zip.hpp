// Zip archives with files that are stored, not compressed, as Keras writes them. Built and read in memory.
// Needs libzip.
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
[[gnu::cold]] inline std::vector<std::byte> write(const std::vector<File>& files) {
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

/// One file of an archive. `archive_name` is for messages. Checks the file's checksum.
[[gnu::cold]] inline std::vector<std::byte> read(std::span<const std::byte> archive_bytes,
                                                 const std::string& archive_name, const std::string& name) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* const source =
      zip_source_buffer_create(archive_bytes.data(), archive_bytes.size(), 0, &error);
  if (!source) detail::fail_with(archive_name, error);
  zip_t* const opened = zip_open_from_source(source, ZIP_RDONLY, &error);
  if (!opened) {
    zip_source_free(source);
    detail::fail_with(archive_name + " is no archive, or cut off", error);
  }
  const std::unique_ptr<zip_t, void (*)(zip_t*)> archive(opened, zip_discard);
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_stat(archive.get(), name.c_str(), 0, &status) != 0 || (status.valid & ZIP_STAT_SIZE) == 0)
    fail(archive_name + " has no " + name + ": it was not written by Keras 3");
  if (status.size > (std::uint64_t{1} << 34))
    fail(archive_name + ": " + name + " claims " + std::to_string(status.size) + " bytes");
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen(archive.get(), name.c_str(), 0),
                                                               zip_fclose);
  if (!file) fail(archive_name + ": " + name + " cannot be read: " + zip_strerror(archive.get()));
  std::vector<std::byte> bytes;
  // In pieces: a size that lies does not ask for memory.
  while (bytes.size() < status.size) {
    const std::size_t before = bytes.size();
    bytes.resize(std::min<std::size_t>(status.size, before + (std::size_t{1} << 24)));
    const zip_int64_t got = zip_fread(file.get(), bytes.data() + before, bytes.size() - before);
    if (got <= 0)
      fail(archive_name + ": " + name + " is damaged: it is shorter than it says, or its checksum is wrong");
    bytes.resize(before + static_cast<std::size_t>(got));
  }
  std::byte rest;
  if (zip_fread(file.get(), &rest, 1) < 0)
    fail(archive_name + ": " + name + " is damaged: its checksum is wrong");
  return bytes;
}

}  // namespace digitnet::zip
