// expect: GlobalAveragePooling2D needs an image (height, width, channels): put Reshape before it
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<784>, GlobalAveragePooling2D, Dense<10>> model;
