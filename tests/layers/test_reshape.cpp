#include <digitnet/layers/dropout.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/layers/zero_padding.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "support/support.hpp"

using namespace digitnet;
using testing::check_gradients;

TEST_CASE("shapes") {
  CHECK(check_gradients<Flatten, Shape<3, 2, 4>>() <= 1e-6);
  CHECK(check_gradients<Reshape<4, 3, 1>, Shape<12>>() <= 1e-6);
  CHECK(check_gradients<ZeroPadding2D<1>, Shape<3, 2, 4>>() <= 1e-6);
  CHECK(check_gradients<ZeroPadding2D<Extent{2, 1}>, Shape<3, 3, 1>>() <= 1e-6);
}

TEST_CASE("Dropout, whose mask is the same for the same key") {
  CHECK(check_gradients<Dropout, Shape<50>>(Dropout{0.3f}) <= 1e-6);
  CHECK(check_gradients<Dropout, Shape<3, 3, 3>>(Dropout{0}) <= 1e-6);
}
