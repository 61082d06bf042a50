#include <digitnet/io/safetensors.hpp>

#include "io/every_layer.hpp"
#include "support/support.hpp"

using namespace digitnet;

namespace {

// A file with the given header and so many bytes behind.
std::string bytes_of(const std::string& header, std::size_t data) {
  std::string bytes(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data, '\1');
}

}  // namespace

TEST_CASE("what is written is read, bit for bit, for every layer") {
  const support::Folder folder;
  const auto check = [&](const auto& network) {
    const auto model = network(1);
    save_safetensors(model, folder / "a.safetensors");
    auto other = network(2);
    CHECK(networks::parameters(other) != networks::parameters(model));
    load_safetensors(other, folder / "a.safetensors");
    CHECK(networks::parameters(other) == networks::parameters(model));
    CHECK(folder.files() == std::vector<std::string>{"a.safetensors"});
  };
  check(networks::every_layer);
  check(networks::branches);
}

TEST_CASE("the file is what others read: aligned header, names, shapes, places in order") {
  const support::Folder folder;
  const Sequential<Input<2>, Dense<3>> model;
  save_safetensors(model, folder / "a.safetensors");
  const std::string bytes = support::read_file(folder / "a.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  CHECK(length % 8 == 0);
  CHECK(bytes.size() == 8 + length + 9 * 4);
  std::string header = bytes.substr(8, length);
  header.erase(header.find_last_not_of(' ') + 1);
  const std::string before = R"({"__metadata__":{"format":"digitnet","checksum":"crc32c","crc32c":")";
  REQUIRE(header.size() > before.size() + 8);
  header.erase(before.size(), 8);
  CHECK(header == before + R"("},"dense/kernel":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                           R"("dense/bias":{"dtype":"F32","shape":[3],"data_offsets":[24,36]}})");
}

TEST_CASE("names and words with any characters, scalars and empty arrays survive") {
  const support::Folder folder;
  const std::vector<float> numbers{1, 2, 3};
  Safetensors file;
  file.metadata["a \"quoted\"\n\\ key"] = "\t\x01 \xc3\xa9";
  file.add({"na\"me", {}, std::span(numbers).first(1)});
  file.add({"empty", {0, 4}, {}});
  file.add({"b", {1, 2}, std::span(numbers).subspan(1)});
  file.write(folder / "x");
  const Safetensors read = Safetensors::read(folder / "x");
  CHECK(read.metadata == file.metadata);
  REQUIRE(read.tensors().size() == 3);
  CHECK(read.find("na\"me")->values[0] == 1);
  CHECK(read.find("empty")->shape == std::vector<std::size_t>{0, 4});
  CHECK(read.find("b")->values[1] == 3);
  CHECK(read.find("c") == nullptr);
  // Escapes that others write.
  support::write_file(
      folder / "y",
      bytes_of(R"({"\u00e9\u0041\/" : { "shape" : [ ] , "dtype":"F32","data_offsets":[0,4]} } )", 4));
  CHECK(Safetensors::read(folder / "y")
            .find("\xc3\xa9"
                  "A/") != nullptr);
}

TEST_CASE("differences are listed all at once, and nothing is loaded") {
  const support::Folder folder;
  save_safetensors(Sequential<Input<4>, Dense<3>, Dense<2>>{}, folder / "a");
  Sequential<Input<4>, Dense<5>, Dense<2, no_bias>, Dense<1>> model{Seed{3}};
  const auto before = networks::parameters(model);
  const std::string error = support::error_of([&] { load_safetensors(model, folder / "a"); });
  INFO(error);
  for (const char* part : {"dense/kernel is (4, 5) in the model, (4, 3) in the file",
                           "dense/bias is (5) in the model, (3) in the file",
                           "dense_1/kernel is (5, 2) in the model, (3, 2) in the file",
                           "the model has dense_2/kernel (2, 1), the file does not",
                           "the file has dense_1/bias (2), the model does not", "stays as it was"})
    CHECK(support::contains(error, part));
  CHECK(networks::parameters(model) == before);
}

