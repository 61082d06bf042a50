// expect: Dense needs a flat input: put Flatten before it
// expect: Step<2
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<28, 28, 1>, Conv2D<8, 3>, ReLU, Dense<64>, ReLU, Dense<10>, Softmax> model;
