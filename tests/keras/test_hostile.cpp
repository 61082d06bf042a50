// Model files as attackers and broken disks make them: each is refused in a sentence or read, within 64 MiB
// and four times the file, and in little time.
#include <hdf5.h>
#include <zlib.h>

#include <cstring>
#include <digitnet/core/read_file.hpp>
#include <digitnet/data/idx.hpp>
#include <digitnet/io/hdf5.hpp>
#include <digitnet/io/read_in_child.hpp>
#include <digitnet/io/safetensors.hpp>
#include <digitnet/keras/import.hpp>
#include <limits>

#include "support/support.hpp"

using namespace digitnet;

namespace {

using support::Folder;

std::string repeated(const std::string& text, std::size_t times) {
  std::string result;
  result.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) result += text;
  return result;
}

const std::string dense_layers =
    R"({"class_name": "Dense", "config": {"name": "dense", "units": 3, "activation": "relu"}})";

// A chain of layers behind an input of two numbers; `more` is another member of the model's configuration.
std::string chain(const std::string& layers, const std::string& more = "") {
  return R"({"class_name": "Sequential", "config": {)" + more +
         R"("name": "s", "layers": [{"class_name": "InputLayer", "config": {"batch_shape": [null, 2], "name": "i"}})" +
         (layers.empty() ? "" : ", " + layers) + "]}}";
}

void write_h5(const std::string& path, const hdf5::File& file) {
  const auto bytes = file.bytes();
  support::write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}
const std::vector<float> kernel{1, 2, 3, 4, 5, 6}, bias{7, 8, 9};

// A whole model whose kernel is put there by `put`.
template <class Put>
void write_model(const std::string& path, const std::string& config, const Put& put) {
  hdf5::File file;
  file.root().put_word("model_config", config);
  const hdf5::Group weights = file.root().make_group("model_weights"), dense = weights.make_group("dense");
  weights.put_words("layer_names", {"dense"});
  dense.put_words("weight_names", {"kernel:0", "bias:0"});
  dense.put_floats("bias:0", {3}, bias);
  put(dense);
  write_h5(path, file);
}
void put_kernel(const hdf5::Group& group) { group.put_floats("kernel:0", {2, 3}, kernel); }

struct ZipEntry {
  std::string name, packed;
  std::size_t size;
  unsigned method, checksum;
};
ZipEntry stored(const std::string& name, const std::string& bytes) {
  return {name, bytes, bytes.size(), 0,
          static_cast<unsigned>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()))};
}
// Packed with deflate, without zlib's frame.
ZipEntry deflated(const std::string& name, const std::string& bytes) {
  std::string packed(::compressBound(bytes.size()), '\0');
  ::uLongf size = packed.size();
  REQUIRE(::compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                      reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), 9) == Z_OK);
  ZipEntry entry = stored(name, bytes);
  entry.packed = packed.substr(2, size - 6);
  entry.method = 8;
  return entry;
}
void write_zip(const std::string& path, const std::vector<ZipEntry>& entries) {
  std::string bytes, directory;
  const auto number = [](std::string& to, std::size_t value, int size) {
    for (int i = 0; i < size; ++i) to += static_cast<char>(value >> 8 * i & 255);
  };
  for (const ZipEntry& entry : entries) {
    const std::size_t begin = bytes.size();
    const auto common = [&](std::string& to) {
      number(to, 20, 2), number(to, 0, 2), number(to, entry.method, 2), number(to, 0, 4);
      number(to, entry.checksum, 4), number(to, entry.packed.size(), 4), number(to, entry.size, 4);
      number(to, entry.name.size(), 2), number(to, 0, 2);
    };
    number(bytes, 0x04034b50, 4), common(bytes);
    bytes += entry.name + entry.packed;
    number(directory, 0x02014b50, 4), number(directory, 20, 2), common(directory);
    number(directory, 0, 6), number(directory, 0, 4), number(directory, begin, 4);
    directory += entry.name;
  }
  const std::size_t begin = bytes.size();
  bytes += directory;
  number(bytes, 0x06054b50, 4), number(bytes, 0, 4), number(bytes, entries.size() & 0xffff, 2);
  number(bytes, entries.size() & 0xffff, 2), number(bytes, directory.size(), 4), number(bytes, begin, 4);
  number(bytes, 0, 2);
  support::write_file(path, bytes);
}

