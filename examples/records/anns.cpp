#include "record.hpp"

namespace records {

namespace {

auto ann(Seed seed, float drop_input, float drop) {
  return Sequential{seed,
                    Input<784>{},
                    Dropout{drop_input},
                    Dense<1024, no_bias>{},
                    BatchNormalization{},
                    ReLU{},
                    Dropout{drop},
                    Dense<1024, no_bias>{},
                    BatchNormalization{},
                    ReLU{},
                    Dropout{drop},
                    Dense<10>{},
                    Softmax{}};
}

}  // namespace

void measure_anns(const Options& options, const std::string& wanted, std::vector<Line>& table) {
  using Linear = Sequential<Input<784>, Dense<10>, Sigmoid>;
  using Small = Sequential<Input<784>, Dense<100>, ReLU, Dense<10>, Sigmoid>;
  measure<Method::adam>(
      options, wanted, table,
      {.name = "linear", .network = "784-10, sigmoid", .epochs = 5, .batch_size = 32, .learning_rate = 1e-3f},
      [](Seed seed) { return Linear(seed); });
  measure<Method::sgd>(
      options, wanted, table,
      {.name = "seed-ann", .network = "784-100-10", .epochs = 5, .batch_size = 32, .learning_rate = 1e-2f},
      [](Seed seed) { return Small(seed); });
  measure(options, wanted, table,
          {.name = "ann",
           .network = "784-1024-1024-10, dropout",
           .epochs = 40,
           .batch_size = 128,
           .learning_rate = 2e-3f},
          [](Seed seed) { return ann(seed, 0.2f, 0.5f); });
  measure(options, wanted, table,
          {.name = "ann-augmented",
           .network = "784-1024-1024-10, augmentation",
           .epochs = 60,
           .batch_size = 128,
           .learning_rate = 2e-3f,
           .average = 0.9995f,
           .augmentation = digits_vary},
          [](Seed seed) { return ann(seed, 0.0f, 0.2f); });
}

}  // namespace records
