#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/batch_normalization.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/model/parallel.hpp>
#include <digitnet/model/sequential.hpp>

#include "support/layer_reference.hpp"

using namespace digitnet;
using support::check_layer;

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
