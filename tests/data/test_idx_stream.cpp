#include <digitnet/data/idx.hpp>
#include <digitnet/data/idx_stream.hpp>
#include <digitnet/data/idx_writer.hpp>
#include <digitnet/data/mapped_idx.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "support/support.hpp"

using namespace digitnet;
using support::Folder;
using support::write_file;

namespace {

// Sample i has the pixels i, i + 1, ..., and the label i modulo 10.
xt::xtensor<std::uint8_t, 3> images(std::size_t count) {
  auto pixels = xt::xtensor<std::uint8_t, 3>::from_shape({count, 2, 3});
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels.data()[i] = static_cast<std::uint8_t>(i / 6 + i % 6);
  return pixels;
}
xt::xtensor<std::uint8_t, 1> labels(std::size_t count) {
  auto result = xt::xtensor<std::uint8_t, 1>::from_shape({count});
  for (std::size_t i = 0; i < count; ++i) result(i) = static_cast<std::uint8_t>(i % 10);
  return result;
}

struct Files {
  explicit Files(std::size_t count) {
    write_idx(folder / "images", pixels = images(count));
    write_idx(folder / "labels", labels(count));
  }
  Folder folder;
  xt::xtensor<std::uint8_t, 3> pixels;
};

// The numbers of the samples that a part has.
std::vector<std::size_t> numbers(const DataView& part) {
  std::vector<std::size_t> result;
  std::vector<float> pixels(6);
  for (std::size_t i = 0; i < part.count(); ++i) {
    part.samples.copy(i, pixels.data());
    const auto number = static_cast<std::size_t>(std::lround(pixels[0] * 255));
    CHECK(std::lround(pixels[5] * 255) == static_cast<long>(number) + 5);
    CHECK(part.targets.label(i) == number % 10);
    result.push_back(number);
  }
  return result;
}

// Memory of this process in KiB, by its name in /proc.
std::size_t memory(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name)) return std::stoul(line.substr(name.size() + 1));
  return 0;
}

}  // namespace

TEST_CASE("a mapped array is the one that is read") {
  const Files files(200);
  const auto mapped = idx::map<std::uint8_t, 3>(files.folder / "images");
  CHECK(mapped.size() == 1200);
  CHECK(mapped(7, 1, 2) == files.pixels(7, 1, 2));
  CHECK(std::equal(mapped.data(), mapped.data() + mapped.size(), files.pixels.data()));
  const DataView data(mapped, idx::map<std::uint8_t, 1>(files.folder / "labels"));
  CHECK(data.samples.extents() == std::vector<std::size_t>{200, 2, 3});
  CHECK(numbers(data)[150] == 150);
  // The map outlives the array that it came with.
  DataView kept;
  {
    const auto local = idx::map<std::uint8_t, 3>(files.folder / "images");
    kept = DataView(idx::MappedArray(local), labels(200));
  }
  CHECK(numbers(kept)[199] == 199);
}

TEST_CASE("what cannot be mapped is said") {
  const Folder folder;
  write_idx(folder / "a.gz", images(4));
  CHECK_THROWS_WITH((idx::map<std::uint8_t, 3>(folder / "a.gz")),
                    (folder / "a.gz" + " is packed and cannot be mapped: gunzip it first").c_str());
  write_idx(folder / "a", images(4));
  CHECK_THROWS_WITH((idx::map<std::uint8_t, 1>(folder / "a")),
                    doctest::Contains("rank 3, but rank 1 is expected"));
  const std::string bytes = support::read_file(folder / "a");
  write_file(folder / "long", bytes + "x");
  CHECK_THROWS_WITH((idx::map<std::uint8_t, 3>(folder / "long")),
                    doctest::Contains("goes on after its last element"));
  write_file(folder / "short", bytes.substr(0, bytes.size() - 3));
  CHECK_THROWS_WITH((idx::map<std::uint8_t, 3>(folder / "short")),
                    doctest::Contains("ends 3 bytes before its last element"));
  CHECK_THROWS_WITH(IdxStream(folder / "short", folder / "a"),
                    doctest::Contains("ends 3 bytes before its last element"));
  CHECK_THROWS_WITH((idx::map<std::uint8_t, 3>(folder / "none")), doctest::Contains("No such file"));
  CHECK_THROWS_WITH((idx::map<std::uint8_t, 3>(folder.path())),
                    doctest::Contains("is not a file, but a folder"));
  write_file(folder / "empty", "");
  CHECK_THROWS_WITH((idx::map<std::uint8_t, 3>(folder / "empty")), doctest::Contains("is empty"));
}

