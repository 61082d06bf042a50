#include <digitnet/data/idx.hpp>
#include <type_traits>

#include "support/support.hpp"

using namespace digitnet;
using support::Folder;
using support::write_file;

namespace {

// A header of bytes: type, extents.
std::string header(int type, std::initializer_list<std::uint32_t> extents) {
  std::string bytes{'\0', '\0', static_cast<char>(type), static_cast<char>(extents.size())};
  for (const std::uint32_t extent : extents)
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(extent >> shift & 0xff);
  return bytes;
}

template <class T, std::size_t Rank>
void check_round_trip(std::array<std::size_t, Rank> extents) {
  const Folder folder;
  auto array = xt::xtensor<T, Rank>::from_shape(extents);
  for (std::size_t i = 0; i < array.size(); ++i) {
    if constexpr (std::is_integral_v<T>)
      array.data()[i] = static_cast<T>(i * 37 - 100);
    else
      array.data()[i] = static_cast<T>(i) * T(37.25) - T(100);
  }
  for (const char* const name : {"a.idx", "a.idx.gz"}) {
    write_idx(folder / name, array);
    CHECK(read_idx<T, Rank>(folder / name) == array);
  }
  CHECK(folder.files().size() == 2);
}

}  // namespace

TEST_CASE("what is written is read again: every element type, ranks 1 to 4, plain and gzip") {
  check_round_trip<std::uint8_t, 1>({0});
  check_round_trip<std::uint8_t, 1>({300});
  check_round_trip<std::int8_t, 2>({5, 7});
  check_round_trip<std::int16_t, 3>({4, 3, 2});
  check_round_trip<std::int32_t, 2>({100, 3});
  check_round_trip<float, 3>({3, 3, 3});
  check_round_trip<double, 4>({2, 3, 4, 5});
}

TEST_CASE("numbers are big-endian in the file") {
  const Folder folder;
  write_file(folder / "a", header(0x0B, {2}) + std::string("\x01\x02\xff\xfe", 4));
  const auto values = read_idx<std::int16_t, 1>(folder / "a");
  CHECK(values(0) == 0x0102);
  CHECK(values(1) == -2);
}

TEST_CASE("an axis without elements: others may be long, but not absurd") {
  const Folder folder;
  const std::string path = folder / "file";
  write_file(path, header(8, {0, 28, 28}));
  CHECK(read_idx<std::uint8_t, 3>(path).size() == 0);
  const auto large = static_cast<int>(0x7fffffff);
  write_file(path, header(8, {0, large, large}));
  CHECK_ERROR("claims more elements than", (read_idx<std::uint8_t, 3>(path)));
  write_file(path, header(8, {large, 0, large}));
  CHECK_ERROR("claims more elements than", (read_idx<std::uint8_t, 3>(path)));
}

TEST_CASE("bad files are refused, each in its own words") {
  const Folder folder;
  const std::string path = folder / "file";
  const auto read = [&] { read_idx<std::uint8_t, 2>(path); };
  CHECK_ERROR("cannot be opened: No such file", read());
  write_file(path, "");
  CHECK_ERROR("is empty", read());
  CHECK_ERROR("is not a file", (read_idx<std::uint8_t, 1>(folder.path())));
  write_file(path, header(8, {2, 3}).substr(0, 3));
  CHECK_ERROR("ends within its header, 1 bytes too early", read());
  write_file(path, header(8, {2, 3}).substr(0, 9));
  CHECK_ERROR("ends within its header", read());
  write_file(path, header(8, {2, 3}) + "12345");
  CHECK_ERROR("claims more elements than a file of its size can hold",
              (write_file(path, header(8, {2, 30}) + "12345"), read()));
  write_file(path, header(8, {2, 3}) + "12345");
  CHECK_ERROR("ends within its elements, 1 bytes too early: it is truncated", read());
  write_file(path, header(8, {2, 3}) + "1234567");
  CHECK_ERROR("goes on after its last element", read());
  write_file(path, "GIF89a and more than eight bytes");
  CHECK_ERROR("begins with 47494638, which is no IDX magic number", read());
  write_file(path, header(0x0A, {2, 3}) + "123456");
  CHECK_ERROR("no IDX magic number", read());
  write_file(path, header(0x0D, {1}) + "1234");
  CHECK_ERROR("holds elements of type float32, but uint8 is expected", read());
  write_file(path, header(8, {6}) + "123456");
  CHECK_ERROR("holds an array of rank 1, but rank 2 is expected here", read());
}

TEST_CASE("a header that claims 2^40 elements, or a product that wraps, is refused before memory is taken") {
  const Folder folder;
  for (const auto& claim :
       {header(8, {1u << 20, 1u << 20}), header(8, {0xffffffff, 0xffffffff}), header(8, {1u << 31, 2})}) {
    write_file(folder / "huge", claim + "1234");
    CHECK_ERROR("claims more elements", (read_idx<std::uint8_t, 2>(folder / "huge")));
  }
  write_file(folder / "huge", header(8, {1u << 31, 1u << 31, 4}) + "1234");
  CHECK_ERROR("claims more elements", (read_idx<std::uint8_t, 3>(folder / "huge")));
  write_file(folder / "none", header(8, {0, 0xffffffff}));
  CHECK(read_idx<std::uint8_t, 2>(folder / "none").size() == 0);
}

TEST_CASE("damaged gzip is refused") {
  const Folder folder;
  auto array = xt::xtensor<std::uint8_t, 2>::from_shape({100, 100});
  for (std::size_t i = 0; i < array.size(); ++i) array.data()[i] = static_cast<std::uint8_t>(i * i >> 3);
  write_idx(folder / "good.gz", array);
  const std::string good = support::read_file(folder / "good.gz");
  const std::string path = folder / "bad.gz";
  const auto read = [&] { read_idx<std::uint8_t, 2>(path); };
  write_file(path, good.substr(0, good.size() / 2));
  CHECK_ERROR("truncated", read());
  write_file(path, good.substr(0, good.size() - 4));
  CHECK_ERROR("truncated", read());
  std::string altered = good;
  altered[good.size() / 2] = static_cast<char>(altered[good.size() / 2] ^ 0x40);
  write_file(path, altered);
  CHECK_ERROR("bad.gz", read());
  altered = good;
  altered[good.size() - 6] = static_cast<char>(altered[good.size() - 6] ^ 1);  // the checksum
  write_file(path, altered);
  CHECK_ERROR("is damaged gzip data", read());
}

TEST_CASE("no mutation of a file crashes the reader") {
  const Folder folder;
  auto array = xt::xtensor<std::uint8_t, 2>::from_shape({20, 20});
  array.fill(3);
  for (const char* const name : {"a", "a.gz"}) {
    write_idx(folder / name, array);
    const std::string good = support::read_file(folder / name);
    for (std::size_t i = 0; i < 300; ++i) {
      std::string bytes = good;
      bytes[i * 7919 % std::min<std::size_t>(bytes.size(), 40)] = static_cast<char>(i * 31);
      if (i % 3 == 0) bytes.resize(i % bytes.size());
      write_file(folder / "mutated", bytes);
      try {
        read_idx<std::uint8_t, 2>(folder / "mutated");
      } catch (const Error&) {
      }
    }
  }
}

TEST_CASE("a folder that cannot be written to gives an error and no file") {
  const Folder folder;
  CHECK_ERROR("cannot be written: No such file or directory",
              write_idx(folder / "missing/a", xt::xtensor<std::uint8_t, 1>::from_shape({1})));
  CHECK(folder.files().empty());
}
