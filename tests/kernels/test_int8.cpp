// Products of bytes: every instruction set that this is compiled for, against sums that are spelled out.
#include <digitnet/core/random.hpp>
#include <digitnet/kernels/int8_product.hpp>
#include <digitnet/kernels/int8_values.hpp>
#include <tuple>

#include "support/support.hpp"

using namespace digitnet;
using namespace digitnet::kernels;

namespace {

using Every = std::tuple<Int8Plain
#if defined(DIGITNET_INT8_VECTORS)
                         ,
                         Int8Avx2
#endif
#if defined(DIGITNET_INT8_VNNI)
                         ,
                         Int8AvxVnni
#endif
#if defined(DIGITNET_INT8_AVX512_VNNI)
                         ,
                         Int8Avx512Vnni
#endif
                         >;

template <class Visit>
void for_each_lanes(const Visit& visit) {
  std::apply([&](auto... lanes) { (visit(lanes), ...); }, Every{});
}

// Half of them at the ends of their types.
std::vector<std::uint8_t> random_bytes(Random& random, std::size_t count) {
  std::vector<std::uint8_t> result(count);
  for (auto& value : result)
    value = random.below(2) ? (random.below(2) ? 255 : 0) : static_cast<std::uint8_t>(random.below(256));
  return result;
}
std::vector<std::int8_t> random_weights(Random& random, std::size_t count) {
  std::vector<std::int8_t> result(count);
  for (auto& value : result)
    value = static_cast<std::int8_t>(random.below(2) ? (random.below(2) ? 127 : -128)
                                                     : static_cast<int>(random.below(256)) - 128);
  return result;
}

struct Epilogue {
  Arena<std::int32_t> bias;
  Arena<float> factors;
  ByteRange range;

  Epilogue(Random& random, std::size_t outputs)
      : bias(round_up(outputs, 16)), factors(round_up(outputs, 16)), range{-7, 248, 7} {
    for (std::size_t i = 0; i < outputs; ++i) {
      bias.data()[i] = static_cast<std::int32_t>(random.below(200001)) - 100000;
      factors.data()[i] = static_cast<float>(random.uniform(1e-5, 2e-3));
    }
  }
  std::uint8_t byte(std::int64_t sum, std::size_t output) const {
    const float exact = static_cast<float>(static_cast<std::int32_t>(sum)) * factors.data()[output];
    return static_cast<std::uint8_t>(std::nearbyint(std::clamp(exact, range.low, range.high)) + 7);
  }
};

}  // namespace

TEST_CASE("a product of bytes is its sum, with every remainder, at the ends of both types") {
  Random random(Seed{1});
  for (std::size_t depth : {1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, 130})
    for (std::size_t outputs : {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 50})
      for (std::size_t count : {1, 3, 4, 5, 11, 12, 13, 29}) {
        auto x = random_bytes(random, count * depth + 64);
        const auto w = random_weights(random, depth * outputs);
        const Epilogue after(random, outputs);
        for_each_lanes([&]<class Lanes>(Lanes) {
          const auto packed = pack_int8<Lanes>(1, depth, outputs, w.data());
          const auto groups = int8_groups(1, depth, 0);
          const Int8Product product{
              groups, outputs, packed.data(), after.bias.data(), after.factors.data(), after.range};
          const auto at = [&](std::size_t p) { return x.data() + p * depth; };
          std::vector<std::uint8_t> y(count * outputs + 1, 99);
          std::vector<float> floats(count * outputs + 1, 99.0f);
          int8_product<1, Lanes>(product, count, at, y.data());
          int8_product<1, Lanes>(product, count, at, floats.data());
          std::size_t wrong = 0;
          for (std::size_t p = 0; p < count; ++p)
            for (std::size_t o = 0; o < outputs; ++o) {
              std::int64_t sum = after.bias.data()[o];
              for (std::size_t k = 0; k < depth; ++k) sum += x[p * depth + k] * w[k * outputs + o];
              wrong += y[p * outputs + o] != after.byte(sum, o);
              wrong += floats[p * outputs + o] != static_cast<float>(sum) * after.factors.data()[o];
            }
          CHECK(wrong == 0);
          CHECK(y.back() == 99);
          CHECK(floats.back() == 99.0f);
        });
      }
}

