// expect: Concatenate needs branches whose results agree in all axes but the last
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<8, 8, 1>, Parallel<Concatenate, Conv2D<2, 1>, Conv2D<2, 3>>, Flatten, Dense<10>> model;
