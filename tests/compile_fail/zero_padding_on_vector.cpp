// expect: ZeroPadding2D needs an image (height, width, channels): put Reshape before it
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<784>, ZeroPadding2D<1>, Dense<10>> model;
