#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "support/layer_reference.hpp"

using namespace digitnet;
using testing::check_gradients;

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
  CHECK(check_gradients<Sequential<Conv2D<5, 3, 2, same>, ReLU, Flatten, Dense<2>>, Shape<5, 6, 2>>() <=
        1e-6);
  // By Winograd's transforms: with less than a vector of filters, and with more than one of channels.
  CHECK(check_gradients<Sequential<Conv2D<9, 3>, ReLU>, Shape<6, 6, 8>>({}, {.samples = 2}) <= 1e-6);
  CHECK(check_gradients<Sequential<Conv2D<10, 3, 1, same>, ReLU>, Shape<4, 4, 17>>({}, {.samples = 2}) <=
        1e-6);
  CHECK(check_gradients<Sequential<Conv2D<10, 3, 1, same>, ReLU>, Shape<2, 2, 17>>() <= 1e-6);
  static_assert(Conv2D<9, 3>::On<Shape<6, 6, 8>>::traits.method == "Winograd F(4x4, 3x3)");
  static_assert(Conv2D<10, 3, 1, same>::On<Shape<4, 4, 17>>::traits.method == "Winograd F(4x4, 3x3)");
  static_assert(Conv2D<10, 3, 1, same>::On<Shape<2, 2, 17>>::traits.method == "Winograd F(2x2, 3x3)");
}

namespace {

using support::put;
using support::taken;
using support::Values;

template <class Layer>
void check_convolution(const Values& kernel, const Values& bias, const Values& y, const Values& dy,
                       const Values& dx, const Values& d_kernel, const Values& d_bias) {
  const Layer layer{};
  testing::detail::Bench<Layer, Shape<7, 6, 3>, float> bench{.layer = layer, .samples = 2};
  using Parameters = typename decltype(bench)::Parameters;
  put(reference::conv_x, bench.x.data());
  put(kernel, bench.parameters.data());
  put(bias, bench.parameters.data() + Parameters::offset(1));
  bench.forward(RandomKey{});
  support::check_close(taken(bench.y.data(), bench.y.size()), y, 2e-6);
  put(dy, bench.dy.data());
  bench.gradients.fill(0);
  bench.backward();
  support::check_close(taken(bench.dx.data(), bench.dx.size()), dx, 2e-6);
  support::check_close(taken(bench.gradients.data(), d_kernel.size()), d_kernel, 5e-6);
  support::check_close(taken(bench.gradients.data() + Parameters::offset(1), d_bias.size()), d_bias, 5e-6);
}

#define CHECK_CONVOLUTION(name, ...)                                                                     \
  check_convolution<__VA_ARGS__>(reference::name##_kernel, reference::name##_bias, reference::name##_y,  \
                                 reference::name##_dy, reference::name##_dx, reference::name##_d_kernel, \
                                 reference::name##_d_bias)

}  // namespace

TEST_CASE("Conv2D equals PyTorch's, forward and backward") {
  CHECK_CONVOLUTION(conv_valid, Conv2D<5, Extent{3, 2}>);
  CHECK_CONVOLUTION(conv_same, Conv2D<5, 3, 1, same>);
  CHECK_CONVOLUTION(conv_stride, Conv2D<5, 3, 2, same>);
  CHECK_CONVOLUTION(conv_even, Conv2D<5, Extent{2, 4}, Extent{2, 1}, same>);
}
