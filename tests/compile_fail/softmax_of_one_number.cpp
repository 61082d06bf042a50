// expect: Softmax of a single number is always 1: use Sigmoid, or give Dense an output for each class
#include <digitnet/digitnet.hpp>

using namespace digitnet;

const auto parameters = Sequential<Input<4>, Dense<1>, Softmax>::parameter_count;
