// expect: Samples need a shape, which std::vector and its like lack: give xt::adapt(vector, {samples,
// features})
#include <digitnet/digitnet.hpp>

using namespace digitnet;

const float values[4][2] = {};
const Samples samples(values);
