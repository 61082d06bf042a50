// Trains one of the networks of digitnet/applications on MNIST or Fashion-MNIST.
#include <digitnet/applications/lenet5.hpp>
#include <digitnet/applications/mobilenet.hpp>
#include <digitnet/applications/resnet.hpp>
#include <digitnet/digitnet.hpp>

#include "support/program.hpp"

using namespace digitnet;

int main(int argc, char** argv) {
  return program::run(
      argc, argv, "Trains LeNet-5, ResNet-20 or MobileNet.", {"lenet5", "resnet20", "mobilenet"},
      [](const program::Settings& settings) {
        const auto adam = [](float rate, std::size_t steps) {
          return Adam{.learning_rate = OneCycle{.peak = rate, .total_steps = steps, .rising_part = 0.1f}};
        };
        const program::Defaults defaults{.epochs = 10, .batch_size = 128, .learning_rate = 4e-3f};
        const Seed seed{settings.seed};
        if (settings.model == "resnet20")
          return program::train(settings, applications::ResNet<>(seed), defaults, adam);
        if (settings.model == "mobilenet")
          return program::train(settings, applications::MobileNet<>(seed), defaults, adam);
        return program::train(settings, applications::LeNet5<>(seed), defaults, adam);
      });
}
