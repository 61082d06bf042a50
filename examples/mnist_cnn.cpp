// Trains a convolutional network on MNIST.
#include <digitnet/digitnet.hpp>

#include "support/pretrained_cnn.hpp"
#include "support/program.hpp"

using namespace digitnet;

// The network of the Keras tutorials.
using SeedCnn = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                           MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;
static_assert(SeedCnn::parameter_count == 121'930);

int main(int argc, char** argv) {
  return program::run(
      argc, argv, "Trains a CNN on images of digits.", {"cnn", "seed"},
      [](const program::Settings& settings) {
        if (settings.model == "seed")
          return program::train(settings, SeedCnn{Seed{settings.seed}},
                                {.epochs = 5, .batch_size = 32, .learning_rate = 1e-3f},
                                [](float rate, std::size_t) { return Adam{.learning_rate = rate}; });

        // The same, with dropout against overfitting and a rate that rises and falls.
        auto cnn = program::cnn_with_dropout<128>(Seed{settings.seed}, 0.5f);
        return program::train(settings, std::move(cnn),
                              {.epochs = 12, .batch_size = 64, .learning_rate = 3e-3f},
                              [](float rate, std::size_t steps) {
                                return Adam{.learning_rate = OneCycle{.peak = rate, .total_steps = steps}};
                              });
      });
}
