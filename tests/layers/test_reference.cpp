// Layers against PyTorch's results, in single precision.
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/depthwise_conv2d.hpp>
#include <digitnet/layers/layer_normalization.hpp>
#include <digitnet/layers/pooling.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/parallel.hpp>
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

// A layer whose parameters, all of one list after the other without padding, are `parameters`; those that are
// not trained keep what they have.
template <class In, class Layer>
void check_layer(const Layer& layer, const Values& x, const Values& parameters, const Values& y,
                 const Values& dy, const Values& dx, const Values& gradients) {
  const std::size_t samples = x.size() / In::size;
  testing::detail::Bench<Layer, In, float> bench{.layer = layer, .samples = samples};
  std::vector<std::size_t> places;
  const auto use = [&](std::size_t offset, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) places.push_back(offset + i);
  };
  bench.parameters.fill(0);
  using On = typename decltype(bench)::On;
  if constexpr (requires { On::for_each_layer(layer, "", 0, [](const auto&...) {}); })
    detail::for_each_parameter<On>(layer, [&](const ParameterInfo& info) {
      if (info.trainable) use(info.offset, info.size());
    });
  else
    On::Parameters::for_each([&]<class P>(std::size_t offset) { use(offset, P::Shape::size); });
  REQUIRE(places.size() == parameters.size());
  for (std::size_t i = 0; i < places.size(); ++i)
    bench.parameters.data()[places[i]] = static_cast<float>(parameters[i]);
  put(x, bench.x.data());
  bench.forward(RandomKey{});
  support::check_close(taken(bench.y.data(), bench.y.size()), y, 4e-6);
  put(dy, bench.dy.data());
  bench.gradients.fill(0);
  bench.backward();
  support::check_close(taken(bench.dx.data(), bench.dx.size()), dx, 4e-6);
  std::vector<float> found;
  for (const std::size_t place : places) found.push_back(bench.gradients.data()[place]);
  found.resize(gradients.size());
  support::check_close(found, gradients, 1e-5);
}

Values joined(Values a, const Values& b, const Values& c = {}) {
  a.insert(a.end(), b.begin(), b.end());
  a.insert(a.end(), c.begin(), c.end());
  return a;
}

}  // namespace

TEST_CASE("depthwise and separable convolutions equal PyTorch's, forward and backward") {
  namespace r = reference;
  using In = Shape<7, 6, 3>;
  check_layer<In>(DepthwiseConv2D<3, 1, same>{}, r::conv_x, joined(r::depthwise_kernel, r::depthwise_bias),
                  r::depthwise_y, r::depthwise_dy, r::depthwise_dx,
                  joined(r::depthwise_d_kernel, r::depthwise_d_bias));
  check_layer<In>(DepthwiseConv2D<Extent{2, 3}, 2, valid, 2>{}, r::conv_x,
                  joined(r::depthwise_wide_kernel, r::depthwise_wide_bias), r::depthwise_wide_y,
                  r::depthwise_wide_dy, r::depthwise_wide_dx,
                  joined(r::depthwise_wide_d_kernel, r::depthwise_wide_d_bias));
  check_layer<In>(SeparableConv2D<4, 3, 2, same>{}, r::conv_x,
                  joined(r::separable_depthwise_kernel, r::separable_pointwise_kernel, r::separable_bias),
                  r::separable_y, r::separable_dy, r::separable_dx,
                  joined(r::separable_d_depthwise_kernel, r::separable_d_pointwise_kernel));
}

TEST_CASE("LayerNormalization equals PyTorch's, forward and backward") {
  namespace r = reference;
  check_layer<Shape<6>>(LayerNormalization{}, r::layer_norm_x,
                        joined(r::layer_norm_gamma, r::layer_norm_beta), r::layer_norm_y, r::layer_norm_dy,
                        r::layer_norm_dx, joined(r::layer_norm_d_gamma, r::layer_norm_d_beta));
}

TEST_CASE("residual blocks equal PyTorch's in training, with normalization fused and a projection") {
  namespace r = reference;
  using In = Shape<6, 5, 4>;
  using Block = Residual<Conv2D<4, 3, 1, same, no_bias>, BatchNormalization, ReLU,
                         Conv2D<4, 3, 1, same, no_bias>, BatchNormalization>;
  check_layer<In>(Sequential<Block, ReLU>{}, r::residual_x, r::residual_parameters, r::residual_y,
                  r::residual_dy, r::residual_dx, r::residual_gradients);
  using Projected = Residual<Conv2D<6, 3, 2, same, no_bias>, BatchNormalization, ReLU,
                             Conv2D<6, 3, 1, same, no_bias>, BatchNormalization>;
  check_layer<In>(Sequential<Projected, ReLU>{}, r::residual_x, r::projected_parameters, r::projected_y,
                  r::projected_dy, r::projected_dx, r::projected_gradients);
}

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
