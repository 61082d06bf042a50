// expect: The parameters of a temporary model are gone at once: give the model a name
#include <digitnet/digitnet.hpp>

using namespace digitnet;

const auto parameters = Sequential<Input<4>, Dense<1>>{}.parameters();
