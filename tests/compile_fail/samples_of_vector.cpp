// expect: Samples need a shape, which std::vector and its like lack: give xt::adapt(vector, {samples,
// features})
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Matrix answers(const std::vector<float>& x) { return Sequential<Input<2>, Dense<1>>().predict(x); }
