// Trains a convolutional network on MNIST: data, model, trainer, fit and report, from top to bottom. Only the
// flags and the files that they name come from support/.
#include <digitnet/digitnet.hpp>
#include <digitnet/model/precision.hpp>
#include <iostream>

#include "support/parameter_files.hpp"
#include "support/results.hpp"

using namespace digitnet;

// The network of the Keras tutorials.
using SeedCnn = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                           MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;
static_assert(SeedCnn::parameter_count == 121'930);

// The same with more units, and with dropout against overfitting.
auto cnn(Seed seed) {
  return Sequential{
      seed,          Input<28, 28, 1>{}, Conv2D<32, 3>{}, ReLU{},    MaxPooling2D<2>{}, Conv2D<64, 3>{},
      ReLU{},        MaxPooling2D<2>{},  Dropout{0.25f},  Flatten{}, Dense<128>{},      ReLU{},
      Dropout{0.5f}, Dense<10>{},        Softmax{}};
}

template <class Model, class MakeOptimizer>
int train_and_report(const program::Flags& flags, Model model, const MakeOptimizer& make_optimizer) {
  // Data: MNIST, or what --dataset says.
  const program::Data data = program::load_data(flags);
  const std::size_t steps_per_epoch = data.train.size() / flags.batch_size + 1;

  // Model: its parameters are drawn by the seed, or come from a file.
  if (!flags.load_path.empty())
    program::load_parameters(describe(model), model.parameters(), flags.load_path);
  if (!flags.quiet) std::cout << model.summary(flags.model);

  // Trainer
  Trainer trainer{
      model, make_optimizer(flags.epochs * steps_per_epoch), CategoricalCrossentropy{},
      TrainerOptions{.threads = flags.threads, .seed = Seed{flags.seed}, .communicator = flags.communicator}};

  // fit
  const std::vector<CallbackHandle> callbacks = program::callbacks(flags);
  History history;
  if (flags.trains)
    history = trainer.fit(data.train, {.epochs = flags.epochs,
                                       .batch_size = flags.batch_size,
                                       .validation_split = flags.validation_split,
                                       .callbacks = callbacks,
                                       .verbose = flags.verbose()});
  if (history.diverged) fail("The training has diverged: nothing is saved or reported");
  if (!flags.save_path.empty())
    program::save_parameters(describe(model), model.parameters(), flags.save_path);

  // Report
  const Evaluation test = trainer.evaluate(data.test);
  const Matrix scores = model.predict(data.test.images);
  const Labels answers = classes_of(scores);
  const ConfusionMatrix counts = confusion_matrix(data.test.labels, answers, 10);
  std::cout << "\nTest: loss " << test.loss << ", accuracy "
            << percent_with_error(test.accuracy, answers.size()) << " (" << data.name << ", "
            << answers.size() << " images)\n\n"
            << classification_report(data.test.labels, answers, data.class_names) << "\n"
            << (flags.color ? terminal_confusion_matrix(counts, data.class_names) : confusion_table(counts))
            << std::flush;
  return program::write_results(flags, data, model, history, test, scores);
}

template <class Model, class MakeOptimizer>
int train(const program::Flags& flags, const Model& model, const MakeOptimizer& make_optimizer) {
  if (flags.precision == "bfloat16")
    return train_and_report(flags, with_precision<Precision::bfloat16>(model), make_optimizer);
  return train_and_report(flags, model, make_optimizer);
}

int main(int argc, char** argv) {
  return program::run(argc, argv, "Trains a CNN on images of digits.",
                      {{.model = "cnn", .epochs = 12, .batch_size = 64, .learning_rate = 3e-3f},
                       {.model = "seed", .epochs = 5, .batch_size = 32, .learning_rate = 1e-3f}},
                      [](const program::Flags& flags) {
                        const float rate = flags.learning_rate;
                        if (flags.model == "seed")
                          return train(flags, SeedCnn{Seed{flags.seed}},
                                       [&](auto) { return Adam{.learning_rate = rate}; });
                        // The rate rises and falls once.
                        return train(flags, cnn(Seed{flags.seed}), [&](std::size_t steps) {
                          return Adam{.learning_rate = OneCycle{.peak = rate, .total_steps = steps}};
                        });
                      });
}
