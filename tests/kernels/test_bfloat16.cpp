#include <algorithm>
#include <digitnet/core/random.hpp>
#include <digitnet/kernels/bfloat16.hpp>
#include <digitnet/kernels/bfloat16_gemm.hpp>
#include <digitnet/kernels/bfloat16_row.hpp>
#include <limits>
#include <vector>

#include "support/support.hpp"

using namespace digitnet;
using namespace digitnet::kernels;

namespace {

std::vector<float> numbers(std::size_t count, std::uint64_t seed, bool whole) {
  std::vector<float> result(count);
  Random random(Seed{seed});
  for (float& number : result) {
    number = static_cast<float>(random.uniform(-8, 8));
    if (whole) number = std::round(number);
  }
  return result;
}

// Of a (rows, columns), pairs along rows: the transposed right side's order.
std::vector<BfloatPair> pairs_along_rows(const std::vector<float>& a, std::size_t rows, std::size_t columns) {
  std::vector<BfloatPair> result(rows * ((columns + 1) / 2));
  for (std::size_t i = 0; i < rows; ++i)
    pair_neighbours(columns, a.data() + i * columns, result.data() + i * ((columns + 1) / 2));
  return result;
}

}  // namespace

TEST_CASE("bfloat16 is the nearest, ties to even; infinities, overflow and NaN as in float") {
  const auto rounded = [](std::uint32_t bits) { return bfloat16_bits(std::bit_cast<float>(bits)); };
  CHECK(rounded(0x3f800000) == 0x3f800000);
  CHECK(rounded(0x3f807fff) == 0x3f800000);
  CHECK(rounded(0x3f808000) == 0x3f800000);
  CHECK(rounded(0x3f808001) == 0x3f810000);
  CHECK(rounded(0x3f818000) == 0x3f820000);
  CHECK(rounded(0xbf818000) == 0xbf820000);
  CHECK(rounded(0x7f7fffff) == 0x7f800000);
  CHECK(rounded(0x7f800000) == 0x7f800000);
  CHECK(rounded(0x80000000) == 0x80000000);
  CHECK(std::isnan(rounded_to_bfloat16(std::numeric_limits<float>::quiet_NaN())));
  // NaN whose upper bits alone would be an infinity.
  CHECK(std::isnan(std::bit_cast<float>(rounded(0x7f800001))));
}

TEST_CASE("pairs by vectors are those of single numbers") {
  for (const std::size_t count : {1, 2, 15, 16, 31, 32, 33, 64, 77}) {
    const auto first = numbers(count, 1, false), second = numbers(count, 2, false);
    std::vector<BfloatPair> pairs(count + 1, BfloatPair{7}), alone(count),
        neighbours((count + 1) / 2 + 1, {7});
    pair_rows(count, first.data(), second.data(), pairs.data());
    pair_rows(count, first.data(), nullptr, alone.data());
    pair_neighbours(count, first.data(), neighbours.data());
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t both = bfloat16_bits(first[i]) >> 16 | bfloat16_bits(second[i]);
      CHECK(pairs[i].bits == both);
      const std::uint32_t shifted = alone[i].bits << 16;
      CHECK(shifted == bfloat16_bits(first[i]));
      const std::uint32_t half =
          i % 2 == 0 ? neighbours[i / 2].bits << 16 : neighbours[i / 2].bits & 0xffff0000u;
      CHECK(half == bfloat16_bits(first[i]));
    }
    if (count % 2 == 1) CHECK(neighbours[count / 2].bits < 0x10000u);
    CHECK(pairs[count].bits == 7);
    CHECK(neighbours[(count + 1) / 2].bits == 7);
  }
}

TEST_CASE("products in bfloat16 equal plain loops over rounded numbers at every extent") {
  for (const bool whole : {true, false})
    for (const std::size_t rows : {1, 2, 13, 14, 15, 29})
      for (const std::size_t columns : {1, 10, 16, 17, 31, 32, 33, 48, 70})
        for (const std::size_t depth : {1, 2, 7, 32}) {
          const auto a = numbers(rows * depth, 1, whole), b = numbers(depth * columns, 2, whole),
                     bias = numbers(columns, 3, whole);
          const std::size_t pairs = (depth + 1) / 2;
          const auto left = pairs_along_rows(a, rows, depth);
          std::vector<BfloatPair> packed(PairPanels<DefaultArch>::size(pairs, columns)),
              from_transpose = packed;
          pack_row_pairs(depth, columns, b.data(), columns, packed.data());
          std::vector<float> transpose(b.size()), c(rows * columns + 1, 5.0f);
          for (std::size_t k = 0; k < depth; ++k)
            for (std::size_t j = 0; j < columns; ++j) transpose[j * depth + k] = b[k * columns + j];
          pack_column_pairs(columns, depth, transpose.data(), from_transpose.data());
          CHECK(std::equal(packed.begin(), packed.end(), from_transpose.begin(),
                           [](BfloatPair one, BfloatPair other) { return one.bits == other.bits; }));

          const PairPanels<DefaultArch> right{packed.data(), pairs};
          bfloat16_gemm(rows, columns, left.data(), pairs, 1, right, bias.data(), c.data(), columns);
          bfloat16_gemm<DefaultArch, Result::add>(rows, columns, left.data(), pairs, 1, right, nullptr,
                                                  c.data(), columns);
          double worst = 0;
          for (std::size_t i = 0; i < rows; ++i)
            for (std::size_t j = 0; j < columns; ++j) {
              double sum = bias[j];
              for (std::size_t k = 0; k < depth; ++k)
                sum += 2.0 * rounded_to_bfloat16(a[i * depth + k]) * rounded_to_bfloat16(b[k * columns + j]);
              worst = std::max(worst, std::abs(c[i * columns + j] - sum));
            }
          // Sums of whole numbers are exact.
          CHECK(worst <= (whole ? 0 : 1e-3));
          CHECK(c[rows * columns] == 5.0f);
        }
}