// What reading says, in a child process with the limits that every reader keeps, and a few seconds.
template <class Read>
std::string said_of(const std::string& path, const Read& read) {
  ChildLimits limits = limits_for_file(path, 0);
#ifdef DIGITNET_SANITIZED
  limits.seconds = 120;
#else
  limits.seconds = 10;
#endif
  std::string text;
  try {
    read_in_child(path, limits, [&] {
      read();
      return std::vector<std::byte>();
    });
  } catch (const Error& error) {
    text = error.what();
  }
  INFO(text);
  CHECK(!support::contains(text, "the process that read it"));
  return text;
}
std::string said_of_model(const std::string& path) {
  return said_of(path, [&] { keras::import_model(path, "Model", true, "blob"); });
}
void check_refused(const std::string& path, const std::string& part) {
  CAPTURE(path);
  const std::string text = said_of_model(path);
  INFO(text);
  CHECK(support::contains(text, part));
}

}  // namespace

TEST_CASE("the sound model that the others are made of is read") {
  const Folder folder;
  write_model(folder / "a.h5", chain(dense_layers), put_kernel);
  CHECK(said_of_model(folder / "a.h5").empty());
}

TEST_CASE("HDF5: no other file of the disk is read, nor anything but arrays in one piece") {
  const Folder folder;
  support::write_file(folder / "secret", "SECRETSECRETSECRETSECRET");
  {
    hdf5::File other;
    other.root().put_floats("k", {2, 3}, kernel);
    write_h5(folder / "other.h5", other);
  }
  const hsize_t extents[] = {2, 3}, chunk[] = {16384, 16384}, without_end[] = {H5S_UNLIMITED, H5S_UNLIMITED};
  const std::string path = folder / "a.h5", other = folder / "other.h5";
  const auto array = [&](const hdf5::Group& group, hid_t space, const auto& set) {
    const hdf5::Handle plan(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "make a plan");
    set(plan);
    const hdf5::Handle made(
        H5Dcreate2(group.id(), "kernel:0", H5T_IEEE_F32LE, space, H5P_DEFAULT, plan, H5P_DEFAULT), H5Dclose,
        "make");
  };
  const auto check = [&](const char* part, const auto& put) {
    write_model(path, chain(dense_layers), put);
    check_refused(path, part);
  };
  const hdf5::Handle space(H5Screate_simple(2, extents, nullptr), H5Sclose, "make a shape");
  const hdf5::Handle growing(H5Screate_simple(2, extents, without_end), H5Sclose, "make a shape");
  check("has its numbers in another file", [&](const hdf5::Group& group) {
    array(group, space, [&](hid_t plan) { H5Pset_external(plan, (folder / "secret").c_str(), 0, 24); });
  });
  check("has its numbers in other files or arrays", [&](const hdf5::Group& group) {
    array(group, space, [&](hid_t plan) { H5Pset_virtual(plan, space, other.c_str(), "k", space); });
  });
  check("is compressed or filtered", [&](const hdf5::Group& group) {
    array(group, growing, [&](hid_t plan) {
      H5Pset_chunk(plan, 2, chunk);
      H5Pset_deflate(plan, 9);
    });
  });
  check("is cut into chunks", [&](const hdf5::Group& group) {
    array(group, growing, [&](hid_t plan) { H5Pset_chunk(plan, 2, chunk); });
  });
  check("was never written", [&](const hdf5::Group& group) { array(group, space, [](hid_t) {}); });
  check("is a link to another file", [&](const hdf5::Group& group) {
    H5Lcreate_external(other.c_str(), "/k", group.id(), "kernel:0", H5P_DEFAULT, H5P_DEFAULT);
  });
  check("is a link to another place", [&](const hdf5::Group& group) {
    H5Lcreate_soft("/model_weights/dense/kernel:0", group.id(), "kernel:0", H5P_DEFAULT, H5P_DEFAULT);
  });
  // The same inside .keras.
  write_model(path, chain(dense_layers), [&](const hdf5::Group& group) {
    put_kernel(group);
    H5Lcreate_external(other.c_str(), "/k", group.id(), "0", H5P_DEFAULT, H5P_DEFAULT);
  });
  hdf5::File store;
  const hdf5::Group vars = store.root().make_group("layers/dense/vars");
  vars.put_floats("1", {3}, bias);
  H5Lcreate_external(other.c_str(), "/k", vars.id(), "0", H5P_DEFAULT, H5P_DEFAULT);
  const auto inner = store.bytes();
  write_zip(folder / "a.keras",
            {stored("config.json", chain(dense_layers)),
             stored("model.weights.h5", {reinterpret_cast<const char*>(inner.data()), inner.size()})});
  check_refused(folder / "a.keras", "is a link to another file");
}

