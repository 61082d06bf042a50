// expect: Every extent of an Input must be at least 1
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<28, 0, 1>, Flatten, Dense<10>> model;
