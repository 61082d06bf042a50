#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/dense.hpp>
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

TEST_CASE("ReLU computed with the product before it") {
  CHECK(check_gradients<Sequential<Dense<7>, ReLU>, Shape<5>>() <= 1e-6);
  CHECK(check_gradients<Sequential<Dense<9>, ReLU, Dense<3>, ReLU>, Shape<4>>({}, {.samples = 1}) <= 1e-6);
}
