// expect: A model begins with the shape of a sample: Sequential<Input<28, 28, 1>, ...>
#include <digitnet/digitnet.hpp>

using namespace digitnet;

void train(const Dataset& data) {
  Sequential<Flatten, Dense<10>, Softmax> model;
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}};
  trainer.fit(data, {.epochs = 2});
}
