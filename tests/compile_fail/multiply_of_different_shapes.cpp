// expect: Multiply needs branches with results of one shape, or a second one of (1, 1, channels)
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<20>, Parallel<Multiply, Dense<5>, Dense<6>>, Dense<10>> model;
