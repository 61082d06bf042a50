#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/dropout.hpp>
#include <digitnet/layers/pooling.hpp>
#include <digitnet/layers/rescaling.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/layers/zero_padding.hpp>
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

TEST_CASE("Conv2D") {
  CHECK(check_gradients<Conv2D<4, 3>, Shape<6, 5, 2>>() <= 1e-6);
  CHECK(check_gradients<Conv2D<3, 3, 1, same>, Shape<5, 4, 3>>() <= 1e-6);
  CHECK(check_gradients<Conv2D<9, Extent{2, 3}, Extent{2, 1}, same, no_bias>, Shape<5, 6, 2>>() <= 1e-6);
  CHECK(check_gradients<Conv2D<2, 3, 2>, Shape<8, 7, 3>>() <= 1e-6);
  CHECK(check_gradients<Conv2D<8, 1>, Shape<3, 3, 9>>() <= 1e-6);
  CHECK(check_gradients<Conv2D<2, 5, 3, same>, Shape<7, 7, 1>>() <= 1e-6);
  CHECK(check_gradients<Conv2D<3, 1, 2>, Shape<5, 5, 2>>() <= 1e-6);
}

TEST_CASE("ReLU computed with the product before it") {
  CHECK(check_gradients<Sequential<Dense<7>, ReLU>, Shape<5>>() <= 1e-6);
  CHECK(check_gradients<Sequential<Dense<9>, ReLU, Dense<3>, ReLU>, Shape<4>>({}, {.samples = 1}) <= 1e-6);
  CHECK(check_gradients<Sequential<Conv2D<5, 3, 2, same>, ReLU, Flatten, Dense<2>>, Shape<5, 6, 2>>() <=
        1e-6);
  // By Winograd's transforms: with less than a vector of filters, and with more than one of channels.
  CHECK(check_gradients<Sequential<Conv2D<9, 3>, ReLU>, Shape<6, 6, 8>>({}, {.samples = 2}) <= 1e-6);
  CHECK(check_gradients<Sequential<Conv2D<10, 3, 1, same>, ReLU>, Shape<4, 4, 17>>({}, {.samples = 2}) <=
        1e-6);
  CHECK(check_gradients<Sequential<Conv2D<10, 3, 1, same>, ReLU>, Shape<2, 2, 17>>() <= 1e-6);
  static_assert(Conv2D<9, 3>::On<Shape<6, 6, 8>>::method == "Winograd F(4x4, 3x3)");
  static_assert(Conv2D<10, 3, 1, same>::On<Shape<4, 4, 17>>::method == "Winograd F(4x4, 3x3)");
  static_assert(Conv2D<10, 3, 1, same>::On<Shape<2, 2, 17>>::method == "Winograd F(2x2, 3x3)");
}

TEST_CASE("pooling") {
  CHECK(check_gradients<MaxPooling2D<2>, Shape<5, 6, 3>>() <= 1e-6);
  CHECK(check_gradients<MaxPooling2D<3, 2, same>, Shape<6, 5, 9>>() <= 1e-6);
  CHECK(check_gradients<MaxPooling2D<Extent{1, 3}, 1>, Shape<4, 5, 2>>() <= 1e-6);
  CHECK(check_gradients<AveragePooling2D<2>, Shape<5, 6, 3>>() <= 1e-6);
  CHECK(check_gradients<AveragePooling2D<3, 2, same>, Shape<6, 5, 2>>() <= 1e-6);
  CHECK(check_gradients<GlobalAveragePooling2D, Shape<4, 3, 5>>() <= 1e-6);
}

TEST_CASE("shapes") {
  CHECK(check_gradients<Flatten, Shape<3, 2, 4>>() <= 1e-6);
  CHECK(check_gradients<Reshape<4, 3, 1>, Shape<12>>() <= 1e-6);
  CHECK(check_gradients<ZeroPadding2D<1>, Shape<3, 2, 4>>() <= 1e-6);
  CHECK(check_gradients<ZeroPadding2D<Extent{2, 1}>, Shape<3, 3, 1>>() <= 1e-6);
}

TEST_CASE("activations") {
  const testing::GradientCheck wide{.input_scale = 4};
  CHECK(check_gradients<ReLU, Shape<21>>({}, wide) <= 1e-6);
  CHECK(check_gradients<LeakyReLU, Shape<21>>({.negative_slope = 0.1f}, wide) <= 1e-6);
  CHECK(check_gradients<ELU, Shape<21>>({.alpha = 1.5f}, wide) <= 1e-6);
  CHECK(check_gradients<GELU, Shape<21>>({}, wide) <= 1e-6);
  CHECK(check_gradients<GELU, Shape<21>>({.approximate = true}, wide) <= 1e-6);
  CHECK(check_gradients<SiLU, Shape<21>>({}, wide) <= 1e-6);
  CHECK(check_gradients<Sigmoid, Shape<21>>({}, wide) <= 1e-6);
  CHECK(check_gradients<Tanh, Shape<21>>({}, wide) <= 1e-6);
  CHECK(check_gradients<Softplus, Shape<21>>({}, wide) <= 1e-6);
  CHECK(check_gradients<HardSwish, Shape<21>>({}, wide) <= 1e-6);
  CHECK(check_gradients<Softmax, Shape<10>>({}, wide) <= 1e-6);
  CHECK(check_gradients<Softmax, Shape<3, 2, 5>>({}, wide) <= 1e-6);
  CHECK(check_gradients<Rescaling, Shape<21>>({.scale = 0.5f, .offset = -1}) <= 1e-6);
}

