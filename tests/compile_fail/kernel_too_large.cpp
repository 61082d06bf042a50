// expect: Conv2D's kernel is larger than its input: use a smaller kernel, padding same, or fewer poolings
// before it
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<4, 4, 1>, Conv2D<8, 5>, Flatten, Dense<10>> model;
