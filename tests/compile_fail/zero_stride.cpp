// expect: Conv2D's strides must be at least 1
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<28, 28, 1>, Conv2D<8, 3, 0>, Flatten, Dense<10>> model;