TEST_CASE("nothing is cut off where all bytes are at their ends, on the way or at the end") {
  // vpmaddubsw would give 32767 for 255 * 127 + 255 * 127.
  constexpr std::size_t depth = 32768, outputs = 3;
  std::vector<std::uint8_t> x(depth + 64, 255);
  std::vector<std::int8_t> w(depth * outputs);
  for (std::size_t k = 0; k < depth; ++k) {
    w[k * outputs] = 127;
    w[k * outputs + 1] = -128;
    w[k * outputs + 2] = k < depth / 2 ? 127 : -127;
  }
  const Arena<std::int32_t> bias(16);
  Arena<float> ones(16);
  ones.fill(1);
  for_each_lanes([&]<class Lanes>(Lanes) {
    const auto packed = pack_int8<Lanes>(1, depth, outputs, w.data());
    const auto groups = int8_groups(1, depth, 0);
    float y[3];
    int8_product<1, Lanes>(
        {groups, outputs, packed.data(), bias.data(), ones.data(), {}}, 1,
        [&](std::size_t) { return x.data(); }, y);
    CHECK(y[0] == 255.0f * 127 * depth);
    CHECK(y[1] == -255.0f * 128 * depth);
    CHECK(y[2] == 0);
  });
}

TEST_CASE("a kernel's rows lie in the image; the largest of four positions is kept") {
  Random random(Seed{2});
  constexpr std::size_t height = 9, width = 8, channels = 3, outputs = 19;
  const auto x = random_bytes(random, height * width * channels + 64);
  const auto w = random_weights(random, 3 * 2 * channels * outputs);
  const Epilogue after(random, outputs);
  std::vector<std::size_t> offsets;
  for (std::size_t row = 0; row + 3 < height; row += 2)
    for (std::size_t column = 0; column + 2 < width; column += 2)
      for (std::size_t i = 0; i < 4; ++i)
        offsets.push_back(((row + i / 2) * width + column + i % 2) * channels);
  std::vector<std::uint8_t> wanted;
  for (std::size_t window = 0; window < offsets.size(); window += 4)
    for (std::size_t o = 0; o < outputs; ++o) {
      std::uint8_t largest = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        std::int64_t sum = after.bias.data()[o];
        for (std::size_t row = 0; row < 3; ++row)
          for (std::size_t k = 0; k < 2 * channels; ++k)
            sum += x[offsets[window + i] + row * width * channels + k] *
                   w[(row * 2 * channels + k) * outputs + o];
        largest = std::max(largest, after.byte(sum, o));
      }
      wanted.push_back(largest);
    }
  for_each_lanes([&]<class Lanes>(Lanes) {
    const auto packed = pack_int8<Lanes>(3, 2 * channels, outputs, w.data());
    const auto groups = int8_groups(3, 2 * channels, width * channels);
    std::vector<std::uint8_t> y(wanted.size());
    int8_product<4, Lanes>(
        {groups, outputs, packed.data(), after.bias.data(), after.factors.data(), after.range},
        offsets.size(), [&](std::size_t p) { return x.data() + offsets[p]; }, y.data());
    CHECK(y == wanted);
  });
}

#ifdef DIGITNET_INT8_AVX512_VNNI
namespace {

// What the instructions of AMX do, in plain loops: the code around them runs without that processor.
struct PlainTiles {
  static inline std::int32_t sums[32][32];
  static void begin() {}
  static void end() {}
  static void zero() { std::fill_n(&sums[0][0], 32 * 32, 0); }
  static void multiply(const std::uint8_t* x, std::size_t stride, const std::int8_t* w0,
                       const std::int8_t* w1) {
    for (std::size_t p = 0; p < 32; ++p)
      for (std::size_t o = 0; o < 32; ++o)
        for (std::size_t k = 0; k < 64; ++k)
          sums[p][o] += x[p * stride + k] * (o < 16 ? w0 : w1)[k / 4 * 64 + o % 16 * 4 + k % 4];
  }
  static void store(std::int32_t* to) { std::copy_n(&sums[0][0], 32 * 32, to); }
};

}  // namespace

