// expect: Add needs branches with results of one shape: change their layers, or use Concatenate
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<20>, Parallel<Add, Dense<5>, Dense<6>>, Dense<10>> model;
