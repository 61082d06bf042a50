// expect: CategoricalCrossentropy needs an output for each class, and with one output is always 0: use
// BinaryCrossentropy
#include <digitnet/digitnet.hpp>

using namespace digitnet;

void train(Sequential<Input<4>, Dense<1>, Sigmoid>& model) {
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}};
}