TEST_CASE("one row, without its zeros, has the bits that it has among others") {
  for (const std::size_t inputs : {1, 2, 15, 16, 17, 33, 80})
    for (const std::size_t outputs : {1, 10, 16, 31, 32, 33, 200, 300}) {
      auto x = numbers(inputs, 1, false);
      for (std::size_t i = 0; i < inputs; i += 1 + i % 3) x[i] = 0;
      const auto b = numbers(inputs * outputs, 2, false), bias = numbers(outputs, 3, false);
      const std::size_t pairs = (inputs + 1) / 2;
      std::vector<BfloatPair> left(pairs), panels(PairPanels<DefaultArch>::size(pairs, outputs)),
          words(inputs * RowWords<DefaultArch>::line(outputs));
      pair_neighbours(inputs, x.data(), left.data());
      pack_row_pairs(inputs, outputs, b.data(), outputs, panels.data());
      pack_row_words(inputs, outputs, b.data(), words.data());
      std::vector<float> wanted(outputs + 1, 5.0f), found(wanted);
      bfloat16_gemm(1, outputs, left.data(), pairs, 1, PairPanels<DefaultArch>{panels.data(), pairs},
                    bias.data(), wanted.data(), outputs);
      std::vector<RowFactor> factors(inputs + 16);
      const std::size_t picked = pick_factors(inputs, x.data(), factors.data());
      CHECK(picked ==
            static_cast<std::size_t>(std::count_if(x.begin(), x.end(), [](float f) { return f != 0; })));
      bfloat16_row(picked, factors.data(), outputs, words.data(), bias.data(), found.data());
      CHECK(found == wanted);
    }
}

TEST_CASE("the left side may lie in columns") {
  const std::size_t samples = 7, inputs = 20, outputs = 18, pairs = (samples + 1) / 2;
  const auto x = numbers(samples * inputs, 4, true), dy = numbers(samples * outputs, 5, true);
  std::vector<BfloatPair> left(pairs * inputs), packed(PairPanels<DefaultArch>::size(pairs, outputs));
  for (std::size_t i = 0; i < samples; i += 2)
    pair_rows(inputs, &x[i * inputs], i + 1 < samples ? &x[(i + 1) * inputs] : nullptr,
              &left[i / 2 * inputs]);
  pack_row_pairs(samples, outputs, dy.data(), outputs, packed.data());
  std::vector<float> c(inputs * outputs);
  bfloat16_gemm(inputs, outputs, left.data(), 1, inputs, PairPanels<DefaultArch>{packed.data(), pairs},
                nullptr, c.data(), outputs);
  for (std::size_t i = 0; i < inputs; ++i)
    for (std::size_t j = 0; j < outputs; ++j) {
      float sum = 0;
      for (std::size_t k = 0; k < samples; ++k) sum += x[k * inputs + i] * dy[k * outputs + j];
      CHECK(c[i * outputs + j] == sum);
    }
}