TEST_CASE("a stream has every sample once an epoch, whatever the sizes of blocks and parts") {
  const Files files(203);
  for (const std::size_t block : {1, 7, 50, 1000})
    for (const std::size_t part : {1, 20, 203, 500}) {
      IdxStream stream(files.folder / "images", files.folder / "labels", {.block = block, .part = part});
      CHECK(stream.count() == 203);
      CHECK(stream.part() == part);
      for (const bool shuffle : {false, true}) {
        const auto epoch = [&](std::uint64_t key) {
          stream.begin_epoch(RandomKey().child(key), shuffle);
          std::vector<std::size_t> all;
          while (all.size() < 203)
            for (const std::size_t number : numbers(stream.read(std::min(part, 203 - all.size()))))
              all.push_back(number);
          return all;
        };
        const std::vector<std::size_t> first = epoch(1);
        CHECK(std::set<std::size_t>(first.begin(), first.end()).size() == 203);
        CHECK(epoch(1) == first);
        CHECK(std::ranges::is_sorted(first) == (!shuffle || block == 1000));
        CHECK((epoch(2) == first) == (!shuffle || block == 1000));
        // What is left out is what would have been read.
        stream.begin_epoch(RandomKey().child(1), shuffle);
        stream.skip(60);
        CHECK(numbers(stream.read(40)) == std::vector(first.begin() + 60, first.begin() + 100));
      }
    }
}

TEST_CASE("floats and large labels are read too") {
  const Folder folder;
  const xt::xtensor<float, 2> rows{{1.5f, -2}, {3, 4}, {5, 6}};
  write_idx(folder / "rows", rows);
  write_idx(folder / "labels", Labels{300, 7, 9});
  IdxStream stream(folder / "rows", folder / "labels");
  const DataView part = stream.read(3);
  float row[2];
  part.samples.copy(0, row);
  CHECK(row[0] == 1.5f);
  CHECK(row[1] == -2);
  CHECK(part.targets.label(0) == 300);
  CHECK(part.targets.label(2) == 9);
}

TEST_CASE("files that are no samples and labels are refused") {
  const Folder folder;
  write_idx(folder / "images", images(20));
  write_idx(folder / "labels", labels(20));
  write_idx(folder / "few", labels(19));
  write_idx(folder / "packed.gz", images(20));
  write_idx(folder / "doubles", xt::xtensor<double, 1>{1, 2});
  CHECK_THROWS_WITH(IdxStream(folder / "labels", folder / "images"), doctest::Contains("exchanged?"));
  CHECK_THROWS_WITH(IdxStream(folder / "images", folder / "few"), doctest::Contains("has 20 samples, but"));
  CHECK_THROWS_WITH(IdxStream(folder / "packed.gz", folder / "labels"),
                    doctest::Contains("is packed and cannot be read in parts: gunzip it first"));
  CHECK_THROWS_WITH(IdxStream(folder / "doubles", folder / "labels"),
                    doctest::Contains("neither bytes nor floats"));
  CHECK_THROWS_WITH(IdxStream(folder / "images", folder / "labels", {.block = 0}),
                    doctest::Contains("at least 1 sample"));
  IdxStream stream(folder / "images", folder / "labels");
  std::filesystem::resize_file(folder / "images", 50);
  CHECK_THROWS_WITH(stream.read(20), doctest::Contains("has become shorter"));
}

TEST_CASE("a file is written piece by piece, whole or not at all") {
  const Folder folder;
  const auto all = images(10);
  const std::size_t extents[] = {10, 2, 3};
  {
    IdxWriter writer(folder / "a", extents);
    writer.write({all.data(), 13});
    CHECK_THROWS_WITH(writer.commit(), doctest::Contains("lacks its last 47 elements"));
    writer.write({all.data() + 13, 47});
    CHECK_THROWS_WITH(writer.write({all.data(), 1}), doctest::Contains("0 elements more"));
    CHECK(folder.files().empty());
    writer.commit();
  }
  CHECK(read_idx<std::uint8_t, 3>(folder / "a") == all);
  { IdxWriter(folder / "b", extents).write({all.data(), 13}); }
  CHECK(folder.files().size() == 1);
  CHECK_THROWS_WITH(IdxWriter(folder / "c.gz", extents), doctest::Contains("without .gz"));
}

TEST_CASE("of a large mapped file little is in memory") {
  const Folder folder;
  const std::size_t size = std::size_t{300} << 20, extents[] = {size / 1024, 1024};
  {
    IdxWriter writer(folder / "large", extents);
    const std::vector<std::uint8_t> piece(1 << 20, 7);
    for (std::size_t i = 0; i < size; i += piece.size()) writer.write(piece);
    writer.commit();
  }
  const std::size_t before = memory("RssFile:");
  const Samples samples(idx::map<std::uint8_t, 2>(folder / "large"));
  std::vector<float> one(1024);
  std::size_t most = 0;
  for (std::size_t i = 0; i < samples.count(); ++i) {
    samples.copy(i * 7919 % samples.count(), one.data());
    if (i % 512 == 0) most = std::max(most, memory("RssFile:"));
  }
  samples.for_each_piece([&](std::span<const std::byte>) { most = std::max(most, memory("RssFile:")); });
  CHECK(one[5] == 7 * (1.0f / 255.0f));
  CHECK(most < before + 20 * 1024);
}
