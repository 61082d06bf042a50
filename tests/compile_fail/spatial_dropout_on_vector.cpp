// expect: SpatialDropout2D needs an image (height, width, channels): use Dropout for flat inputs
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<784>, SpatialDropout2D, Dense<10>> model;
