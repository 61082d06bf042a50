// expect: A model begins with the shape of a sample: Sequential<Input<28, 28, 1>, ...>
#include <digitnet/digitnet.hpp>

using namespace digitnet;

Labels classes(const Images& images) {
  return Sequential<Flatten, Dense<10>, Softmax>{}.predict_classes(images);
}