#if defined(__AVX512F__) && !defined(DIGITNET_NO_SIMD)
namespace {

// What the instructions of AMX do, in plain loops: the code around them runs without that processor. Firsts
// and seconds of 16 pairs are summed apart, then added to the sum.
struct PlainTiles {
  static inline float sums[32][32];
  static inline int begun = 0;
  static void begin() { ++begun; }
  static void end() { --begun; }
  static void zero() { std::fill_n(&sums[0][0], 32 * 32, 0.0f); }
  static void multiply(const BfloatPair* a, std::size_t a_stride, const BfloatPair* b,
                       const BfloatPair* b_second, std::size_t b_stride) {
    const auto first = [](BfloatPair pair) { return std::bit_cast<float>(pair.bits << 16); };
    const auto second = [](BfloatPair pair) { return std::bit_cast<float>(pair.bits & 0xffff0000u); };
    for (std::size_t i = 0; i < 32; ++i)
      for (std::size_t j = 0; j < 32; ++j) {
        float firsts = 0, seconds = 0;
        for (std::size_t k = 0; k < 16; ++k) {
          const BfloatPair x = a[i * a_stride + k], y = (j < 16 ? b : b_second)[k * b_stride + j % 16];
          firsts += first(x) * first(y);
          seconds += second(x) * second(y);
        }
        sums[i][j] += firsts + seconds;
      }
  }
  static void store(void* to) { std::memcpy(to, sums, sizeof(sums)); }
};

// c of both paths, for a that lies in rows or in columns.
template <Result result, class Activation, class Check>
void for_both_paths(std::size_t rows, std::size_t columns, std::size_t depth, bool in_columns, bool whole,
                    const Check& check) {
  const auto a = numbers(2 * rows * depth, 1, whole), b = numbers(2 * depth * columns, 2, whole),
             bias = numbers(columns, 3, whole);
  std::vector<BfloatPair> left(rows * depth), right(PairPanels<DefaultArch>::size(depth, columns));
  pair_neighbours(2 * rows * depth, a.data(), left.data());
  pack_row_pairs(2 * depth, columns, b.data(), columns, right.data());
  std::vector<float> by_vectors(rows * columns + 1, 5.0f), by_tiles(by_vectors);
  const std::size_t stride = in_columns ? 1 : depth, step = in_columns ? rows : 1;
  const PairPanels<DefaultArch> panels{right.data(), depth};
  bfloat16_gemm<DefaultArch, result, Activation>(rows, columns, left.data(), stride, step, panels,
                                                 bias.data(), by_vectors.data(), columns);
  bfloat16_tile_gemm<PlainTiles, DefaultArch, result, Activation>(
      rows, columns, left.data(), stride, step, panels, bias.data(), by_tiles.data(), columns);
  check(by_vectors, by_tiles);
}

}  // namespace

TEST_CASE("products by tiles are those of vectors") {
  for (const bool in_columns : {false, true})
    for (const std::size_t rows : {1, 15, 16, 31, 32, 33, 70})
      for (const std::size_t columns : {1, 16, 17, 32, 50})
        for (const std::size_t depth : {1, 15, 16, 17, 40}) {
          const auto equal = [](const auto& one, const auto& other) { CHECK(one == other); };
          for_both_paths<Result::assign, Identity>(rows, columns, depth, in_columns, true, equal);
          for_both_paths<Result::add, Identity>(rows, columns, depth, in_columns, true, equal);
          for_both_paths<Result::assign, Identity>(
              rows, columns, depth, in_columns, false, [](const auto& one, const auto& other) {
                double worst = 0;
                for (std::size_t i = 0; i < one.size(); ++i)
                  worst = std::max(worst, std::abs(double{one[i]} - other[i]));
                CHECK(worst <= 1e-3);
              });
        }
  CHECK(PlainTiles::begun == 0);
}

TEST_CASE("a row has the same bits wherever it lies, by tiles as by vectors") {
  const std::size_t rows = 45, columns = 40, depth = 37;
  const auto a = numbers(2 * rows * depth, 1, false), b = numbers(2 * depth * columns, 2, false);
  std::vector<BfloatPair> left(rows * depth), right(PairPanels<DefaultArch>::size(depth, columns));
  pair_neighbours(2 * rows * depth, a.data(), left.data());
  pack_row_pairs(2 * depth, columns, b.data(), columns, right.data());
  const PairPanels<DefaultArch> panels{right.data(), depth};
  std::vector<float> all(rows * columns), part(all);
  bfloat16_tile_gemm<PlainTiles, DefaultArch, Result::assign, Identity>(rows, columns, left.data(), depth, 1,
                                                                        panels, nullptr, all.data(), columns);
  for (std::size_t first = 0; first < rows; first += 9)
    bfloat16_tile_gemm<PlainTiles, DefaultArch, Result::assign, Identity>(
        9, columns, left.data() + first * depth, depth, 1, panels, nullptr, part.data() + first * columns,
        columns);
  CHECK(part == all);
}

TEST_CASE("the transpose of 16 x 16 pairs") {
  __m512i rows[16];
  std::uint32_t numbers[16][16];
  for (std::uint32_t i = 0; i < 256; ++i) numbers[i / 16][i % 16] = i;
  std::memcpy(rows, numbers, sizeof(rows));
  kernels::detail::transpose_pairs(rows);
  std::memcpy(numbers, rows, sizeof(rows));
  for (std::uint32_t i = 0; i < 256; ++i) CHECK(numbers[i % 16][i / 16] == i);
}
#endif
