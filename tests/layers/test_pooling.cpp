#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/pooling.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "support/layer_reference.hpp"

using namespace digitnet;
using support::layer_forward;
using testing::check_gradients;

TEST_CASE("pooling") {
  CHECK(check_gradients<MaxPooling2D<2>, Shape<5, 6, 3>>() <= 1e-6);
  CHECK(check_gradients<MaxPooling2D<3, 2, same>, Shape<6, 5, 9>>() <= 1e-6);
  CHECK(check_gradients<MaxPooling2D<Extent{1, 3}, 1>, Shape<4, 5, 2>>() <= 1e-6);
  CHECK(check_gradients<AveragePooling2D<2>, Shape<5, 6, 3>>() <= 1e-6);
  CHECK(check_gradients<AveragePooling2D<3, 2, same>, Shape<6, 5, 2>>() <= 1e-6);
  CHECK(check_gradients<GlobalAveragePooling2D, Shape<4, 3, 5>>() <= 1e-6);
}

TEST_CASE("pooling equals PyTorch's") {
  using In = Shape<7, 6, 3>;
  support::check_close(layer_forward<In>(MaxPooling2D<2>{}, reference::conv_x, 2), reference::max_pool_y,
                       1e-6);
  support::check_close(layer_forward<In>(MaxPooling2D<3, 2, same>{}, reference::conv_x, 2),
                       reference::max_pool_same_y, 1e-6);
  support::check_close(layer_forward<In>(AveragePooling2D<2>{}, reference::conv_x, 2),
                       reference::average_pool_y, 1e-6);
  support::check_close(layer_forward<In>(AveragePooling2D<3, 2, same>{}, reference::conv_x, 2),
                       reference::average_pool_same_y, 1e-6);
}

TEST_CASE("a NaN passes through ReLU and pooling instead of vanishing") {
  CHECK(std::isnan(layer_forward<Shape<1>>(ReLU{}, {std::nan("")}, 1)[0]));
  const Sequential<Conv2D<1, 1>, ReLU, MaxPooling2D<2>> fused;
  support::Values image(16, 1.0);
  image[5] = std::nan("");
  CHECK(std::isnan(layer_forward<Shape<4, 4, 1>>(fused, image, 1)[0]));
}
