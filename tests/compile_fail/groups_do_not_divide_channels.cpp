// expect: GroupNormalization's groups must divide the channels, the input's last axis
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<8, 8, 6>, GroupNormalization<4>> model;
