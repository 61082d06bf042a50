#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/pooling.hpp>
#include <digitnet/layers/rescaling.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "support/support.hpp"

using namespace digitnet;
using testing::check_gradients;

TEST_CASE("chains: results that share memory, nested chains, layers before the first parameter") {
  using Cnn = Sequential<Conv2D<3, 3>, ReLU, MaxPooling2D<2>, Conv2D<4, 2>, Tanh, Flatten, Dense<6>, ReLU,
                         Dense<4>, Softmax>;
  CHECK(check_gradients<Cnn, Shape<8, 8, 1>>() <= 1e-6);
  // Tanh reads its result, so the ReLU behind it must not overwrite that.
  CHECK(check_gradients<Sequential<Dense<5>, Tanh, ReLU>, Shape<4>>() <= 1e-6);
  CHECK(check_gradients<Sequential<Dense<6>, Tanh, Reshape<3, 2>, ReLU, Flatten, Dense<2>>, Shape<4>>() <=
        1e-6);
  CHECK(check_gradients<Sequential<Flatten, Rescaling, Dense<3>>, Shape<2, 2, 1>>() <= 1e-6);
  CHECK(check_gradients<Sequential<Flatten>, Shape<2, 2, 1>>() <= 1e-6);
  CHECK(check_gradients<Sequential<ReLU, GELU, ReLU>, Shape<9>>() <= 1e-6);
  using Inner = Sequential<Dense<5>, ELU>;
  CHECK(check_gradients<Sequential<Inner, Inner, Sequential<Sigmoid>, Dense<2>>, Shape<3>>() <= 1e-6);
}

TEST_CASE(
    "fused convolution, ReLU and max-pooling: odd edges, strides, padding, any window, few and many inputs") {
  CHECK(check_gradients<Sequential<Conv2D<5, 3>, ReLU, MaxPooling2D<2>>, Shape<9, 8, 1>>() <= 1e-6);
  CHECK(check_gradients<Sequential<Conv2D<17, 3>, ReLU, MaxPooling2D<2>>, Shape<7, 7, 3>>() <= 1e-6);
  CHECK(check_gradients<Sequential<Conv2D<9, 3, 1, same>, ReLU, MaxPooling2D<2>>, Shape<5, 6, 4>>() <= 1e-6);
  CHECK(check_gradients<Sequential<Conv2D<3, 3, 1, same>, ReLU, MaxPooling2D<2>>, Shape<5, 6, 1>>() <= 1e-6);
  CHECK(
      check_gradients<
          Sequential<Conv2D<4, Extent{2, 5}, Extent{2, 1}, same, no_bias>, ReLU, MaxPooling2D<Extent{1, 3}>>,
          Shape<6, 8, 2>>() <= 1e-6);
  CHECK(check_gradients<Sequential<Conv2D<2, 5>, ReLU, MaxPooling2D<3>>, Shape<11, 10, 9>>() <= 1e-6);
  CHECK(check_gradients<Sequential<Conv2D<33, 1>, ReLU, MaxPooling2D<2>>, Shape<4, 4, 2>>() <= 1e-6);
  CHECK(check_gradients<
            Sequential<Conv2D<3, 3>, ReLU, MaxPooling2D<2>, Conv2D<4, 2>, ReLU, MaxPooling2D<2>, Flatten>,
            Shape<10, 9, 1>>({}, {.samples = 5}) <= 1e-6);
}

// Fused or not, a chain computes the same.
template <class T, class In, class Product, class... After>
void check_fused_equals_simple() {
  using Chain = Sequential<Product, After...>;
  static_assert(detail::Graph<Chain, In>::count == 1 &&
                detail::Graph<Chain, In, 0, true, Fusing::off>::count == 1 + sizeof...(After));
  const Chain chain{};
  testing::detail::Bench<Chain, In, T> a{.layer = chain, .samples = 7};
  testing::detail::Bench<Chain, In, T, Fusing::off> b{.layer = chain, .samples = 7};
  Random random(Seed{5});
  const auto fill = [&](auto& first, auto& second) {
    for (std::size_t i = 0; i < first.size(); ++i)
      first.data()[i] = second.data()[i] = static_cast<T>(random.uniform(-1, 1));
  };
  fill(a.x, b.x);
  fill(a.parameters, b.parameters);
  const auto compare = [](auto& first, auto& second) {
    const std::vector<T> found(first.data(), first.data() + first.size()),
        wanted(second.data(), second.data() + second.size());
    support::check_close(found, wanted, 2e-5);
  };
  a.forward(RandomKey{});
  b.forward(RandomKey{});
  compare(a.y, b.y);
  fill(a.dy, b.dy);
  a.gradients.fill(0);
  b.gradients.fill(0);
  a.backward();
  b.backward();
  compare(a.dx, b.dx);
  compare(a.gradients, b.gradients);
}

TEST_CASE("fused operations equal the layers one by one, in single precision") {
  check_fused_equals_simple<float, Shape<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>>();
  check_fused_equals_simple<float, Shape<13, 13, 32>, Conv2D<64, 3>, ReLU, MaxPooling2D<2>>();
  check_fused_equals_simple<float, Shape<11, 9, 16>, Conv2D<20, 3>, ReLU, MaxPooling2D<2>>();
  check_fused_equals_simple<float, Shape<9, 10, 16>, Conv2D<40, 3, 1, same>, ReLU, MaxPooling2D<2>>();
  check_fused_equals_simple<float, Shape<13, 15, 8>, Conv2D<12, 3>, ReLU, MaxPooling2D<2>>();
  check_fused_equals_simple<float, Shape<13, 12, 24>, Conv2D<27, 3, 1, same>, ReLU, MaxPooling2D<2>>();
  check_fused_equals_simple<float, Shape<13, 12, 24>, Conv2D<27, 3, 1, same>, ReLU>();
  check_fused_equals_simple<float, Shape<6, 7, 3>, Conv2D<10, Extent{3, 2}, 2>, ReLU>();
  check_fused_equals_simple<float, Shape<33>, Dense<10>, ReLU>();
  check_fused_equals_simple<float, Shape<400>, Dense<500, no_bias>, ReLU>();
  check_fused_equals_simple<float, Shape<15, 9, 3>, Conv2D<6, 5, 2>, ReLU, MaxPooling2D<Extent{2, 1}>>();
}
