// expect: A model begins with the shape of a sample: Sequential<Input<28, 28, 1>, ...>
#include <digitnet/digitnet.hpp>

using namespace digitnet;

const auto model = Sequential{Seed{42}, Flatten{}, Dense<10>{}, Softmax{}};
