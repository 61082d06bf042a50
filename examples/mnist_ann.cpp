// Trains a network of dense layers on MNIST.
#include <digitnet/digitnet.hpp>

#include "support/program.hpp"

using namespace digitnet;

// Ten weighted sums of pixels; and the same with a hidden layer. Their sigmoids are made probabilities by the
// loss.
using Linear = Sequential<Input<784>, Dense<10>, Sigmoid>;
using SeedAnn = Sequential<Input<784>, Dense<100>, ReLU, Dense<10>, Sigmoid>;

int main(int argc, char** argv) {
  return program::run(
      argc, argv, "Trains an ANN on images of digits.", {"ann", "seed", "linear"},
      [](const program::Settings& settings) {
        if (settings.model == "linear")
          return program::train(settings, Linear{Seed{settings.seed}},
                                {.epochs = 5, .batch_size = 32, .learning_rate = 1e-3f},
                                [](float rate, std::size_t) { return Adam{.learning_rate = rate}; });
        if (settings.model == "seed")
          return program::train(settings, SeedAnn{Seed{settings.seed}},
                                {.epochs = 5, .batch_size = 32, .learning_rate = 1e-2f},
                                [](float rate, std::size_t) { return SGD{.learning_rate = rate}; });

        // Two hidden layers, dropout against overfitting, and a rate that rises and falls.
        auto ann = Sequential{Seed{settings.seed}, Input<784>{}, Dense<512>{},  ReLU{},      Dropout{0.3f},
                              Dense<256>{},        ReLU{},       Dropout{0.3f}, Dense<10>{}, Softmax{}};
        return program::train(settings, std::move(ann),
                              {.epochs = 15, .batch_size = 64, .learning_rate = 2e-3f},
                              [](float rate, std::size_t steps) {
                                return Adam{.learning_rate = OneCycle{.peak = rate, .total_steps = steps}};
                              });
      });
}
