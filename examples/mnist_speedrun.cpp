// How soon does the CNN of the Keras tutorials read 99 % of MNIST's test images? One pass over the training
// images, with Adam and a learning rate that rises and falls once. The settings were chosen on the last
// 10,000 training images
// (--validate measures them there); the clock runs from the first step to the last.
//   mnist_speedrun [--validate] [--report FOLDER] [SEEDS]
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <digitnet/digitnet.hpp>

#include "support/results.hpp"

using namespace digitnet;

using Cnn = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                       MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;

namespace {

// Of the first seed.
void write_report(const std::string& folder, const Cnn& model, const TrainTest& data, const History& history,
                  const Evaluation& evaluation) {
  program::write_results({.model = "cnn",
                          .epochs = 1,
                          .batch_size = 32,
                          .learning_rate = 5e-3f,
                          .seed = 1,
                          .report_folder = folder,
                          .command = "mnist_speedrun --report " + folder},
                         {data, "mnist"}, model, history, evaluation, model.predict(data.test.images));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    bool validate = false;
    std::string folder;
    unsigned long seeds = 5;
    for (int i = 1; i < argc; ++i) {
      if (std::strcmp(argv[i], "--validate") == 0)
        validate = true;
      else if (std::strcmp(argv[i], "--report") == 0 && i + 1 < argc)
        folder = argv[++i];
      else if (seeds = parse_number<unsigned long>(argv[i]).value_or(0); seeds == 0 || seeds > 1'000'000)
        fail("usage: mnist_speedrun [--validate] [--report FOLDER] [SEEDS]");
    }
    const TrainTest mnist = datasets::mnist();
    const Dataset train = validate ? mnist.train.slice(0, 50000) : mnist.train;
    const Dataset test = validate ? mnist.train.slice(50000, 10000) : mnist.test;

    double sum = 0, squares = 0, seconds = 0;
    for (unsigned long seed = 1; seed <= seeds; ++seed) {
      constexpr std::size_t batch = 32;
      Cnn model{Seed{seed}};
      const OneCycle rate{.peak = 5e-3f,
                          .total_steps = (train.size() + batch - 1) / batch,
                          .rising_part = 0.15f,
                          .initial_division = 10,
                          .linear = true};
      Trainer trainer{model, Adam{.learning_rate = rate}, CategoricalCrossentropy{}, {.seed = Seed{seed}}};
      const History history = trainer.fit(train, {.batch_size = batch, .verbose = Verbose::silent});
      const Evaluation evaluation = trainer.evaluate(test);
      const double accuracy = 100 * evaluation.accuracy;
      if (!folder.empty() && seed == 1) write_report(folder, model, {train, test}, history, evaluation);
      std::printf("seed %lu: %.2f %% of %zu images after %.2f s\n", seed, accuracy, test.size(),
                  history.train_seconds());
      sum += accuracy;
      squares += accuracy * accuracy;
      seconds += history.train_seconds();
    }
    const auto count = static_cast<double>(seeds);
    const double mean = sum / count;
    const double deviation =
        seeds > 1 ? std::sqrt(std::max(0.0, (squares - count * mean * mean) / (count - 1))) : 0;
    std::printf("mean of %lu seeds: %.3f +- %.3f %% (standard error %.3f) after %.2f s\n", seeds, mean,
                deviation, deviation / std::sqrt(count), seconds / count);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
