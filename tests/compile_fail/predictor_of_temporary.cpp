// expect: A Predictor refers to its model: give the model a name, so that it lives as long
#include <digitnet/digitnet.hpp>

using namespace digitnet;

const Predictor predictor{Sequential<Input<4>, Dense<1>>{}};
