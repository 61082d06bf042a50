// expect: Reshape keeps the number of elements: make the product of its extents that of its input's
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<784>, Reshape<28, 27, 1>, Flatten, Dense<10>> model;
