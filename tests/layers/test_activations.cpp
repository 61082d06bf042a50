#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/rescaling.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "support/layer_reference.hpp"

using namespace digitnet;
using support::layer_forward;
using testing::check_gradients;

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

TEST_CASE("activations equal PyTorch's, far out too") {
  const auto check = [](const auto& layer, const support::Values& y) {
    support::check_close(layer_forward<Shape<46>>(layer, reference::activation_x, 1), y, 1e-6);
  };
  check(ReLU{}, reference::relu_y);
  check(LeakyReLU{}, reference::leaky_relu_y);
  check(ELU{}, reference::elu_y);
  check(GELU{}, reference::gelu_y);
  check(GELU{.approximate = true}, reference::gelu_tanh_y);
  check(SiLU{}, reference::silu_y);
  check(Sigmoid{}, reference::sigmoid_y);
  check(Tanh{}, reference::tanh_y);
  check(Softplus{}, reference::softplus_y);
  check(HardSwish{}, reference::hard_swish_y);
  support::check_close(layer_forward<Shape<23>>(Softmax{}, reference::activation_x, 2), reference::softmax_y,
                       1e-6);
}