TEST_CASE("Dropout, whose mask is the same for the same key") {
  CHECK(check_gradients<Dropout, Shape<50>>(Dropout{0.3f}) <= 1e-6);
  CHECK(check_gradients<Dropout, Shape<3, 3, 3>>(Dropout{0}) <= 1e-6);
}

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

// A chain of one is never fused with its neighbours.
template <class T, class In, class Product, class... After>
void check_fused_equals_simple() {
  using Fused = Sequential<Product, After...>;
  using Simple = Sequential<Sequential<Product>, After...>;
  static_assert(Fused::template On<In>::operation_count == 1 &&
                Simple::template On<In>::operation_count == 1 + sizeof...(After));
  const Fused fused{};
  const Simple simple{};
  testing::detail::Bench<Fused, In, T> a{.layer = fused, .samples = 7};
  testing::detail::Bench<Simple, In, T> b{.layer = simple, .samples = 7};
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
  check_fused_equals_simple<float, Shape<9, 10, 16>, Conv2D<40, 3, 1, same>, ReLU, MaxPooling2D<2>>();
  check_fused_equals_simple<float, Shape<13, 12, 24>, Conv2D<27, 3, 1, same>, ReLU, MaxPooling2D<2>>();
  check_fused_equals_simple<float, Shape<13, 12, 24>, Conv2D<27, 3, 1, same>, ReLU>();
  check_fused_equals_simple<float, Shape<6, 7, 3>, Conv2D<10, Extent{3, 2}, 2>, ReLU>();
  check_fused_equals_simple<float, Shape<33>, Dense<10>, ReLU>();
  check_fused_equals_simple<float, Shape<400>, Dense<500, no_bias>, ReLU>();
  check_fused_equals_simple<float, Shape<15, 9, 3>, Conv2D<6, 5, 2>, ReLU, MaxPooling2D<Extent{2, 1}>>();
}

// A layer that breaks the contract in one way; the check must see it.
template <int Fault>
struct Faulty {
  static constexpr std::string_view class_name = "Faulty";
  Initializer initializer = Zeros{};
  template <class In>
  struct On : LayerDefaults {
    using Output = In;
    using Parameters = ParameterList<Parameter<"scale", Shape<1>, &Faulty::initializer>>;
    static constexpr bool backward_reads_y = false;
    static void forward(const auto& io) {
      const double scale = get<"scale">(io.parameters).data[0];
      for (std::size_t i = 0; i < io.x.size(); ++i)
        if (Fault != 1 || i != 2) io.y.data[i] = scale * io.x.data[i];
      if (Fault == 2) io.y.data[io.y.size()] = 0;
    }
    static void backward(const auto& io) {
      const double scale = get<"scale">(io.parameters).data[0];
      double sum = 0;
      for (std::size_t i = 0; i < io.x.size(); ++i) {
        sum += io.dy.data[i] * (Fault == 3 ? io.y.data[i] / scale : io.x.data[i]);
        io.dx.data[i] = Fault == 4 ? 2 * scale * io.dy.data[i] : scale * io.dy.data[i];
      }
      double& gradient = *get<"scale">(io.gradients).data;
      gradient = Fault == 5 ? sum : gradient + sum;
      if (Fault == 6) (&gradient)[1] = 1;
    }
  };
};

TEST_CASE("the check finds each kind of mistake") {
  CHECK_NOTHROW(check_gradients<Faulty<0>, Shape<4>>());
  CHECK_ERROR("forward leaves element 2 of y unassigned", (check_gradients<Faulty<1>, Shape<4>>()));
  CHECK_ERROR("forward writes outside y", (check_gradients<Faulty<2>, Shape<4>>()));
  CHECK_ERROR("gradient of parameter element 0", (check_gradients<Faulty<3>, Shape<4>>()));
  CHECK_ERROR("gradient of input element 0", (check_gradients<Faulty<4>, Shape<4>>()));
  CHECK_ERROR("gradient of parameter element 0", (check_gradients<Faulty<5>, Shape<4>>()));
  CHECK_ERROR("writes padding of its gradients", (check_gradients<Faulty<6>, Shape<4>>()));
}
