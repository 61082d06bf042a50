// expect: Dense needs a flat input: put Flatten before it
// expect: Step<0
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<28, 28, 1>, Dense<10>, Softmax> model;
