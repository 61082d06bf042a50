// expect: The pooling window is larger than its input: use a smaller window, padding same, or fewer poolings
// before it expect: Step<3
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Sequential<Input<8, 8, 1>, MaxPooling2D<2>, MaxPooling2D<2>, MaxPooling2D<2>, MaxPooling2D<2>, Flatten,
           Dense<10>>
    model;