TEST_CASE("HDF5: damaged heaps, trees that go in circles and names that repeat end in a sentence") {
  const Folder folder;
  const std::string path = folder / "a.h5";
  write_model(path, chain(dense_layers), put_kernel);
  const std::string sound = support::read_file(path);
  const std::size_t heap = sound.find("GCOL"), tree = sound.find("TREE");
  REQUIRE(heap != std::string::npos);
  const auto changed = [&](std::size_t at, const std::string& bytes, const char* part) {
    std::string text = sound;
    text.replace(at, bytes.size(), bytes);
    support::write_file(path, text);
    check_refused(path, part);
  };
  changed(heap + 5, "\1", "reserved");
  changed(heap + 8, std::string(8, '\377'), "beyond its end");
  changed(heap + 8, std::string(8, '\0'), "smaller than its header");
  changed(heap + 16, "\7", "is not in the heap");         // the first text's number
  changed(heap + 24, std::string(8, '\377'), "damaged");  // its length
  changed(tree + 5, "\1", "damaged");                     // a level more
  changed(tree + 6, "\377\377", "damaged");               // more entries than there are
  changed(24, "\1", "base address");
  // Every child of the root's tree is the tree itself.
  std::string address(8, '\0');
  std::memcpy(address.data(), &tree, 8);
  changed(tree + 32, address, "damaged");
  // Any byte of what is not numbers.
  for (std::size_t at = 0; at < sound.size(); at += 7) {
    std::string text = sound;
    text[at] = static_cast<char>(~text[at]);
    support::write_file(path, text);
    try {
      keras::import_model(path, "Model", true, "blob");
    } catch (const Error&) {
    }
  }
  hdf5::File words;
  words.root().put_word("model_config", chain(dense_layers));
  const hdf5::Group weights = words.root().make_group("model_weights");
  weights.put_words("layer_names", std::vector<std::string>(60000, "a"));
  weights.make_group("a").put_words("weight_names", std::vector<std::string>(60000, "w"));
  write_h5(path, words);
  check_refused(path, "");
  CHECK(!said_of_model(path).empty());
}

TEST_CASE("JSON: depth, repetition and size have limits") {
  const Folder folder;
  const std::string path = folder / "a.h5";
  const auto check = [&](const std::string& config, const char* part) {
    write_model(path, config, put_kernel);
    check_refused(path, part);
  };
  check(chain(dense_layers, "\"z\": " + std::string(200000, '[') + std::string(200000, ']') + ","),
        "is nested deeper");
  check(chain(dense_layers, "\"z\": " + repeated("{\"a\":", 80000) + "1" + std::string(80000, '}') + ","),
        "is nested deeper");
  check(std::string(1000000, '['), "is nested deeper");
  check(chain(dense_layers, "\"z\": [" + repeated("[],", 1000000) + "1],"), "more values than");
  check(chain(dense_layers, "\"z\": {" + repeated("\"a\":1,", 100000) + "\"b\":1},"), "more members than");
  const std::string relu = R"({"class_name":"ReLU","config":{"name":"r"}})";
  check(chain(repeated(relu + ",", 200000) + dense_layers), "more");
  check(chain(repeated(relu + ",", 50000) + dense_layers), "more than 12000 layers");
  check(chain(R"({"class_name": "Dense", "config": {"name": ")" + std::string(1000000, 'n') +
              R"(", "units": 3}})"),
        "names of hundreds of letters");
  check(chain(R"({"class_name": "Reshape", "config": {"name": "r", "target_shape": []}}, )" + dense_layers),
        "has no extents");
  check(
      chain(
          R"({"class_name": "Reshape", "config": {"name": "r", "target_shape": [4294967296, 4294967296]}}, )" +
          dense_layers),
      "target_shape");
  // Models inside models.
  std::string nested = dense_layers;
  for (int i = 0; i < 60; ++i)
    nested = R"({"class_name": "Sequential", "config": {"name": "s", "layers": [)" + nested + "]}}";
  check(chain(nested), "");
  CHECK(!said_of_model(path).empty());
  // Little bytes, much text.
  const std::string deep = std::string(80000, '[') + std::string(80000, ']');
  write_zip(folder / "deep.keras", {deflated("config.json", deep), stored("model.weights.h5", "x")});
  CHECK(support::read_file(folder / "deep.keras").size() < 2000);
  check_refused(folder / "deep.keras", "");
  CHECK(!said_of_model(folder / "deep.keras").empty());
}

