// safetensors: named arrays in one file, without any dependency. 8 bytes give the length of a JSON header,
// which names each array's type, shape and place; the numbers follow.
// https://github.com/huggingface/safetensors
#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/inspect/describe.hpp"

namespace digitnet {

/// A named float32 array.
struct NamedTensor {
  std::string name;
  std::vector<std::size_t> shape;
  std::span<const float> values;
};

/// An array of another type than float32, as its bytes.
struct OtherTensor {
  std::string name;
  /// Such as "I64" or "F16"
  std::string type;
  std::vector<std::size_t> shape;
  std::span<const std::byte> bytes{};

  /// Whether it holds whole numbers, as others' counts of what they have seen (num_batches_tracked).
  bool is_whole() const { return type.front() == 'I' || type.front() == 'U' || type == "BOOL"; }
};

/// What a file of safetensors holds: float32 arrays, and words under names.
class Safetensors {
 public:
  std::map<std::string, std::string> metadata{};

  void add(NamedTensor tensor) { tensors_.push_back(std::move(tensor)); }
  void add_other(OtherTensor tensor) { others_.push_back(std::move(tensor)); }
  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  /// Arrays of other types.
  const std::vector<OtherTensor>& others() const { return others_; }
  /// The array of that name, or null.
  const NamedTensor* find(const std::string& name) const {
    for (const NamedTensor& tensor : tensors_)
      if (tensor.name == name) return &tensor;
    return nullptr;
  }

  /// Writes the arrays in their order, those of other types last, whole or not at all, with a checksum of the
  /// whole file among the metadata. Throws an Error that names the path.
  void write(const std::string& path) const;
  /// Reads and checks a file: its checksum, if it has one, header, types, shapes against places, no overlap,
  /// no gap, nothing beyond the end. Throws an Error that says what is wrong where. Arrays point into memory
  /// that this keeps.
  static Safetensors read(const std::string& path);
  /// Whether a file that was read had a checksum.
  bool has_checksum() const { return has_checksum_; }

 private:
  bool has_checksum_ = false;
  std::vector<NamedTensor> tensors_;
  std::vector<OtherTensor> others_;
  std::shared_ptr<std::vector<float>> memory_;
  std::shared_ptr<std::vector<std::byte>> other_memory_;
};

/// The parameters of a model that lies at `arena`, as arrays "PREFIXconv2d/kernel".
DIGITNET_INLINE void add_parameters(Safetensors& file, const ModelDescription& model,
                                    std::span<const float> arena, const std::string& prefix = "");

/// Looks for each of the model's parameters under its prefixed name; every name that is missing, has
/// another shape or numbers that are not finite is added to `differences`. Returns where they are to be
/// copied from, in the order of the model.
DIGITNET_INLINE std::vector<std::pair<WeightDescription, std::span<const float>>> match_parameters(
    const Safetensors& file, const ModelDescription& model, const std::string& prefix,
    std::vector<std::string>& differences);

/// Writes the parameters of a model under their names ("conv2d/kernel").
DIGITNET_INLINE void save_safetensors(const ModelDescription& model, std::span<const float> arena,
                                      const std::string& path);
template <class Model>
void save_safetensors(const Model& model, const std::string& path) {
  save_safetensors(describe(model), model.parameters(), path);
}

/// Fills a model with the parameters of a file, which must have exactly the model's names and shapes, and may
/// have whole numbers beside them. Otherwise throws an Error that lists every difference, and the model stays
/// as it was.
DIGITNET_INLINE void load_safetensors(const ModelDescription& model, std::span<float> arena,
                                      const std::string& path);
template <class Model>
void load_safetensors(Model& model, const std::string& path) {
  load_safetensors(describe(model), model.parameters(), path);
}

}  // namespace digitnet

#if DIGITNET_BODIES
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "digitnet/core/atomic_file.hpp"
#include "digitnet/core/crc32c.hpp"
#include "digitnet/core/read_file.hpp"
#include "digitnet/io/differences.hpp"
#include "digitnet/io/safetensors_header.hpp"

