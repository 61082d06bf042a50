// expect: Pooling needs an image (height, width, channels): put Reshape before it
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<784>, AveragePooling2D<2>, Dense<10>> model;
