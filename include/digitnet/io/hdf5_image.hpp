// The structures of an HDF5 file as Keras and h5py lay it out, read with every bound checked, because HDF5's
// own library crashes or hangs over damaged ones, and opens other files of the disk. Source: HDF5 File Format
// Specification 3.0, of whose versions the oldest are read.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/error.hpp"

namespace digitnet::hdf5::detail {

using Bytes = std::span<const std::byte>;

/// A place in some bytes that moves on as numbers are read. Throws an Error that calls the file damaged where
/// they end too early.
class Cursor {
 public:
  Cursor(Bytes bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    const Bytes digits = take(size);
    for (std::size_t i = size; i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(digits[i]);
    return value;
  }
  Bytes take(std::uint64_t size) {
    if (size > bytes_.size()) damaged("a structure ends too early");
    const Bytes result = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return result;
  }
  /// As many bytes, and what fills them up to a multiple of 8.
  Bytes take_padded(std::uint64_t size) {
    const Bytes result = take(size);
    take(std::min<std::uint64_t>((8 - size % 8) % 8, bytes_.size()));
    return result;
  }
  std::size_t left() const { return bytes_.size(); }
  void expect(const char* signature) {
    const Bytes found = take(4);
    if (std::memcmp(found.data(), signature, 4) != 0)
      damaged(std::string(signature) + " is not where it must be");
  }
  void expect_number(std::uint64_t wanted, std::size_t size, const char* what) {
    const std::uint64_t found = number(size);
    if (found != wanted)
      damaged(std::string(what) + " is " + std::to_string(found) + ", not " + std::to_string(wanted));
  }
  [[noreturn]] void damaged(const std::string& what) const {
    fail(file_ + " is a damaged HDF5 file, or none that Keras wrote: " + what);
  }

 private:
  Bytes bytes_;
  const std::string& file_;
};

inline constexpr std::uint64_t no_address = ~std::uint64_t{0};

enum MessageType : std::uint16_t {
  dataspace_message = 0x01,
  link_info_message = 0x02,
  datatype_message = 0x03,
  link_message = 0x06,
  external_message = 0x07,
  layout_message = 0x08,
  filter_message = 0x0b,
  attribute_message = 0x0c,
  continuation_message = 0x10,
  group_message = 0x11,
  attribute_info_message = 0x15
};

/// A part of an object's header.
struct Message {
  std::uint16_t type;
  Bytes bytes;
};

enum class Link { hard, soft, external, user_defined };

/// A name in a group, and the object that it leads to.
struct Entry {
  std::string_view name;
  std::uint64_t address;
  Link link;
};

/// A file's bytes, and what has been found in them. What is read of them all together may not be more than a
/// few times the file: structures that overlap or go round in circles end in an Error.
class Image {
 public:
  Image(std::vector<std::byte> bytes, std::string name)
      : bytes_(std::move(bytes)), name_(std::move(name)), budget_((1u << 20) + 4 * bytes_.size()) {
    static constexpr unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    if (bytes_.size() < 8 || std::memcmp(bytes_.data(), signature, 8) != 0)
      fail(name_ + " is no HDF5 file: it does not begin with HDF5's signature");
    Cursor cursor(at(8, std::min<std::size_t>(bytes_.size() - 8, 92)), name_);
    const std::uint64_t version = cursor.number(1);
    if (version > 1) newer("its superblock is of version " + std::to_string(version));
    cursor.take(4);
    cursor.expect_number(8, 1, "the size of addresses");
    cursor.expect_number(8, 1, "the size of lengths");
    cursor.take(version == 0 ? 9 : 13);
    cursor.expect_number(0, 8, "the base address");
    cursor.take(8);
    const std::uint64_t end = cursor.number(8);
    if (end > bytes_.size())
      fail(name_ + " is a damaged HDF5 file: it is cut off, " + std::to_string(bytes_.size()) + " of " +
           std::to_string(end) + " bytes are there");
    cursor.expect_number(no_address, 8, "the address of a driver's information");
    cursor.take(8);
    root_ = cursor.number(8);
  }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  const std::string& name() const { return name_; }
  std::size_t size() const { return bytes_.size(); }
  std::uint64_t root() const { return root_; }
  Cursor cursor(Bytes bytes) const { return Cursor(bytes, name_); }
  [[noreturn]] void damaged(const std::string& what) const { cursor({}).damaged(what); }
  [[noreturn]] void newer(const std::string& what) const {
    fail(name_ + " has a newer layout of HDF5 than Keras writes (" + what +
         "): save it again with Keras, or with h5py's default libver");
  }

