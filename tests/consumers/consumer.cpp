#include <cstdio>
#include <digitnet/digitnet.hpp>
#include <typeinfo>

#if defined(WANTS_COMPILED) && DIGITNET_BODIES
#error "digitnet::compiled does not say that it has the bodies"
#endif

using namespace digitnet;

int main() {
  // Also where digitnet::compiled is compiled for another processor than this program.
  if (class_name(typeid(ExponentialMovingAverage)) != "ExponentialMovingAverage") return 2;
  const Dataset train = synthetic_digits(500, Seed{1});
  Sequential<Input<784>, Dense<32>, ReLU, Dense<10>, Softmax> model{Seed{42}};
  Trainer trainer{model, Adam{.learning_rate = 3e-3f}, CategoricalCrossentropy{}};
  const History history = trainer.fit(train, {.epochs = 5, .verbose = Verbose::silent});
  std::printf("accuracy %.3f\n", history.epochs.back().accuracy);
  return history.epochs.back().accuracy > 0.8 ? 0 : 1;
}
