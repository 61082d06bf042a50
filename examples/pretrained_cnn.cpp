// The CNN whose parameters are in models/mnist_cnn.safetensors. They were made by
//   pretrained_cnn --save examples/models/mnist_cnn.safetensors
// and are read, tested and written in other formats by
//   pretrained_cnn --load examples/models/mnist_cnn.safetensors --save mnist_cnn.keras
#include "support/pretrained_cnn.hpp"

#include <digitnet/digitnet.hpp>

#include "support/program.hpp"

using namespace digitnet;

int main(int argc, char** argv) {
  return program::run(argc, argv, "Trains the bundled CNN on images of digits.", {"cnn"},
                      [](const program::Settings& settings) {
                        auto cnn = program::cnn_with_dropout(Seed{settings.seed});
                        static_assert(decltype(cnn)::parameter_count == 121'930);
                        return program::train(
                            settings, std::move(cnn),
                            {.epochs = 20, .batch_size = 64, .learning_rate = 3e-3f},
                            [](float rate, std::size_t steps) {
                              return Adam{.learning_rate = OneCycle{.peak = rate, .total_steps = steps}};
                            });
                      });
}