  /// Bytes of the file.
  Bytes view(std::uint64_t address, std::uint64_t size) const {
    if (address > bytes_.size() || size > bytes_.size() - address) damaged("something lies beyond its end");
    return Bytes(bytes_).subspan(address, size);
  }
  /// The same, to be read.
  Bytes at(std::uint64_t address, std::uint64_t size) {
    const Bytes result = view(address, size);
    spend(size);
    return result;
  }
  /// Counts work and memory.
  void spend(std::uint64_t amount) {
    if (amount > budget_) damaged("its structures overlap or repeat, out of proportion to its size");
    budget_ -= amount;
  }

  /// The parts of the header of the object at an address.
  const std::vector<Message>& messages(std::uint64_t address) {
    const auto [place, is_new] = messages_.try_emplace(address);
    if (is_new) place->second = read_messages(address);
    return place->second;
  }
  /// The first part of that type, or null.
  const Message* find(std::uint64_t address, MessageType type) {
    for (const Message& message : messages(address))
      if (message.type == type) return &message;
    return nullptr;
  }

  bool is_group(std::uint64_t address) {
    return find(address, group_message) || find(address, link_info_message) || find(address, link_message);
  }
  /// What is in a group, sorted by name.
  const std::vector<Entry>& entries(std::uint64_t address) {
    const auto [place, is_new] = groups_.try_emplace(address);
    if (is_new) place->second = read_group(address);
    return place->second;
  }

  /// A text that an attribute refers to.
  std::string_view heap_text(std::uint64_t heap, std::uint64_t index) {
    const auto [place, is_new] = heaps_.try_emplace(heap);
    if (is_new) place->second = read_heap(heap);
    const auto& objects = place->second;
    const auto found = std::lower_bound(objects.begin(), objects.end(), index,
                                        [](const auto& object, std::uint64_t i) { return object.first < i; });
    if (found == objects.end() || found->first != index)
      damaged("text " + std::to_string(index) + " is not in the heap at byte " + std::to_string(heap));
    return {reinterpret_cast<const char*>(found->second.data()), found->second.size()};
  }

 private:
  std::vector<Message> read_messages(std::uint64_t address) {
    if (const Bytes start = at(address, 4); std::memcmp(start.data(), "OHDR", 4) == 0)
      newer("an object's header is of version 2");
    Cursor head(at(address, 16), name_);
    head.expect_number(1, 1, "the version of an object's header");
    head.take(1);
    std::uint64_t count = head.number(2);
    head.take(4);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks{{address + 16, head.number(4)}};
    std::vector<Message> result;
    for (std::size_t block = 0; block < blocks.size(); ++block) {
      Cursor cursor(at(blocks[block].first, blocks[block].second), name_);
      while (cursor.left() >= 8 && count > 0) {
        --count;
        spend(64);
        const auto type = static_cast<std::uint16_t>(cursor.number(2));
        const std::uint64_t size = cursor.number(2), flags = cursor.number(1);
        cursor.take(3);
        const Bytes bytes = cursor.take(size);
        if (type == continuation_message) {
          Cursor place(bytes, name_);
          const std::uint64_t next = place.number(8), length = place.number(8);
          blocks.emplace_back(next, length);
          continue;
        }
        const bool is_used = type == dataspace_message || type == link_info_message ||
                             type == datatype_message || type == link_message || type == external_message ||
                             type == layout_message || type == filter_message || type == attribute_message ||
                             type == group_message || type == attribute_info_message;
        if (is_used && (flags & 2) != 0) damaged("an object's header refers to a shared part");
        if (is_used) result.push_back({type, bytes});
      }
    }
    if (count > 0) damaged("an object's header is shorter than it says");
    return result;
  }

