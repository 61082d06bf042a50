// How much of MNIST does a network read that has only seen synthetic digits? Needs MNIST to measure, not to
// train.
#include <cstdio>
#include <digitnet/digitnet.hpp>

using namespace digitnet;

int main() {
  try {
    const Dataset drawn = synthetic_digits(60000, Seed{1});
    const TrainTest mnist = datasets::mnist({.allow_download = false});
    auto cnn = Sequential{Seed{42},          Input<28, 28, 1>{}, Conv2D<32, 3>{}, ReLU{},
                          MaxPooling2D<2>{}, Conv2D<64, 3>{},    ReLU{},          MaxPooling2D<2>{},
                          Dropout{0.25f},    Flatten{},          Dense<128>{},    ReLU{},
                          Dropout{0.5f},     Dense<10>{},        Softmax{}};
    Trainer trainer{cnn, Adam{.learning_rate = 1e-3f}, CategoricalCrossentropy{}};
    trainer.fit(drawn, {.epochs = 4, .batch_size = 64});
    const double accuracy = trainer.evaluate(mnist.test).accuracy;
    std::printf("trained on synthetic digits, %.2f %% of MNIST's test images are read correctly\n",
                100 * accuracy);
    return accuracy >= 0.85 ? 0 : 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