namespace digitnet {

namespace detail {

// The checksum of a whole file stands in its header, among the metadata, and is taken with zeros in its
// place. That a file has one is said twice: no bit of it can change unnoticed.
inline constexpr std::string_view checksum_key = "crc32c", no_checksum = "00000000";

// Throws unless the checksum at that place of the file is the right one; 0: there is none that is whole.
inline void check_sum(const std::string& path, std::span<const std::byte> file, std::size_t place) {
  if (place == 0) fail(path + " is damaged: its checksum is none");
  const std::string_view bytes(reinterpret_cast<const char*>(file.data()), file.size());
  const std::string sum = Crc32c()
                              .add(bytes.substr(0, place))
                              .add(no_checksum)
                              .add(bytes.substr(place + no_checksum.size()))
                              .text();
  if (bytes.substr(place, no_checksum.size()) != sum)
    fail(path + " is damaged: its checksum is " + sum + ", but must be " +
         std::string(bytes.substr(place, no_checksum.size())));
}

}  // namespace detail

DIGITNET_INLINE void Safetensors::write(const std::string& path) const {
  std::string header = "{\"__metadata__\":{";
  for (const auto& [key, value] : metadata)
    header += detail::json_string(key) + ":" + detail::json_string(value) + ",";
  header += "\"checksum\":\"crc32c\",\"crc32c\":\"";
  const std::size_t place = header.size();
  header.append(detail::no_checksum).append("\"}");
  std::size_t begin = 0;
  const auto add_entry = [&](const std::string& name, const std::string& type,
                             const std::vector<std::size_t>& extents, std::size_t bytes) {
    std::string shape;
    for (const std::size_t extent : extents) shape += (shape.empty() ? "" : ",") + std::to_string(extent);
    header += "," + detail::json_string(name) + ":{\"dtype\":\"" + type + "\",\"shape\":[" + shape +
              "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(begin + bytes) + "]}";
    begin += bytes;
  };
  for (const NamedTensor& tensor : tensors_)
    add_entry(tensor.name, "F32", tensor.shape, tensor.values.size_bytes());
  for (const OtherTensor& tensor : others_)
    add_entry(tensor.name, tensor.type, tensor.shape, tensor.bytes.size());
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');  // so that the numbers are aligned
  const std::uint64_t length = header.size();
  Crc32c sum;
  sum.add(&length, sizeof length).add(header);
  for (const NamedTensor& tensor : tensors_) sum.add(tensor.values);
  for (const OtherTensor& tensor : others_) sum.add(tensor.bytes);
  header.replace(place, detail::no_checksum.size(), sum.text());
  AtomicFile file(path);
  file.write(&length, sizeof length);
  file.write(header.data(), header.size());
  for (const NamedTensor& tensor : tensors_) file.write(tensor.values.data(), tensor.values.size_bytes());
  for (const OtherTensor& tensor : others_) file.write(tensor.bytes.data(), tensor.bytes.size());
  file.commit();
}

DIGITNET_INLINE Safetensors Safetensors::read(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  const std::uint64_t size = bytes.size();
  std::uint64_t length = 0;
  if (size < 8)
    fail(path + " is no safetensors file: it has " + std::to_string(size) +
         " bytes, but at least 8 are needed");
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > size - 8 || length > 100'000'000)
    fail(path + " is no safetensors file, or cut off: its header claims " + std::to_string(length) +
         " bytes, but " + std::to_string(size - 8) + " follow");
  const std::string header(reinterpret_cast<const char*>(bytes.data()) + 8, length);

  struct Entry {
    std::string name, type;
    std::vector<std::uint64_t> shape, place;
  };
  std::vector<Entry> entries;
  std::map<std::string, std::string> types;
  Safetensors result;
  std::size_t sum_place = 0;
  detail::HeaderReader reader(path, header);
  reader.object([&](const std::string& name) {
    if (name == "__metadata__") {
      reader.object([&](const std::string& key) {
        const std::string& value = result.metadata[key] = reader.string();
        // It ends before the quotation mark that was read last.
        if (key == detail::checksum_key && value.size() == detail::no_checksum.size())
          sum_place = 8 + reader.at() - 1 - value.size();
      });
      return;
    }
    Entry entry{.name = name, .type = {}, .shape = {}, .place = {}};
    reader.object([&](const std::string& key) {
      if (key == "dtype")
        entry.type = reader.string();
      else if (key == "shape")
        entry.shape = reader.numbers();
      else if (key == "data_offsets")
        entry.place = reader.numbers();
      else
        reader.broken("gives \"" + name + "\" an unknown \"" + key + "\"");
    });
    // At once: what is said of an array takes more memory than the least that can be said.
    if (entry.type.empty() || entry.place.empty())
      reader.broken("does not say where \"" + name + "\" lies, and of which type it is");
    if (types.contains(name)) reader.broken("names \"" + name + "\" twice");
    types[name] = entry.type;
    entries.push_back(std::move(entry));
  });
  reader.end();
  result.has_checksum_ = result.metadata.erase(std::string(detail::checksum_key)) > 0;
  if (const auto kind = result.metadata.find("checksum");
      kind != result.metadata.end() && kind->second == detail::checksum_key) {
    result.metadata.erase(kind);
    if (!result.has_checksum_) fail(path + " is damaged: it has lost its checksum");
  }
  if (result.has_checksum_) detail::check_sum(path, bytes, sum_place);

  const std::uint64_t data_size = size - 8 - length;
  for (const Entry& entry : entries) {
    const std::string what = path + ": \"" + entry.name + "\" ";
    const std::uint64_t number = detail::bytes_of_type(entry.type);
    if (number == 0) fail(what + "is of type " + entry.type + ", which is not known");
    if (entry.place.size() != 2 || entry.place[0] > entry.place[1] || entry.place[1] > data_size)
      fail(what + "does not lie inside the file's " + std::to_string(data_size) +
           " bytes of numbers: is it cut off?");
    std::uint64_t elements = 1;
    for (const std::uint64_t extent : entry.shape) {
      if (extent > data_size) elements = ~std::uint64_t{0};  // and not an overflow
      if (elements <= data_size) elements *= extent;
    }
    if (elements > data_size || elements * number != entry.place[1] - entry.place[0])
      fail(what + "has a shape that does not fit its " + std::to_string(entry.place[1] - entry.place[0]) +
           " bytes");
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.place < b.place; });
  std::uint64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.place[0] != end)
      fail(path + ": \"" + entry.name + "\" begins at byte " + std::to_string(entry.place[0]) +
           " of the numbers, but " + std::to_string(end) +
           " is where the one before ends: arrays must neither overlap nor leave gaps");
    end = entry.place[1];
  }
  if (end != data_size)
    fail(path + " has " + std::to_string(data_size - end) + " bytes behind its last array");
  std::size_t floats = 0;
  for (const Entry& entry : entries)
    if (entry.type == "F32") floats += (entry.place[1] - entry.place[0]) / sizeof(float);
  result.memory_ = std::make_shared<std::vector<float>>(floats);
  std::span<float> rest(*result.memory_);
  result.other_memory_ = std::make_shared<std::vector<std::byte>>(data_size - floats * sizeof(float));
  std::span<std::byte> rest_of_others(*result.other_memory_);
  for (const Entry& entry : entries) {
    std::vector<std::size_t> shape(entry.shape.begin(), entry.shape.end());
    const std::span all(bytes.data() + 8 + length + entry.place[0], entry.place[1] - entry.place[0]);
    if (entry.type != "F32") {
      std::copy(all.begin(), all.end(), rest_of_others.begin());
      result.add_other({entry.name, entry.type, std::move(shape), rest_of_others.first(all.size())});
      rest_of_others = rest_of_others.subspan(all.size());
      continue;
    }
    // Copied, because those of other types before it may leave it at any byte.
    const std::size_t count = all.size() / sizeof(float);
    if (count > 0) std::memcpy(rest.data(), all.data(), all.size());
    result.add({entry.name, std::move(shape), rest.first(count)});
    rest = rest.subspan(count);
  }
  return result;
}

