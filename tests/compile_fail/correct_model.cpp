#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<28, 28, 1>, Conv2D<4, 3>, ReLU, Flatten, Dense<10>, Softmax> model;
