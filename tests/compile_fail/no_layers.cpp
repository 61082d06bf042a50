// expect: A Sequential needs at least one layer
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<784>> model;
