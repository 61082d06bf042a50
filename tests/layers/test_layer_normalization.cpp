#include <digitnet/layers/layer_normalization.hpp>

#include "support/layer_reference.hpp"

using namespace digitnet;
using support::check_layer;
using support::joined;

TEST_CASE("LayerNormalization equals PyTorch's, forward and backward") {
  namespace r = reference;
  check_layer<Shape<6>>(LayerNormalization{}, r::layer_norm_x,
                        joined(r::layer_norm_gamma, r::layer_norm_beta), r::layer_norm_y, r::layer_norm_dy,
                        r::layer_norm_dx, joined(r::layer_norm_d_gamma, r::layer_norm_d_beta));
}
