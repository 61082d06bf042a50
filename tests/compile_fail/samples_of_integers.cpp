// expect: Samples are std::uint8_t (read as value / 255) or float
#include <digitnet/digitnet.hpp>

using namespace digitnet;

const Matrix answer = Sequential<Input<1>, Dense<1>>().predict(xt::xtensor<int, 2>());