TEST_CASE("functional models: listed backwards, and with more ways than layers") {
  const Folder folder;
  const auto functional = [](const std::vector<std::string>& layers, const std::string& last) {
    std::string list;
    for (const std::string& layer : layers) list += (list.empty() ? "" : ", ") + layer;
    return R"({"class_name": "Functional", "config": {"name": "m", "layers": [)" + list +
           R"(], "input_layers": [["l0", 0, 0]], "output_layers": [[")" + last + R"(", 0, 0]]}})";
  };
  const auto layer = [](const char* kind, const std::string& name, const std::string& sources) {
    return R"({"class_name": ")" + std::string(kind) + R"(", "name": ")" + name +
           R"(", "config": {"name": ")" + name + R"("}, "inbound_nodes": [[)" + sources + "]]}";
  };
  const auto from = [](const std::string& name) { return "[\"" + name + "\", 0, 0, {}]"; };
  const std::string input =
      R"({"class_name": "InputLayer", "name": "l0", "config": {"batch_shape": [null, 2], "name": "l0"}, "inbound_nodes": []})";
  const auto write = [&](const std::string& path, const std::string& config) {
    hdf5::File file;
    file.root().put_word("model_config", config);
    file.root().make_group("model_weights").put_words("layer_names", {});
    write_h5(path, file);
  };
  std::vector<std::string> layers{input};
  for (int i = 1; i < 9000; ++i)
    layers.insert(layers.begin(), layer("ReLU", "l" + std::to_string(i), from("l" + std::to_string(i - 1))));
  write(folder / "backwards.h5", functional(layers, "l8999"));
  CHECK(said_of_model(folder / "backwards.h5") == "");
  // Twice as many ways with each pair of sums.
  layers = {input, layer("ReLU", "a0", from("l0")), layer("ELU", "b0", from("l0"))};
  for (int i = 1; i < 60; ++i) {
    const std::string both = from("a" + std::to_string(i - 1)) + ", " + from("b" + std::to_string(i - 1));
    layers.push_back(layer("Add", "a" + std::to_string(i), both));
    layers.push_back(layer("Add", "b" + std::to_string(i), both));
  }
  layers.push_back(layer("Add", "end", from("a59") + ", " + from("b59")));
  write(folder / "ways.h5", functional(layers, "end"));
  CHECK(!said_of_model(folder / "ways.h5").empty());
  // A layer that gets its own result.
  layers = {input, layer("ReLU", "a", from("b")), layer("ReLU", "b", from("a"))};
  write(folder / "circle.h5", functional(layers, "b"));
  check_refused(folder / "circle.h5", "gets its own result");
}

