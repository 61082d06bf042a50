// Reads HDF5 files of Keras without HDF5's library: groups, attributes of words, arrays of float32. A file is
// read in memory and alone: links and arrays that lie in other files are refused.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/io/hdf5_image.hpp"

namespace digitnet::hdf5 {

/// What an array is: its extents, and what its numbers are.
struct ArrayInfo {
  std::vector<std::size_t> shape;
  /// Such as "float32" or "int64"
  std::string type;
};

namespace detail {

// What the elements of an array or an attribute are.
struct Type {
  /// The array's name, as in ArrayInfo
  std::string name;
  std::uint64_t size;
  bool is_text, is_in_heap, is_big_endian;
};

inline Type read_type(Image& image, Bytes bytes) {
  Cursor cursor = image.cursor(bytes);
  const std::uint64_t kind = cursor.number(1) & 15, bits = cursor.number(3), size = cursor.number(4);
  Type type{"something else", size, kind == 3, false, (bits & 1) != 0};
  if (kind == 0) {
    type.name = ((bits & 8) != 0 ? "int" : "uint") + std::to_string(8 * size);
  } else if (kind == 1) {
    // Offset 0, 32 bits, of which 8 from bit 23 on are the exponent and 23 the mantissa, and the bias.
    static constexpr unsigned char ieee[] = {0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0};
    const Bytes layout = cursor.take(sizeof ieee);
    if (size != 4)
      type.name = "float" + std::to_string(8 * size);
    else if (std::memcmp(layout.data(), ieee, sizeof ieee) == 0 && (bits & 64) == 0)
      type.name = "float32";
  } else if (kind == 9 && (bits & 15) == 1) {
    type.is_text = type.is_in_heap = true;
    if (size != 16) image.damaged("a text's place has " + std::to_string(size) + " bytes");
  }
  return type;
}

inline std::vector<std::size_t> read_shape(Image& image, Bytes bytes) {
  Cursor cursor = image.cursor(bytes);
  const std::uint64_t version = cursor.number(1), rank = cursor.number(1);
  cursor.take(1);
  if (version != 1 && version != 2) image.damaged("a shape is of version " + std::to_string(version));
  const bool is_null = cursor.number(1) == 2 && version == 2;
  if (version == 1) cursor.take(4);
  if (is_null) return {0};
  std::vector<std::size_t> shape;
  for (std::uint64_t axis = 0; axis < rank; ++axis) shape.push_back(cursor.number(8));
  return shape;
}

// The number of elements, or one more than `most`.
inline std::uint64_t count_of(const std::vector<std::size_t>& shape, std::uint64_t most) {
  std::uint64_t count = 1;
  bool is_empty = false;
  for (const std::size_t extent : shape) {
    is_empty = is_empty || extent == 0;
    count = extent != 0 && count > most / extent ? most + 1 : count * std::max<std::size_t>(extent, 1);
  }
  return is_empty ? 0 : std::min(count, most + 1);
}

struct Attribute {
  std::string_view name;
  Bytes type, shape, data;
};

inline Attribute read_attribute(Image& image, Bytes bytes) {
  Cursor cursor = image.cursor(bytes);
  const std::uint64_t version = cursor.number(1), flags = cursor.number(1);
  if (version < 1 || version > 3) image.damaged("an attribute is of version " + std::to_string(version));
  if (version > 1 && flags != 0) image.damaged("an attribute has a shared type");
  const std::uint64_t name_size = cursor.number(2), type_size = cursor.number(2),
                      shape_size = cursor.number(2);
  cursor.take(version == 3 ? 1 : 0);
  const auto part = [&](std::uint64_t size) {
    return version == 1 ? cursor.take_padded(size) : cursor.take(size);
  };
  const Bytes name = part(name_size), type = part(type_size), shape = part(shape_size);
  const auto* const text = reinterpret_cast<const char*>(name.data());
  return {{text, ::strnlen(text, name.size())}, type, shape, cursor.take(cursor.left())};
}

}  // namespace detail

/// A group of an open file, which must outlive it; the file itself is its root group. Every function throws
/// an Error if the file is damaged there.
class ReadGroup {
 public:
  ReadGroup(detail::Image& image, std::uint64_t address, std::string path)
      : image_(&image), address_(address), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  /// Whether there is a group or an array of that name; "a/b" is one inside the group "a".
  bool has(const std::string& name) const { return find(name).has_value(); }
  ReadGroup group(const std::string& name) const {
    const auto address = find(name);
    if (!address || !image_->is_group(*address)) fail(path_ + " has no group " + name);
    return {*image_, *address, path_ + "/" + name};
  }
  /// The names in it, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const detail::Entry& entry : image_->entries(address_)) {
      image_->spend(entry.name.size() + 64);
      result.emplace_back(entry.name);
    }
    return result;
  }

  bool has_attribute(const std::string& name) const { return find_attribute(name).has_value(); }
  /// A word, or a list of words, of fixed or variable length; an empty list of anything.
  std::vector<std::string> words(const std::string& name) const {
    const auto attribute = find_attribute(name);
    if (!attribute) fail(path_ + " has no attribute " + name);
    const detail::Type type = detail::read_type(*image_, attribute->type);
    const std::uint64_t most = attribute->data.size() / std::max<std::uint64_t>(type.size, 1);
    const std::uint64_t count = detail::count_of(detail::read_shape(*image_, attribute->shape), most);
    std::vector<std::string> result;
    if (count == 0) return result;
    if (!type.is_text)
      fail("The attribute " + name + " of " + path_ + " must be a text, but is something else");
    if (count > most || type.size == 0) image_->damaged("the attribute " + name + " is shorter than it says");
    detail::Cursor cursor = image_->cursor(attribute->data);
    for (std::uint64_t i = 0; i < count; ++i) {
      const detail::Bytes bytes = cursor.take(type.size);
      std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      if (type.is_in_heap) {
        detail::Cursor place = image_->cursor(bytes);
        const std::uint64_t length = place.number(4), heap = place.number(8), index = place.number(4);
        text = length == 0 ? std::string_view() : image_->heap_text(heap, index);
        if (length > text.size()) image_->damaged("a text is shorter than it says");
        text = text.substr(0, length);
      }
      text = text.substr(0, text.find('\0'));
      image_->spend(text.size() + 64);
      result.emplace_back(text);
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

  /// What an array is. Throws an Error as well if its numbers lie elsewhere than in one piece of this file.
  ArrayInfo info(const std::string& name) const {
    Array array = open(name);
    return {std::move(array.shape), std::move(array.type.name)};
  }
  /// An array of float32.
  std::vector<float> floats(const std::string& name) const {
    const Array array = open(name);
    if (array.type.name != "float32")
      fail("The array " + path_ + "/" + name + " is " + array.type.name + ", but only float32 is read");
    image_->spend(2 * array.bytes.size());
    std::vector<float> values(array.bytes.size() / sizeof(float));
    if (!values.empty()) std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
    if (array.type.is_big_endian != (std::endian::native == std::endian::big))
      for (float& value : values)
        value = std::bit_cast<float>(__builtin_bswap32(std::bit_cast<std::uint32_t>(value)));
    return values;
  }
  /// A single whole number.
  std::int64_t number(const std::string& name) const {
    const Array array = open(name);
    if ((array.type.name != "int64" && array.type.name != "int32") || array.bytes.size() != array.type.size)
      fail("The array " + path_ + "/" + name + " must be a whole number, but is " + array.type.name);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < array.bytes.size(); ++i)
      value |= std::to_integer<std::uint64_t>(
                   array.bytes[array.type.is_big_endian ? array.bytes.size() - 1 - i : i])
               << 8 * i;
    return array.type.size == 8 ? static_cast<std::int64_t>(value)
                                : static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
  }

 private:
  std::optional<std::uint64_t> find(std::string_view name) const {
    std::uint64_t address = address_;
    for (std::size_t begin = 0; begin <= name.size();) {
      const std::size_t end = std::min(name.find('/', begin), name.size());
      const std::string_view part = name.substr(begin, end - begin);
      begin = end + 1;
      if (part.empty() || part == ".") continue;
      if (!image_->is_group(address)) return {};
      const std::vector<detail::Entry>& entries = image_->entries(address);
      const auto entry =
          std::lower_bound(entries.begin(), entries.end(), part,
                           [](const detail::Entry& e, std::string_view n) { return e.name < n; });
      if (entry == entries.end() || entry->name != part) return {};
      if (entry->link != detail::Link::hard) {
        const char* const kind = entry->link == detail::Link::external ? "another file"
                                 : entry->link == detail::Link::soft   ? "another place"
                                                                       : "something that a program defines";
        fail(path_ + "/" + std::string(name) + " is a link to " + kind +
             ": Keras writes none, and only the file itself is read");
      }
      address = entry->address;
    }
    return address;
  }
  std::optional<detail::Attribute> find_attribute(std::string_view name) const {
    for (const detail::Message& message : image_->messages(address_)) {
      image_->spend(8);
      if (message.type == detail::attribute_message) {
        const detail::Attribute attribute = detail::read_attribute(*image_, message.bytes);
        if (attribute.name == name) return attribute;
      } else if (message.type == detail::attribute_info_message) {
        detail::Cursor cursor = image_->cursor(message.bytes);
        cursor.take(1);
        cursor.take((cursor.number(1) & 1) != 0 ? 2 : 0);
        if (cursor.number(8) != detail::no_address) image_->newer("attributes lie in a fractal heap");
      }
    }
    return {};
  }
  struct Array {
    detail::Type type;
    std::vector<std::size_t> shape;
    detail::Bytes bytes;
  };
  Array open(const std::string& name) const {
    const auto address = find(name);
    const auto* const shape = address ? image_->find(*address, detail::dataspace_message) : nullptr;
    const auto* const type = address ? image_->find(*address, detail::datatype_message) : nullptr;
    if (!shape || !type) fail(path_ + " has no array " + name);
    Array array{detail::read_type(*image_, type->bytes), detail::read_shape(*image_, shape->bytes), {}};
    const std::uint64_t most = image_->size() / std::max<std::uint64_t>(array.type.size, 1);
    const std::uint64_t count = detail::count_of(array.shape, most);
    if (count == 0) return array;
    const std::string what = "The array " + path_ + "/" + name + " ";
    array.bytes = array_bytes(*address, what);
    if (count > most || array.bytes.size() != count * array.type.size)
      fail(what + "has a shape that does not fit its " + std::to_string(array.bytes.size()) + " bytes");
    return array;
  }
  // Where Keras keeps the numbers of an array: in one piece.
  detail::Bytes array_bytes(std::uint64_t array, const std::string& what) const {
    const std::string cure = ": Keras writes each in one piece; save the model again with Keras";
    if (image_->find(array, detail::external_message)) fail(what + "has its numbers in another file" + cure);
    if (image_->find(array, detail::filter_message)) fail(what + "is compressed or filtered" + cure);
    const detail::Message* const layout = image_->find(array, detail::layout_message);
    if (!layout) image_->damaged("an array has no layout");
    detail::Cursor cursor = image_->cursor(layout->bytes);
    const std::uint64_t version = cursor.number(1);
    if (version != 3 && version != 4)
      image_->newer("an array's layout is of version " + std::to_string(version));
    switch (cursor.number(1)) {
      case 0:
        return cursor.take(cursor.number(2));
      case 1: {
        const std::uint64_t address = cursor.number(8), size = cursor.number(8);
        if (address == detail::no_address) fail(what + "was never written");
        return image_->view(address, size);
      }
      case 2:
        fail(what + "is cut into chunks" + cure);
      default:
        fail(what + "has its numbers in other files or arrays" + cure);
    }
  }

  detail::Image* image_;
  std::uint64_t address_;
  std::string path_;
};

/// A file in memory. Not for several threads at once.
class ReadFile {
 public:
  /// `name` is for messages. Throws an Error if the bytes are no HDF5 file, or one of a newer layout than
  /// Keras writes.
  ReadFile(std::vector<std::byte> bytes, std::string name)
      : image_(std::make_unique<detail::Image>(std::move(bytes), std::move(name))),
        root_(*image_, image_->root(), image_->name()) {
    if (!image_->is_group(image_->root())) image_->damaged("it has no root group");
  }

  const ReadGroup& root() const { return root_; }

 private:
  std::unique_ptr<detail::Image> image_;
  ReadGroup root_;
};

}  // namespace digitnet::hdf5
