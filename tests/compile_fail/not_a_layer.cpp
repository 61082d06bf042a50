// expect: A layer needs class_name and On<In> with Output, forward and backward
#include <digitnet/digitnet.hpp>

using namespace digitnet;

struct Nothing {};
Sequential<Input<784>, Nothing, Dense<10>> model;
