#include <digitnet/layers/dropout.hpp>
#include <digitnet/layers/initializers.hpp>
#include <digitnet/layers/layer.hpp>
#include <digitnet/layers/regularizers.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

std::vector<double> drawn(const Initializer& initializer, std::vector<std::size_t> extents,
                          std::uint64_t seed = 1) {
  const ParameterExtents parameter{extents};
  std::vector<double> values(parameter.size());
  initializer.fill(parameter, RandomKey(Seed{seed}), values);
  return values;
}
double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}
double deviation(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += (value - mean(values)) * (value - mean(values));
  return std::sqrt(sum / static_cast<double>(values.size()));
}
double largest(const std::vector<double>& values) {
  double result = 0;
  for (const double value : values) result = std::max(result, std::abs(value));
  return result;
}

}  // namespace

TEST_CASE("fans are counted as in Keras") {
  const std::size_t dense[] = {30, 20}, conv[] = {3, 5, 4, 8}, bias[] = {7};
  CHECK(ParameterExtents{dense}.fan_in() == 30);
  CHECK(ParameterExtents{dense}.fan_out() == 20);
  CHECK(ParameterExtents{conv}.fan_in() == 60);
  CHECK(ParameterExtents{conv}.fan_out() == 120);
  CHECK(ParameterExtents{bias}.fan_in() == 7);
}

TEST_CASE("constants and plain distributions") {
  for (const double value : drawn(Zeros{}, {3})) CHECK(value == 0);
  for (const double value : drawn(Ones{}, {3})) CHECK(value == 1);
  for (const double value : drawn(Constant(0.25), {3})) CHECK(value == 0.25);
  const auto uniform = drawn(RandomUniform(-0.1, 0.3), {100, 50});
  CHECK(mean(uniform) == doctest::Approx(0.1).epsilon(0.05));
  CHECK(*std::max_element(uniform.begin(), uniform.end()) < 0.3);
  CHECK(*std::min_element(uniform.begin(), uniform.end()) >= -0.1);
  const auto normal = drawn(RandomNormal(1, 0.5), {100, 50});
  CHECK(mean(normal) == doctest::Approx(1).epsilon(0.05));
  CHECK(deviation(normal) == doctest::Approx(0.5).epsilon(0.05));
  const auto truncated = drawn(TruncatedNormal(0, 0.5), {100, 50});
  CHECK(largest(truncated) <= 1);
  CHECK(largest(truncated) > 0.9);
}

TEST_CASE("scaled distributions have the variance that they are named after") {
  const std::vector<std::size_t> extents{3, 3, 20, 40};  // fans 180 and 360
  const auto check = [&](const Initializer& initializer, double variance, double bound) {
    const auto values = drawn(initializer, extents);
    CHECK(std::abs(mean(values)) < 0.1 * std::sqrt(variance));
    CHECK(deviation(values) == doctest::Approx(std::sqrt(variance)).epsilon(0.05));
    CHECK(largest(values) <= bound * std::sqrt(variance) * 1.0001);
  };
  const double uniform = std::sqrt(3.0), normal = 2 / .87962566103423978;
  check(GlorotUniform{}, 1.0 / 270, uniform);
  check(GlorotNormal{}, 1.0 / 270, normal);
  check(HeUniform{}, 2.0 / 180, uniform);
  check(HeNormal{}, 2.0 / 180, normal);
  check(LecunUniform{}, 1.0 / 180, uniform);
  check(LecunNormal{}, 1.0 / 180, normal);
}

TEST_CASE("orthogonal rows or columns") {
  for (const auto& extents : {std::array<std::size_t, 2>{12, 5}, {5, 12}, {6, 6}}) {
    const std::size_t rows = extents[0], columns = extents[1];
    const auto q = drawn(Orthogonal(2), {rows, columns});
    const bool tall = rows >= columns;
    const std::size_t vectors = std::min(rows, columns), length = std::max(rows, columns);
    const auto at = [&](std::size_t v, std::size_t i) {
      return tall ? q[i * columns + v] : q[v * columns + i];
    };
    for (std::size_t u = 0; u < vectors; ++u)
      for (std::size_t v = 0; v < vectors; ++v) {
        double product = 0;
        for (std::size_t i = 0; i < length; ++i) product += at(u, i) * at(v, i);
        CHECK(std::abs(product - (u == v ? 4 : 0)) < 1e-12);
      }
  }
}

TEST_CASE("initial values depend on the seed") {
  CHECK(drawn(GlorotUniform{}, {4, 4}, 1) == drawn(GlorotUniform{}, {4, 4}, 1));
  CHECK(drawn(GlorotUniform{}, {4, 4}, 1) != drawn(GlorotUniform{}, {4, 4}, 2));
}

TEST_CASE("layers are named as in Keras") {
  CHECK(snake_case("Conv2D") == "conv2d");
  CHECK(snake_case("MaxPooling2D") == "max_pooling2d");
  CHECK(snake_case("ReLU") == "re_lu");
  CHECK(snake_case("LeakyReLU") == "leaky_re_lu");
  CHECK(snake_case("ELU") == "elu");
  CHECK(snake_case("GlobalAveragePooling2D") == "global_average_pooling2d");
  CHECK(snake_case("BatchNormalization") == "batch_normalization");
  CHECK(snake_case("ZeroPadding2D") == "zero_padding2d");
}

TEST_CASE("dropout drops its part, keeps the mean, and does nothing in inference") {
  const Dropout layer{0.25f};
  testing::detail::Bench<Dropout, Shape<1000>, float> bench{.layer = layer, .samples = 20};
  bench.x.fill(1);
  bench.forward(RandomKey(Seed{3}));
  std::size_t dropped = 0;
  double sum = 0;
  for (std::size_t i = 0; i < bench.y.size(); ++i) {
    const float y = bench.y.data()[i];
    dropped += y == 0;
    sum += y;
    CHECK_UNARY(y == 0 || y == doctest::Approx(4.0 / 3));
  }
  CHECK(static_cast<double>(dropped) / 20000 == doctest::Approx(0.25).epsilon(0.05));
  CHECK(sum / 20000 == doctest::Approx(1).epsilon(0.02));
  const std::vector<float> first(bench.y.data(), bench.y.data() + 1000),
      second(bench.y.data() + 1000, bench.y.data() + 2000);
  CHECK(first != second);
  CHECK_ERROR("Dropout's rate must be at least 0 and below 1", Dropout(1.0f));
  CHECK_ERROR("Dropout's rate must be at least 0 and below 1", Dropout(std::nanf("")));
}
