// expect: Residual's layers change the shape in a way that no projection follows: use padding same, or write
// Residual<Shortcut<...>, ...>
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<8, 8, 1>, Residual<Conv2D<2, 3>>, Flatten, Dense<10>> model;