TEST_CASE(
    "whole numbers beside the parameters change nothing; parameters of other types are refused by name") {
  const support::Folder folder;
  const Sequential<Input<2>, Dense<1>> model{Seed{1}};
  // A count of three bytes first, so that no float lies at a multiple of four.
  const auto write = [&](const std::string& more, std::size_t more_bytes, const char* type = "F32") {
    const std::string header =
        R"({"seen":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"dense/kernel":{"dtype":")" +
        std::string(type) +
        R"(","shape":[2,1],"data_offsets":[3,11]},"dense/bias":{"dtype":"F32","shape":[1],"data_offsets":[11,15]})" +
        more + "}";
    std::string bytes = bytes_of(header, 15 + more_bytes);
    const float numbers[] = {1.5f, -2.5f, 0.25f};
    std::memcpy(bytes.data() + 8 + header.size() + 3, numbers, sizeof numbers);
    support::write_file(folder / "a", bytes);
  };
  auto other = model;
  for (const char* type : {"I64", "U64", "BOOL"}) {
    CAPTURE(type);
    const std::size_t size = type[0] == 'B' ? 1 : 8;
    write(R"(,"num_batches_tracked":{"dtype":")" + std::string(type) + R"(","shape":[],"data_offsets":[15,)" +
              std::to_string(15 + size) + "]}",
          size);
    other.initialize(Seed{2});
    load_safetensors(other, folder / "a");
    CHECK(other.parameter("dense/kernel")(0, 0) == 1.5f);
    CHECK(other.parameter("dense/kernel")(1, 0) == -2.5f);
    CHECK(other.parameter("dense/bias")(0) == 0.25f);
  }
  write(R"(,"scale":{"dtype":"F16","shape":[],"data_offsets":[15,17]})", 2);
  CHECK_ERROR("the file has scale () of type F16, the model does not", load_safetensors(other, folder / "a"));
  support::write_file(
      folder / "a", bytes_of(R"({"dense/kernel":{"dtype":"F64","shape":[2,1],"data_offsets":[0,16]}})", 16));
  CHECK_ERROR("dense/kernel is F32 (float32) in the model, F64 in the file",
              load_safetensors(other, folder / "a"));
}

TEST_CASE("damaged files are refused with what is wrong") {
  const support::Folder folder;
  const auto refused = [&](const std::string& bytes, const char* sentence) {
    support::write_file(folder / "bad", bytes);
    CHECK_ERROR(sentence, Safetensors::read(folder / "bad"));
  };
  refused("", "has 0 bytes, but at least 8");
  refused("1234567", "has 7 bytes");
  refused(std::string(8, '\xff'), "its header claims 18446744073709551615 bytes, but 0 follow");
  refused(bytes_of("{", 0), "has no '\"' where one must be");
  refused(bytes_of("[]", 0), "has no '{'");
  refused(bytes_of("{} x", 0), "ends with x");
  refused(bytes_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 8), "has no '}'");
  refused(bytes_of(R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,8]}})", 8),
          "does not fit its 8 bytes");
  refused(bytes_of(R"({"a":{"dtype":"F12","shape":[2],"data_offsets":[0,3]}})", 3),
          "is of type F12, which is not known");
  refused(bytes_of(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
          "does not fit its 8 bytes");
  refused(bytes_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7),
          "does not lie inside the file's 7 bytes");
  refused(bytes_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), "does not lie inside");
  refused(
      bytes_of(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          4),
      "neither overlap");
  refused(bytes_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8),
          "neither overlap nor leave gaps");
  refused(bytes_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8),
          "has 4 bytes behind its last array");
  refused(
      bytes_of(
          R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[],"data_offsets":[4,8]}})",
          8),
      "names \"a\" twice");
  refused(bytes_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0),
          "does not fit its 0 bytes");
  refused(bytes_of(R"({"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,0]}})", 0),
          "absurd number");
  refused(bytes_of(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}})", 0), "no whole number");
  refused(bytes_of(R"({"a":{"kind":"F32"}})", 0), "an unknown \"kind\"");
  refused(bytes_of(R"({"\u12)", 0), "ends inside a string");
  CHECK_ERROR("No such file", Safetensors::read(folder / "missing"));
  CHECK_ERROR("is not a file", Safetensors::read(folder.path()));
  CHECK_ERROR("cannot be written", save_safetensors(networks::ann(1), folder / "no/a"));
}

TEST_CASE("a file cut anywhere is refused, never half-read") {
  const support::Folder folder;
  const Sequential<Input<2>, Dense<3>> model;
  save_safetensors(model, folder / "a");
  const std::string bytes = support::read_file(folder / "a");
  Sequential<Input<2>, Dense<3>> other{Seed{7}};
  const auto before = networks::parameters(other);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    support::write_file(folder / "cut", bytes.substr(0, length));
    support::error_of([&] { load_safetensors(other, folder / "cut"); });
  }
  CHECK(networks::parameters(other) == before);
}