DIGITNET_INLINE void add_parameters(Safetensors& file, const ModelDescription& model,
                                    std::span<const float> arena, const std::string& prefix) {
  for (const LayerDescription& layer : model.layers)
    for (const WeightDescription& weight : layer.weights)
      file.add({prefix + layer.name + "/" + weight.name, weight.shape,
                arena.subspan(weight.offset, weight.size())});
}

DIGITNET_INLINE std::vector<std::pair<WeightDescription, std::span<const float>>> match_parameters(
    const Safetensors& file, const ModelDescription& model, const std::string& prefix,
    std::vector<std::string>& differences) {
  std::vector<std::pair<WeightDescription, std::span<const float>>> result;
  std::map<std::string, std::string> other_types;
  for (const OtherTensor& other : file.others()) other_types[other.name] = other.type;
  for (const LayerDescription& layer : model.layers)
    for (const WeightDescription& weight : layer.weights) {
      const std::string name = prefix + layer.name + "/" + weight.name;
      const NamedTensor* const found = file.find(name);
      if (const auto other = other_types.find(name); other != other_types.end())
        differences.push_back(name + " is F32 (float32) in the model, " + other->second + " in the file");
      else if (!found)
        differences.push_back("the model has " + name + " " + shape_text(weight.shape) +
                              ", the file does not");
      else if (found->shape != weight.shape)
        differences.push_back(name + " is " + shape_text(weight.shape) + " in the model, " +
                              shape_text(found->shape) + " in the file");
      else {
        detail::add_non_finite(name, weight.shape, found->values, differences);
        result.emplace_back(weight, found->values);
      }
    }
  return result;
}

DIGITNET_INLINE void save_safetensors(const ModelDescription& model, std::span<const float> arena,
                                      const std::string& path) {
  Safetensors file;
  file.metadata["format"] = "digitnet";
  add_parameters(file, model, arena);
  file.write(path);
}

DIGITNET_INLINE void load_safetensors(const ModelDescription& model, std::span<float> arena,
                                      const std::string& path) {
  const Safetensors file = Safetensors::read(path);
  std::vector<std::string> differences;
  const auto matches = match_parameters(file, model, "", differences);
  std::map<std::string, std::string> known;
  for (const LayerDescription& layer : model.layers)
    for (const WeightDescription& weight : layer.weights) known[layer.name + "/" + weight.name];
  for (const NamedTensor& tensor : file.tensors())
    if (!known.contains(tensor.name))
      differences.push_back("the file has " + tensor.name + " " + shape_text(tensor.shape) +
                            ", the model does not");
  for (const OtherTensor& other : file.others())
    if (!other.is_whole() && !known.contains(other.name))
      differences.push_back("the file has " + other.name + " " + shape_text(other.shape) + " of type " +
                            other.type + ", the model does not");
  detail::fail_of_differences(path, differences);
  for (const auto& [weight, values] : matches)
    std::copy(values.begin(), values.end(), arena.data() + weight.offset);
}

}  // namespace digitnet
#endif
