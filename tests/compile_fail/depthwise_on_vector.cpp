// expect: A depthwise convolution needs an image (height, width, channels): put Reshape before it
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<784>, DepthwiseConv2D<3>, Flatten, Dense<10>> model;
