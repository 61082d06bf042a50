// A training of ResNet-20, whose names symbols.sh reads.
#include <digitnet/applications/resnet.hpp>
#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/trainer.hpp>

using namespace digitnet;

int main() {
  applications::ResNet<> model{Seed{1}};
  Trainer trainer{model, SGD{}, CategoricalCrossentropy{}};
  trainer.fit(synthetic_digits(64, Seed{1}), {.epochs = 1, .verbose = Verbose::silent});
}