TEST_CASE("products by tiles are those of vectors") {
  Random random(Seed{6});
  for (std::size_t rows : {1, 3})
    for (std::size_t length : {1, 5, 64, 66, 130})
      for (std::size_t outputs : {7, 16, 33, 50})
        for (std::size_t count : {4, 16, 36, 64}) {
          const std::size_t row_stride = length + 9;
          const auto x = random_bytes(random, rows * row_stride + count * 3 + 64);
          const auto w = random_weights(random, rows * length * outputs);
          const Epilogue after(random, outputs);
          const auto exact = pack_int8(rows, length, outputs, w.data());
          Arena<std::int8_t> packed(exact.size() + amx_readable);
          // What is read behind the weights is multiplied by 0.
          packed.fill(77);
          std::copy_n(exact.data(), exact.size(), packed.data());
          const auto groups = int8_groups(rows, length, row_stride);
          const Int8Product product{
              groups, outputs, packed.data(), after.bias.data(), after.factors.data(), after.range};
          const auto at = [&](std::size_t p) { return x.data() + 3 * p; };
          std::vector<std::uint8_t> wanted(count * outputs + 1, 99), found(wanted);
          int8_product(product, count, at, wanted.data());
          int8_tile_product<1, PlainTiles>(product, count, at, found.data());
          CHECK(found == wanted);
          std::vector<float> wanted_floats(count * outputs), found_floats(wanted_floats);
          int8_product(product, count, at, wanted_floats.data());
          int8_tile_product<1, PlainTiles>(product, count, at, found_floats.data());
          CHECK(found_floats == wanted_floats);
          int8_product<4>(product, count, at, wanted.data());
          int8_tile_product<4, PlainTiles>(product, count, at, found.data());
          CHECK(found == wanted);
        }
}
#endif

TEST_CASE("each channel by itself, with an odd and an even number of taps") {
  Random random(Seed{3});
  for (std::size_t taps : {1, 2, 5, 9})
    for (std::size_t channels : {1, 7, 8, 9, 16, 17, 40}) {
      constexpr std::size_t count = 7;
      const auto x = random_bytes(random, (count + taps) * channels + 64);
      const auto w = random_weights(random, taps * channels);
      const Epilogue after(random, channels);
      std::vector<std::size_t> offsets;
      for (std::size_t tap = 0; tap < taps; ++tap) offsets.push_back(tap * channels);
      for_each_lanes([&]<class Lanes>(Lanes) {
        const auto packed = pack_int8_depthwise<Lanes>(taps, channels, w.data());
        const Int8Depthwise product{taps,          channels,          offsets.data(),
                                    packed.data(), after.bias.data(), after.factors.data(),
                                    after.range};
        std::vector<std::uint8_t> y(count * channels + 1, 99);
        std::vector<float> floats(count * channels);
        const auto at = [&](std::size_t p) { return x.data() + p * channels; };
        int8_depthwise<Lanes>(product, count, at, y.data());
        int8_depthwise<Lanes>(product, count, at, floats.data());
        std::size_t wrong = y.back() != 99;
        for (std::size_t p = 0; p < count; ++p)
          for (std::size_t c = 0; c < channels; ++c) {
            std::int64_t sum = after.bias.data()[c];
            for (std::size_t tap = 0; tap < taps; ++tap)
              sum += x[(p + tap) * channels + c] * w[tap * channels + c];
            wrong += y[p * channels + c] != after.byte(sum, c);
            wrong += floats[p * channels + c] != static_cast<float>(sum) * after.factors.data()[c];
          }
        CHECK(wrong == 0);
      });
    }
}

