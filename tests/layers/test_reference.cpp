// Layers against PyTorch's results, in single precision.
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/pooling.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "reference/torch.hpp"
#include "support/support.hpp"

using namespace digitnet;

namespace {

using Values = std::vector<double>;

template <class T>
void put(const Values& from, T* to) {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<T>(from[i]);
}
template <class T>
std::vector<T> taken(T* from, std::size_t count) {
  return {from, from + count};
}

template <class In, class Layer>
std::vector<float> forward(const Layer& layer, const Values& x, std::size_t samples) {
  testing::detail::Bench<Layer, In, float> bench{.layer = layer, .samples = samples};
  put(x, bench.x.data());
  bench.forward(RandomKey{});
  return taken(bench.y.data(), bench.y.size());
}

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

TEST_CASE("pooling equals PyTorch's") {
  using In = Shape<7, 6, 3>;
  support::check_close(forward<In>(MaxPooling2D<2>{}, reference::conv_x, 2), reference::max_pool_y, 1e-6);
  support::check_close(forward<In>(MaxPooling2D<3, 2, same>{}, reference::conv_x, 2),
                       reference::max_pool_same_y, 1e-6);
  support::check_close(forward<In>(AveragePooling2D<2>{}, reference::conv_x, 2), reference::average_pool_y,
                       1e-6);
  support::check_close(forward<In>(AveragePooling2D<3, 2, same>{}, reference::conv_x, 2),
                       reference::average_pool_same_y, 1e-6);
}

TEST_CASE("activations equal PyTorch's, far out too") {
  const auto check = [](const auto& layer, const Values& y) {
    support::check_close(forward<Shape<46>>(layer, reference::activation_x, 1), y, 1e-6);
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
  support::check_close(forward<Shape<23>>(Softmax{}, reference::activation_x, 2), reference::softmax_y, 1e-6);
}

TEST_CASE("a NaN passes through ReLU and pooling instead of vanishing") {
  CHECK(std::isnan(forward<Shape<1>>(ReLU{}, {std::nan("")}, 1)[0]));
  const Sequential<Conv2D<1, 1>, ReLU, MaxPooling2D<2>> fused;
  Values image(16, 1.0);
  image[5] = std::nan("");
  CHECK(std::isnan(forward<Shape<4, 4, 1>>(fused, image, 1)[0]));
}
