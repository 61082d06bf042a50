// The part of HDF5 that model files need, as values that close themselves: groups, attributes of words,
// arrays of float32 or whole numbers. Files are built and read in memory, so that they appear whole or not at
// all, and may lie in archives. Needs the HDF5 C library.
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

/// What an array is: its extents, and whether its numbers are float32.
struct ArrayInfo {
  std::vector<std::size_t> shape;
  std::string type;  ///< "float32", "float64", "int64", ...
};

/// A group of an open file; the file itself is its root group.
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
  /// The names in it, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    H5Literate(
        handle_, H5_INDEX_NAME, H5_ITER_INC, nullptr,
        [](hid_t, const char* name, const H5L_info_t*, void* list) -> herr_t {
          static_cast<std::vector<std::string>*>(list)->emplace_back(name);
          return 0;
        },
        &result);
    return result;
  }

  bool has_attribute(const std::string& name) const { return H5Aexists(handle_, name.c_str()) > 0; }
  /// A word, or a list of words, of fixed or variable length.
  std::vector<std::string> words(const std::string& name) const {
    const std::string what = "read the attribute " + name + " of " + path_;
    const Handle attribute(H5Aopen(handle_, name.c_str(), H5P_DEFAULT), H5Aclose, what);
    const Handle type(H5Aget_type(attribute), H5Tclose, what), space(H5Aget_space(attribute), H5Sclose, what);
    const hssize_t points = H5Sget_simple_extent_npoints(space);
    if (points <= 0) return {};
    const auto count = static_cast<std::size_t>(points);
    if (H5Tget_class(type) != H5T_STRING)
      fail("The attribute " + name + " of " + path_ + " must be a text, but is something else");
    std::vector<std::string> result;
    if (H5Tis_variable_str(type) > 0) {
      const Handle memory(H5Tcopy(H5T_C_S1), H5Tclose, what);
      H5Tset_size(memory, H5T_VARIABLE);
      H5Tset_cset(memory, H5Tget_cset(type));
      std::vector<char*> pointers(count, nullptr);
      if (H5Aread(attribute, memory, pointers.data()) < 0) fail("HDF5 cannot " + what);
      for (const char* const text : pointers) result.emplace_back(text ? text : "");
      H5Dvlen_reclaim(memory, space, H5P_DEFAULT, pointers.data());
    } else {
      const std::size_t size = H5Tget_size(type);
      std::vector<char> bytes(count * size);
      if (H5Aread(attribute, type, bytes.data()) < 0) fail("HDF5 cannot " + what);
      for (std::size_t i = 0; i < count; ++i)
        result.emplace_back(bytes.data() + i * size, ::strnlen(bytes.data() + i * size, size));
    }
    return result;
  }
  /// Keras' lists that are too long for one attribute are cut: "name0", "name1", ...
  std::vector<std::string> long_words(const std::string& name) const {
    if (has_attribute(name)) return words(name);
    std::vector<std::string> result;
    for (int part = 0; has_attribute(name + std::to_string(part)); ++part) {
      const auto more = words(name + std::to_string(part));
      result.insert(result.end(), more.begin(), more.end());
    }
    return result;
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

  ArrayInfo info(const std::string& name) const {
    const std::string what = "read the array " + path_ + "/" + name;
    const Handle array(H5Dopen2(handle_, name.c_str(), H5P_DEFAULT), H5Dclose, what);
    const Handle type(H5Dget_type(array), H5Tclose, what), space(H5Dget_space(array), H5Sclose, what);
    const int rank = H5Sget_simple_extent_ndims(space);
    std::vector<hsize_t> extents(static_cast<std::size_t>(std::max(rank, 0)));
    H5Sget_simple_extent_dims(space, extents.data(), nullptr);
    const H5T_class_t kind = H5Tget_class(type);
    const std::string bits = std::to_string(8 * H5Tget_size(type));
    return {{extents.begin(), extents.end()},
            kind == H5T_FLOAT     ? "float" + bits
            : kind == H5T_INTEGER ? (H5Tget_sign(type) == H5T_SGN_NONE ? "uint" : "int") + bits
                                  : "something else"};
  }
  std::vector<float> floats(const std::string& name) const {
    const std::string what = "read the array " + path_ + "/" + name;
    std::size_t size = 1;
    for (const std::size_t extent : info(name).shape) size *= extent;
    const Handle array(H5Dopen2(handle_, name.c_str(), H5P_DEFAULT), H5Dclose, what);
    std::vector<float> values(size);
    if (size > 0 && H5Dread(array, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
      fail("HDF5 cannot " + what + ": is the file damaged?");
    return values;
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

/// A file in memory.
class File {
 public:
  /// A new one.
  File() : File(create(), "the new file") {}
  /// One that exists; `name` is for messages. Throws an Error if the bytes are no HDF5 file.
  File(std::span<const std::byte> bytes, const std::string& name) : File(open(bytes, name), name) {}

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
  File(Handle file, const std::string& name)
      : file_(std::move(file)),
        root_(Handle(H5Gopen2(file_, "/", H5P_DEFAULT), H5Gclose, "open " + name), name) {}
  static Handle memory() {
    Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make a property list");
    H5Pset_fapl_core(access, 1 << 20, 0);
    return access;
  }
  static Handle create() {
    return Handle(H5Fcreate(unused_name().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, memory()), H5Fclose,
                  "make a file");
  }
  static Handle open(std::span<const std::byte> bytes, const std::string& name) {
    static constexpr unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    if (bytes.size() < 8 || std::memcmp(bytes.data(), signature, 8) != 0)
      fail(name + " is no HDF5 file: it does not begin with HDF5's signature");
    check_heaps(bytes, name);
    const Quiet quiet;
    const Handle access = memory();
    // The library copies the bytes.
    if (H5Pset_file_image(access, const_cast<std::byte*>(bytes.data()), bytes.size()) < 0)
      fail("HDF5 cannot take " + name);
    const hid_t file = H5Fopen(unused_name().c_str(), H5F_ACC_RDONLY, access);
    if (file < 0) fail(name + " is a damaged HDF5 file: it may be cut off");
    return Handle(file, H5Fclose, "open " + name);
  }
  // Texts lie in heaps, which the library (1.10) walks without end if an object claims to have no size; the
  // layout is in the HDF5 File Format Specification, III.E.
  static void check_heaps(std::span<const std::byte> bytes, const std::string& name) {
    static constexpr char signature[8] = {'G', 'C', 'O', 'L', 1, 0, 0, 0};
    const auto number = [&](std::size_t at, std::size_t size) {
      std::uint64_t value = 0;
      std::memcpy(&value, bytes.data() + at, size);
      return value;
    };
    const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::string_view begin(signature, sizeof signature);
    for (std::size_t heap = all.find(begin); heap != std::string_view::npos;
         heap = all.find(begin, heap + 1)) {
      const auto damaged = [&] {
        fail(name + " is a damaged HDF5 file: its texts at byte " + std::to_string(heap) + " are broken");
      };
      if (heap + 16 > bytes.size()) damaged();
      const std::uint64_t size = number(heap + 8, 8);
      if (size < 16 || size > bytes.size() - heap) damaged();
      for (std::size_t at = heap + 16; at + 16 <= heap + size;) {
        const bool is_free = number(at, 2) == 0;
        const std::uint64_t length = number(at + 8, 8), room = heap + size - at;
        if (is_free ? length < 16 || length > room : length > room - 16) damaged();
        at += is_free ? length : 16 + (length + 7) / 8 * 8;
      }
    }
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