TEST_CASE("floats become bytes and back, the same with every instruction set") {
  Random random(Seed{4});
  std::vector<float> x(203);
  for (float& value : x) value = static_cast<float>(random.uniform(-3, 3));
  // Halfway between two bytes: to the even one.
  x[0] = 0.125f;
  x[1] = 0.375f;
  const ByteScale scale{0.25f, 11};
  std::vector<std::uint8_t> y(x.size());
  quantize_bytes(x.size(), x.data(), scale, y.data());
  CHECK(int{y[0]} == 11);
  CHECK(int{y[1]} == 13);
  for_each_lanes([&]<class Lanes>(Lanes) {
    std::uint8_t other[16];
    for (std::size_t i = 0; i + Lanes::lanes <= x.size(); i += Lanes::lanes) {
      Lanes::quantize(x.data() + i, 0.25f, scale.range(), other);
      CHECK(std::equal(other, other + Lanes::lanes, y.begin() + static_cast<std::ptrdiff_t>(i)));
    }
  });
  std::vector<float> back(x.size());
  dequantize_bytes(y.size(), y.data(), scale, back.data());
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(std::abs(back[i] - std::clamp(x[i], -11 * 0.25f, 244 * 0.25f)) <= 0.125f);
}

TEST_CASE("sums of two scales are within half a step and a little of the exact ones") {
  std::vector<std::uint8_t> a, b;
  for (int i = 0; i < 256; i += 5)
    for (int j = 0; j < 256; j += 3) {
      a.push_back(static_cast<std::uint8_t>(i));
      b.push_back(static_cast<std::uint8_t>(j));
    }
  for (const ByteScale& first : {ByteScale{0.02f, 100}, ByteScale{3.0f, 0}, ByteScale{1e-9f, 255}})
    for (const ByteScale& second : {ByteScale{0.011f, 7}, ByteScale{1e-4f, 128}})
      for (const ByteScale& to : {ByteScale{0.03f, 60}, ByteScale{2.0f, 128}, ByteScale{1e-6f, 10}}) {
        std::vector<std::uint8_t> y(a.size());
        add_bytes(a.size(), a.data(), b.data(), Rescale(first, &second, to), y.data());
        double largest = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
          const double exact =
              double{first.scale} * (a[i] - first.zero) + double{second.scale} * (b[i] - second.zero);
          const double wanted = std::clamp(exact / double{to.scale} + to.zero, 0.0, 255.0);
          largest = std::max(largest, std::abs(wanted - y[i]));
        }
        CHECK(largest <= 0.501);
        rescale_bytes(a.size(), a.data(), Rescale(first, nullptr, to, true), y.data());
        largest = 0;
        for (std::size_t i = 0; i < a.size(); ++i) {
          const double exact = double{first.scale} * (a[i] - first.zero) / double{to.scale} + to.zero;
          largest =
              std::max(largest, std::abs(std::clamp(exact, static_cast<double>(to.zero), 255.0) - y[i]));
        }
        CHECK(largest <= 0.501);
      }
}

TEST_CASE("poolings touch what lies inside the image") {
  Random random(Seed{5});
  const auto x = random_bytes(random, 5 * 4 * 3);
  const Sliding rows(5, 3, 2, same), columns(4, 2, 1, same);
  const ByteWindows windows{
      5, 4, 3, {3, 2}, {2, 1}, {rows.before, columns.before}, rows.output, columns.output};
  std::vector<std::uint8_t> largest(rows.output * columns.output * 3), mean(largest.size());
  std::vector<std::int32_t> sums(3);
  const ByteScale from{0.5f, 30}, to{0.25f, 10};
  max_pool_bytes(windows, x.data(), largest.data());
  average_pool_bytes(windows, from, to, x.data(), sums.data(), mean.data());
  for (std::size_t i = 0; i < rows.output; ++i)
    for (std::size_t j = 0; j < columns.output; ++j)
      for (std::size_t c = 0; c < 3; ++c) {
        std::uint8_t wanted = 0;
        double sum = 0;
        int count = 0;
        for (std::size_t r = 0; r < 3; ++r)
          for (std::size_t s = 0; s < 2; ++s) {
            const std::size_t y = 2 * i + r - rows.before, z = j + s - columns.before;
            if (y >= 5 || z >= 4) continue;
            const std::uint8_t here = x[(y * 4 + z) * 3 + c];
            wanted = std::max(wanted, here);
            sum += here - 30;
            ++count;
          }
        const std::size_t at = (i * columns.output + j) * 3 + c;
        CHECK(largest[at] == wanted);
        CHECK(std::abs(mean[at] - std::clamp(sum / count * 2 + 10, 0.0, 255.0)) <= 0.5001);
      }
}