  std::vector<Entry> read_group(std::uint64_t address) {
    std::vector<Entry> result;
    if (const Message* const group = find(address, group_message)) {
      Cursor cursor(group->bytes, name_);
      const std::uint64_t tree = cursor.number(8), heap = cursor.number(8);
      Cursor names(at(heap, 32), name_);
      names.expect("HEAP");
      names.expect_number(0, 1, "a heap's version");
      names.take(3);
      const std::uint64_t size = names.number(8);
      names.take(8);
      read_tree(tree, at(names.number(8), size), -1, result);
    }
    for (const Message& message : messages(address)) {
      if (message.type == link_message) result.push_back(read_link(message.bytes));
      if (message.type != link_info_message) continue;
      Cursor cursor(message.bytes, name_);
      cursor.take(1);
      cursor.take((cursor.number(1) & 1) != 0 ? 8 : 0);
      if (cursor.number(8) != no_address) newer("a group has a fractal heap");
    }
    std::sort(result.begin(), result.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
    const auto twice = std::adjacent_find(result.begin(), result.end(),
                                          [](const Entry& a, const Entry& b) { return a.name == b.name; });
    if (twice != result.end()) damaged("a group has the name " + std::string(twice->name) + " twice");
    return result;
  }
  // A B-tree of names; below level 0 are the leaves.
  void read_tree(std::uint64_t address, Bytes names, int level, std::vector<Entry>& result) {
    Cursor cursor(at(address, 24), name_);
    cursor.expect("TREE");
    cursor.expect_number(0, 1, "the kind of a group's tree");
    const auto found = static_cast<int>(cursor.number(1));
    if (level >= 0 && found != level) damaged("a tree's levels are wrong");
    const std::uint64_t count = cursor.number(2);
    Cursor children(at(address + 24, 16 * count), name_);
    for (std::uint64_t i = 0; i < count; ++i) {
      children.take(8);
      const std::uint64_t child = children.number(8);
      if (found > 0)
        read_tree(child, names, found - 1, result);
      else
        read_leaf(child, names, result);
    }
  }
  void read_leaf(std::uint64_t address, Bytes names, std::vector<Entry>& result) {
    Cursor head(at(address, 8), name_);
    head.expect("SNOD");
    head.expect_number(1, 1, "a leaf's version");
    head.take(1);
    const std::uint64_t count = head.number(2);
    Cursor cursor(at(address + 8, 40 * count), name_);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t offset = cursor.number(8), object = cursor.number(8), kind = cursor.number(4);
      cursor.take(20);
      if (offset >= names.size()) damaged("a name lies beyond its heap");
      const Bytes rest = names.subspan(offset);
      const void* const end = std::memchr(rest.data(), 0, rest.size());
      if (!end) damaged("a name does not end");
      const auto* const begin = reinterpret_cast<const char*>(rest.data());
      const std::string_view name(begin, static_cast<std::size_t>(static_cast<const char*>(end) - begin));
      spend(name.size() + 64);
      result.push_back({name, object, kind == 2 ? Link::soft : Link::hard});
    }
  }
  Entry read_link(Bytes bytes) {
    Cursor cursor(bytes, name_);
    cursor.expect_number(1, 1, "a link's version");
    const std::uint64_t flags = cursor.number(1);
    const std::uint64_t kind = (flags & 8) != 0 ? cursor.number(1) : 0;
    cursor.take((flags & 4) != 0 ? 8 : 0);
    cursor.take((flags & 16) != 0 ? 1 : 0);
    const Bytes text = cursor.take(cursor.number(std::size_t{1} << (flags & 3)));
    const std::string_view name(reinterpret_cast<const char*>(text.data()), text.size());
    spend(name.size() + 64);
    if (kind == 0) return {name, cursor.number(8), Link::hard};
    return {name, 0, kind == 1 ? Link::soft : kind == 64 ? Link::external : Link::user_defined};
  }

  std::vector<std::pair<std::uint64_t, Bytes>> read_heap(std::uint64_t address) {
    Cursor head(at(address, 16), name_);
    head.expect("GCOL");
    head.expect_number(1, 1, "a heap's version");
    head.expect_number(0, 3, "a heap's reserved number");
    const std::uint64_t size = head.number(8);
    if (size < 16) damaged("a heap is smaller than its header");
    at(address, size);
    Cursor cursor(at(address + 16, size - 16), name_);
    std::vector<std::pair<std::uint64_t, Bytes>> result;
    while (cursor.left() >= 16) {
      const std::uint64_t index = cursor.number(2);
      cursor.take(6);
      const std::uint64_t length = cursor.number(8);
      if (index == 0) break;  // the rest is free
      spend(32);
      result.emplace_back(index, cursor.take_padded(length));
    }
    std::sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    return result;
  }

  std::vector<std::byte> bytes_;
  std::string name_;
  std::uint64_t budget_;
  std::uint64_t root_ = 0;
  std::map<std::uint64_t, std::vector<Message>> messages_{};
  std::map<std::uint64_t, std::vector<Entry>> groups_{};
  std::map<std::uint64_t, std::vector<std::pair<std::uint64_t, Bytes>>> heaps_{};
};

}  // namespace digitnet::hdf5::detail
