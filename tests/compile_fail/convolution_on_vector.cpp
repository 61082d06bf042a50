// expect: Conv2D needs an image (height, width, channels): put Reshape before it
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<784>, Conv2D<8, 3>, Flatten, Dense<10>> model;