TEST_CASE("archives: bombs, other packings, names twice") {
  const Folder folder;
  const std::string path = folder / "a.keras";
  const ZipEntry config = deflated("config.json", chain(dense_layers)),
                 weights = stored("model.weights.h5", "x");
  write_zip(path, {config, weights});
  check_refused(path, "model.weights.h5 is no HDF5 file");
  write_zip(path, {deflated("config.json", std::string(64u << 20, ' ')), weights});
  check_refused(path, "out of proportion");
  ZipEntry wrong = config;
  wrong.size = 17u << 20;
  write_zip(path, {wrong, weights});
  check_refused(path, "out of proportion");
  wrong.size = 1u << 20;
  write_zip(path, {wrong, weights});
  check_refused(path, "not as long as it says");
  wrong = config;
  wrong.method = 12;  // bzip2
  write_zip(path, {wrong, weights});
  check_refused(path, "packed with method 12");
  wrong = config;
  wrong.checksum ^= 1;
  write_zip(path, {wrong, weights});
  check_refused(path, "checksum is wrong");
  write_zip(path, {config, weights, config});
  check_refused(path, "has config.json twice");
  std::vector<ZipEntry> many(60000, stored("x", ""));
  many.push_back(config);
  many.push_back(weights);
  write_zip(path, many);
  check_refused(path, "model.weights.h5 is no HDF5 file");
}

TEST_CASE("safetensors and IDX: many names, depth, and gzip that unpacks to much") {
  const Folder folder;
  const std::string path = folder / "a.safetensors";
  const auto check = [&](const std::string& header, const char* part) {
    const std::uint64_t length = header.size();
    support::write_file(path, std::string(reinterpret_cast<const char*>(&length), 8) + header);
    const std::string text = said_of(path, [&] { Safetensors::read(path); });
    INFO(text);
    CHECK(support::contains(text, part));
  };
  std::string names = "{", whole = "{";
  for (int i = 0; i < 200000; ++i) {
    const std::string name = (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":";
    names += name + "{}";
    whole += name + R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  }
  check(names + "}", "does not say where");
  check(whole + "}", "more than 65536 members");
  check("{" + repeated("\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},", 60000) + "}",
        "twice");
  check("{\"a\":{\"shape\":[" + repeated("1,", 1000000) + "1]}}", "more numbers than an array has axes");
  check("{\"a\":" + std::string(1000000, '[') + "}", "has no '{'");
  check("{\"__metadata__\":{" + repeated("\"a\":\"\",", 1000000) + "}}", "more than 65536 members");

  // 200 MB of zeros in 200 kB.
  const std::string bomb = folder / "bomb.gz";
  const gzFile file = ::gzopen(bomb.c_str(), "wb9");
  const unsigned char header[] = {
      0, 0, 8, 1, 200'000'000 >> 24, 200'000'000 >> 16 & 255, 200'000'000 >> 8 & 255, 0};
  ::gzwrite(file, header, sizeof header);
  const std::vector<char> zeros(1 << 20);
  for (int i = 0; i < 200; ++i) ::gzwrite(file, zeros.data(), 1 << 20);
  ::gzclose(file);
  CHECK(support::contains(said_of(bomb, [&] { read_idx<std::uint8_t, 1>(bomb); }),
                          "four times the file's size"));
}

TEST_CASE("weights that are not finite are refused by array, element and value") {
  const Folder folder;
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> wrong{1, 2, 3, 4, nan, 6}, large{1, 2, -infinity, 4, 5, infinity};
  write_model(folder / "a.h5", chain(dense_layers), [&](const hdf5::Group& group) {
    group.put_floats("kernel:0", {2, 3}, wrong);
  });
  check_refused(folder / "a.h5", "kernel [1, 1] is nan in the file");
  ModelDescription model{.input = {2}, .layers = {}};
  model.layers.push_back({.class_name = "Dense",
                          .name = "dense",
                          .attributes = {},
                          .input = {2},
                          .output = {3},
                          .weights = {{"kernel", {2, 3}, true, 0}}});
  Safetensors file;
  file.add({"dense/kernel", {2, 3}, large});
  file.write(folder / "a.safetensors");
  std::vector<float> parameters(6, 1.f);
  const std::string text =
      support::error_of([&] { load_safetensors(model, parameters, folder / "a.safetensors"); });
  CHECK(support::contains(text, "dense/kernel [0, 2] is -inf in the file, and so are 1 more of its numbers"));
  CHECK(parameters == std::vector<float>(6, 1.f));
}
