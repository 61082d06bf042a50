// expect: Dense needs at least 1 unit
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<784>, Dense<0>> model;
