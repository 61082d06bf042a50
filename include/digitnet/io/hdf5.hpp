// Writes HDF5 files as Keras does: groups, attributes of words, arrays of float32 or whole numbers. They are
// built in memory, so that they appear whole or not at all, and may lie in archives. hdf5_read.hpp reads
// them. Needs the HDF5 C library.
#pragma once
#include <hdf5.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"

namespace digitnet::hdf5 {

/// A handle of the C library.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close, const std::string& what) : id_(id), close_(close) {
    if (id < 0) fail("HDF5 cannot " + what);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

/// Keeps the library from printing its own error stack: what fails is said by an Error.
class Quiet {
 public:
  Quiet() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Quiet() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

/// A group of a new file; the file itself is its root group.
class Group {
 public:
  explicit Group(Handle handle, std::string path) : handle_(std::move(handle)), path_(std::move(path)) {}

  hid_t id() const { return handle_; }
  const std::string& path() const { return path_; }

  bool has(const std::string& name) const {
    // Every group on the way must exist before the library may be asked for the last.
    for (std::size_t slash = name.find('/');; slash = name.find('/', slash + 1)) {
      if (H5Lexists(handle_, name.substr(0, slash).c_str(), H5P_DEFAULT) <= 0) return false;
      if (slash == std::string::npos) return true;
    }
  }
  Group group(const std::string& name) const {
    return Group(Handle(H5Gopen2(handle_, name.c_str(), H5P_DEFAULT), H5Gclose,
                        "open the group " + path_ + "/" + name),
                 path_ + "/" + name);
  }
  Group make_group(const std::string& name) const {
    const Handle parents(H5Pcreate(H5P_LINK_CREATE), H5Pclose, "make a property list");
    H5Pset_create_intermediate_group(parents, 1);
    if (has(name)) return group(name);
    return Group(Handle(H5Gcreate2(handle_, name.c_str(), parents, H5P_DEFAULT, H5P_DEFAULT), H5Gclose,
                        "make the group " + path_ + "/" + name),
                 path_ + "/" + name);
  }
  /// A text of any length.
  void put_word(const std::string& name, const std::string& text) const {
    const std::string what = "write the attribute " + name + " of " + path_;
    const Handle type(H5Tcopy(H5T_C_S1), H5Tclose, what), space(H5Screate(H5S_SCALAR), H5Sclose, what);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    const Handle attribute(H5Acreate2(handle_, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                           what);
    const char* const pointer = text.c_str();
    if (H5Awrite(attribute, type, &pointer) < 0) fail("HDF5 cannot " + what);
  }
  /// A list of words, cut as Keras does where it is longer than `limit` bytes.
  void put_words(const std::string& name, const std::vector<std::string>& words,
                 std::size_t limit = 64512) const {
    std::size_t longest = 1;
    for (const std::string& word : words) longest = std::max(longest, word.size());
    if (words.size() * longest <= limit) {
      put_part(name, words, longest);
      return;
    }
    if (longest > limit) fail("The name " + words.front() + "... is longer than HDF5 allows");
    std::size_t parts = 2;
    while ((words.size() + parts - 1) / parts * longest > limit) ++parts;
    // As numpy.array_split: the first ones are one longer where it does not divide.
    std::size_t begin = 0;
    for (std::size_t part = 0; part < parts; ++part) {
      const std::size_t count = words.size() / parts + (part < words.size() % parts);
      put_part(name + std::to_string(part),
               {words.begin() + static_cast<std::ptrdiff_t>(begin),
                words.begin() + static_cast<std::ptrdiff_t>(begin + count)},
               longest);
      begin += count;
    }
  }

  void put_floats(const std::string& name, const std::vector<std::size_t>& shape,
                  std::span<const float> values) const {
    put_array(name, shape, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, values.data());
  }
  void put_number(const std::string& name, std::int64_t value) const {
    put_array(name, {}, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
  }

 private:
  void put_part(const std::string& name, const std::vector<std::string>& words, std::size_t longest) const {
    const std::string what = "write the attribute " + name + " of " + path_;
    const Handle type(H5Tcopy(H5T_C_S1), H5Tclose, what);
    H5Tset_size(type, longest);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    const hsize_t count = words.size();
    const Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose, what);
    const Handle attribute(H5Acreate2(handle_, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
                           what);
    std::vector<char> bytes(words.size() * longest);
    for (std::size_t i = 0; i < words.size(); ++i)
      std::memcpy(bytes.data() + i * longest, words[i].data(), words[i].size());
    if (count > 0 && H5Awrite(attribute, type, bytes.data()) < 0) fail("HDF5 cannot " + what);
  }
  void put_array(const std::string& name, const std::vector<std::size_t>& shape, hid_t type, hid_t memory,
                 const void* values) const {
    const std::string what = "write the array " + path_ + "/" + name;
    const std::vector<hsize_t> extents(shape.begin(), shape.end());
    const Handle space(shape.empty()
                           ? H5Screate(H5S_SCALAR)
                           : H5Screate_simple(static_cast<int>(shape.size()), extents.data(), nullptr),
                       H5Sclose, what);
    const Handle parents(H5Pcreate(H5P_LINK_CREATE), H5Pclose, what);
    H5Pset_create_intermediate_group(parents, 1);
    const Handle array(H5Dcreate2(handle_, name.c_str(), type, space, parents, H5P_DEFAULT, H5P_DEFAULT),
                       H5Dclose, what);
    if (H5Dwrite(array, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) fail("HDF5 cannot " + what);
  }

  Handle handle_;
  std::string path_;
};

/// A new file in memory.
class File {
 public:
  File()
      : file_(create()),
        root_(Handle(H5Gopen2(file_, "/", H5P_DEFAULT), H5Gclose, "open the new file"), "the new file") {}

  const Group& root() const { return root_; }
  /// The file's bytes.
  std::vector<std::byte> bytes() const {
    H5Fflush(file_, H5F_SCOPE_GLOBAL);
    const ssize_t size = H5Fget_file_image(file_, nullptr, 0);
    if (size < 0) fail("HDF5 cannot build the file");
    std::vector<std::byte> result(static_cast<std::size_t>(size));
    if (H5Fget_file_image(file_, result.data(), result.size()) < 0) fail("HDF5 cannot build the file");
    return result;
  }

 private:
  static Handle memory() {
    Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make a property list");
    H5Pset_fapl_core(access, 1 << 20, 0);
    // The oldest layout, as Keras writes it, whichever the library prefers.
    H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
    return access;
  }
  static Handle create() {
    return Handle(H5Fcreate(unused_name().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, memory()), H5Fclose,
                  "make a file");
  }
  // The library wants a name even in memory, which no file may have.
  static std::string unused_name() {
    static std::atomic<unsigned> number = 0;
    return "/in-memory/digitnet-" + std::to_string(number++) + ".h5";
  }

  Quiet quiet_{};
  Handle file_;
  Group root_;
};

}  // namespace digitnet::hdf5
