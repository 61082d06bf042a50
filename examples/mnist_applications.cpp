// Trains one of the networks of digitnet/applications on MNIST or Fashion-MNIST.
#include <digitnet/applications/lenet5.hpp>
#include <digitnet/applications/mobilenet.hpp>
#include <digitnet/applications/resnet.hpp>
#include <digitnet/digitnet.hpp>
#include <digitnet/model/precision.hpp>
#include <iostream>

#include "support/parameter_files.hpp"
#include "support/results.hpp"

using namespace digitnet;

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
  const auto defaults = [](const char* model) {
    return program::ModelDefaults{.model = model, .epochs = 10, .batch_size = 128, .learning_rate = 4e-3f};
  };
  return program::run(
      argc, argv, "Trains LeNet-5, ResNet-20 or MobileNet.",
      {defaults("lenet5"), defaults("resnet20"), defaults("mobilenet")}, [](const program::Flags& flags) {
        const auto adam = [&](std::size_t steps) {
          return Adam{.learning_rate =
                          OneCycle{.peak = flags.learning_rate, .total_steps = steps, .rising_part = 0.1f}};
        };
        const Seed seed{flags.seed};
        if (flags.model == "resnet20") return train(flags, applications::ResNet<>(seed), adam);
        if (flags.model == "mobilenet") return train(flags, applications::MobileNet<>(seed), adam);
        return train(flags, applications::LeNet5<>(seed), adam);
      });
}
