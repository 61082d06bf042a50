// The CNN whose parameters are in models/mnist_cnn.safetensors. They were made by
//   pretrained_cnn --threads 1 --save examples/models/mnist_cnn.safetensors
// which trains on MNIST, on MNIST as other pens, hands and scanners would have made it, and on synthetic
// digits of many writers (models/README.md says how well it reads which); and are read, tested and written in
// other formats by
//   pretrained_cnn --load examples/models/mnist_cnn.safetensors --save mnist_cnn.keras
#include "support/pretrained_cnn.hpp"

#include <digitnet/digitnet.hpp>
#include <iostream>

#include "support/parameter_files.hpp"
#include "support/results.hpp"
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

int train(const program::Flags& flags) {
  // Model: with so much variety, little dropout; its parameters are drawn by the seed, or come from a file.
  auto model = program::cnn_with_dropout(Seed{flags.seed}, 0.15f, 0.1f);
  static_assert(decltype(model)::parameter_count == 121'930);
  if (!flags.load_path.empty())
    program::load_parameters(describe(model), model.parameters(), flags.load_path);
  if (!flags.quiet) std::cout << model.summary(flags.model);

  // Data: MNIST, or what --dataset says, in many hands.
  program::Data data = program::load_data(flags);
  if (flags.trains) data.train = prepared(std::move(data.train));
  const std::size_t steps_per_epoch = data.train.size() / flags.batch_size + 1;

  // Trainer
  const OneCycle rate{.peak = flags.learning_rate, .total_steps = flags.epochs * steps_per_epoch};
  Trainer trainer{model, Adam{.learning_rate = rate}, CategoricalCrossentropy{},
                  TrainerOptions{.threads = flags.threads, .seed = Seed{flags.seed}}};

  // fit
  const std::vector<CallbackHandle> callbacks = program::callbacks(flags);
  const Augmentation variety{.rotation = 8, .shift = 0.7f, .scale = 0.08f, .shear = 8, .elastic_alpha = 15};
  History history;
  if (flags.trains)
    history = trainer.fit(data.train, {.epochs = flags.epochs,
                                       .batch_size = flags.batch_size,
                                       .validation_split = flags.validation_split,
                                       .augmentation = variety,
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

int main(int argc, char** argv) {
  return program::run(argc, argv, "Trains the bundled CNN on images of digits.",
                      {{.model = "cnn", .epochs = 30, .batch_size = 128, .learning_rate = 3e-3f}}, train);
}
