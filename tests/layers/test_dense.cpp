#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "support/support.hpp"

using namespace digitnet;
using testing::check_gradients;

TEST_CASE("Dense") {
  CHECK(check_gradients<Dense<7>, Shape<5>>() <= 1e-6);
  CHECK(check_gradients<Dense<17, no_bias>, Shape<3>>() <= 1e-6);
  CHECK(check_gradients<Dense<10>, Shape<33>>({}, {.samples = 9}) <= 1e-6);
  CHECK(check_gradients<Dense<1>, Shape<1>>({}, {.samples = 1}) <= 1e-6);
}

TEST_CASE("ReLU computed with the product before it") {
  CHECK(check_gradients<Sequential<Dense<7>, ReLU>, Shape<5>>() <= 1e-6);
  CHECK(check_gradients<Sequential<Dense<9>, ReLU, Dense<3>, ReLU>, Shape<4>>({}, {.samples = 1}) <= 1e-6);
}

// Forward of many samples, whose last columns may be a short vector's, and of each alone, which reads the
// kernel line after line.
template <std::size_t units, class Activation>
void check_alone_and_together() {
  using Chain = Sequential<Dense<units>, Activation>;
  constexpr std::size_t inputs = 19, samples = 11;
  const Chain chain{};
  testing::detail::Bench<Chain, Shape<inputs>, float> all{.layer = chain, .samples = samples},
      one{.layer = chain, .samples = 1};
  Random random(Seed{7});
  for (std::size_t i = 0; i < all.x.size(); ++i) all.x.data()[i] = static_cast<float>(random.uniform(-1, 1));
  for (std::size_t i = 0; i < all.parameters.size(); ++i)
    all.parameters.data()[i] = one.parameters.data()[i] = static_cast<float>(random.uniform(-1, 1));
  all.forward(RandomKey{});
  for (std::size_t sample = 0; sample < samples; ++sample) {
    std::copy_n(all.x.data() + sample * inputs, inputs, one.x.data());
    one.forward(RandomKey{});
    CHECK(std::equal(one.y.data(), one.y.data() + units, all.y.data() + sample * units));
  }
}

TEST_CASE("a sample alone has the same bits as among others, with any number of columns left") {
  check_alone_and_together<4, ReLU>();
  check_alone_and_together<8, ReLU>();
  check_alone_and_together<20, ReLU>();
  check_alone_and_together<100, ReLU>();
  check_alone_and_together<24, Tanh>();
  check_alone_and_together<8, Tanh>();
}
