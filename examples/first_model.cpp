// A first model: which of two moons does a point belong to?
#include <cmath>
#include <cstdio>
#include <digitnet/digitnet.hpp>

using namespace digitnet;

int main() {
  Matrix points(std::array<std::size_t, 2>{400, 2});
  Labels moons(std::array<std::size_t, 1>{400});
  Random random(Seed{1});
  for (std::size_t i = 0; i < moons.size(); ++i) {
    const double angle = random.uniform(0, 3.14159), side = i % 2 == 0 ? 1 : -1;
    points(i, 0) = static_cast<float>(side * (std::cos(angle) - 0.5) + 0.1 * random.normal());
    points(i, 1) = static_cast<float>(side * (std::sin(angle) - 0.25) + 0.1 * random.normal());
    moons(i) = i % 2;
  }

  Sequential<Input<2>, Dense<16>, Tanh, Dense<2>, Softmax> model{Seed{42}};
  std::puts(model.summary().c_str());
  Trainer trainer{model, Adam{.learning_rate = 0.02f}, CategoricalCrossentropy{}};
  trainer.fit(points, moons, {.epochs = 50, .verbose = Verbose::silent});
  std::printf("%.1f %% of the points are on the right moon\n",
              100 * accuracy(moons, model.predict_classes(points)));
}
