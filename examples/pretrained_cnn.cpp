// The CNN whose parameters are in models/mnist_cnn.safetensors. They were made by
//   pretrained_cnn --threads 1 --save examples/models/mnist_cnn.safetensors
// which trains on MNIST, on MNIST as other pens, hands and scanners would have made it, and on synthetic
// digits of many writers (models/README.md says how well it reads which); and are read, tested and written in
// other formats by
//   pretrained_cnn --load examples/models/mnist_cnn.safetensors --save mnist_cnn.keras
#include "support/pretrained_cnn.hpp"

#include <digitnet/digitnet.hpp>

#include "support/program.hpp"
#include "support/varied_digits.hpp"

using namespace digitnet;

namespace {

// Each image three times as it is and twice varied, and three synthetic ones for two of them.
Dataset prepared(Dataset data) {
  const Dataset varied = program::varied_digits(data, 2, Seed{1});
  const Dataset synthetic = synthetic_digits(data.size() / 2 * 3, Seed{1}, Writers::many);
  return joined({&data, &data, &data, &varied, &synthetic});
}

}  // namespace

int main(int argc, char** argv) {
  return program::run(
      argc, argv, "Trains the bundled CNN on images of digits.", {"cnn"},
      [](const program::Settings& settings) {
        // With so much variety, little dropout.
        auto cnn = program::cnn_with_dropout(Seed{settings.seed}, 0.15f, 0.1f);
        static_assert(decltype(cnn)::parameter_count == 121'930);
        return program::train(
            settings, std::move(cnn),
            {.epochs = 30,
             .batch_size = 128,
             .learning_rate = 3e-3f,
             .augmentation =
                 Augmentation{.rotation = 8, .shift = 0.7f, .scale = 0.08f, .shear = 8, .elastic_alpha = 15},
             .prepare = prepared},
            [](float rate, std::size_t steps) {
              return Adam{.learning_rate = OneCycle{.peak = rate, .total_steps = steps}};
            });
      });
}
