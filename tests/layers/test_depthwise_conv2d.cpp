#include <digitnet/layers/depthwise_conv2d.hpp>

#include "support/layer_reference.hpp"

using namespace digitnet;
using support::check_layer;
using support::joined;

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
