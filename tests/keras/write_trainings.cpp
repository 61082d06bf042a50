// Writes trainings as Keras' files, with each optimizer and each loss, and what they do next.
//   write_trainings FOLDER
#include <digitnet/core/atomic_file.hpp>
#include <digitnet/digitnet.hpp>
#include <digitnet/keras/keras.hpp>
#include <iostream>
#include <string>
#include <vector>

using namespace digitnet;

namespace {

using Line = Sequential<Input<4>, Dense<3>>;
using Classifier = Sequential<Input<4>, Dense<3>, Softmax>;
using Branches = Sequential<Input<4>, Residual<Dense<5>, Tanh, Dense<4>>, LayerNormalization,
                            Parallel<Concatenate, Dense<2>, Sequential<Dense<4>, ReLU>>, Dense<3>>;

Matrix numbers(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  Matrix result = Matrix::from_shape({rows, columns});
  Random random(Seed{seed});
  for (float& value : result) value = static_cast<float>(random.uniform(-1, 1));
  return result;
}

void write(const std::string& path, std::span<const float> values) {
  AtomicFile file(path);
  file.write(values.data(), values.size_bytes());
  file.commit();
}

// Each epoch is one step of all samples, in their order.
template <class Model, class Optimizer, class Loss>
void write_training(const std::string& path, Model model, Optimizer optimizer, Loss loss,
                    const Matrix& targets) {
  const Matrix x = numbers(8, Model::InputShape::size, 1);
  Trainer trainer{model, optimizer, loss, {.seed = Seed{3}}};
  const auto train = [&](std::size_t epochs) {
    trainer.fit(x, targets,
                {.epochs = epochs, .batch_size = 8, .shuffle = false, .verbose = Verbose::silent});
  };
  train(3);
  save_keras(trainer, path + ".keras");
  save_keras(trainer, path + ".h5");
  trainer.save(path + ".checkpoint");
  const Matrix y = model.predict(x);
  write(path + ".input", {x.data(), x.size()});
  write(path + ".output", {y.data(), y.size()});
  write(path + ".target", {targets.data(), targets.size()});
  const auto value = static_cast<float>(trainer.evaluate(DataView(x, targets)).loss);
  write(path + ".loss", {&value, 1});
  train(1);
  std::vector<float> next;
  model.for_each_parameter([&](const ParameterInfo& info) {
    const float* const from = std::as_const(model).parameters().data() + info.offset;
    next.insert(next.end(), from, from + info.size());
  });
  write(path + ".next", next);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const std::string folder = std::string(argv[1]) + "/";
    const Matrix wanted = numbers(8, 3, 2);
    const auto optimizer = [&](const char* name, auto settings) {
      write_training(folder + "optimizer_" + name, Line{Seed{5}}, settings, MeanSquaredError{}, wanted);
    };
    optimizer("sgd", SGD{.learning_rate = 0.05f});
    optimizer("sgd_momentum", SGD{.learning_rate = 0.05f, .momentum = 0.9f, .clipvalue = 0.25f});
    optimizer("sgd_nesterov",
              SGD{.learning_rate = 0.05f, .momentum = 0.8f, .nesterov = true, .weight_decay = 0.1f});
    optimizer("rmsprop", RMSprop{.rho = 0.8f});
    optimizer("rmsprop_momentum", RMSprop{.momentum = 0.7f});
    optimizer("rmsprop_centered", RMSprop{.epsilon = 1e-3f, .centered = true});
    optimizer("rmsprop_all", RMSprop{.momentum = 0.6f, .centered = true});
    optimizer("adagrad", Adagrad{.learning_rate = 0.1f, .initial_accumulator_value = 0.2f});
    optimizer("adam", Adam{.learning_rate = 0.01f, .clipnorm = 0.5f});
    optimizer("adam_schedule", Adam{.learning_rate = ExponentialDecay{0.02f, 2, 0.5f}, .beta_1 = 0.8f});
    optimizer("amsgrad", Adam{.learning_rate = 0.01f, .beta_2 = 0.5f, .amsgrad = true});
    optimizer("adamw", AdamW{.learning_rate = 0.01f, .weight_decay = 0.25f, .global_clipnorm = 0.3f});
    optimizer("adamw_undecayed", AdamW{.learning_rate = 0.01f, .weight_decay = 0, .amsgrad = true});
    optimizer("nadam", Nadam{.learning_rate = 0.01f});
    optimizer("lion", Lion{.learning_rate = 0.01f, .beta_1 = 0.8f});

    Matrix classes = Matrix::from_shape({8, 3});
    for (std::size_t i = 0; i < classes.size(); ++i) classes.data()[i] = i % 3 == i / 3 % 3 ? 1.0f : 0.0f;
    const auto loss = [&](const char* name, auto settings, const Matrix& targets) {
      write_training(folder + "loss_" + name, Line{Seed{6}}, Adam{}, settings, targets);
    };
    loss("categorical_logits", CategoricalCrossentropy{.from_logits = true, .label_smoothing = 0.2f},
         classes);
    loss("binary_logits", BinaryCrossentropy{.from_logits = true, .label_smoothing = 0.1f}, classes);
    loss("absolute", MeanAbsoluteError{}, wanted);
    loss("huber", Huber{}, wanted);
    loss("huber_delta", Huber{.delta = 0.125f}, wanted);
    // Penalties are part of the loss.
    write_training(folder + "loss_regularized",
                   Line{Seed{6}, Input<4>{},
                        Dense<3>{.kernel_regularizer = L1L2{0.1f, 0.3f}, .bias_regularizer = L2{0.5f}}},
                   Adam{.learning_rate = 0.01f}, MeanSquaredError{}, wanted);
    write_training(folder + "loss_categorical", Classifier{Seed{7}}, Adam{}, CategoricalCrossentropy{},
                   classes);
    write_training(folder + "loss_categorical_smooth", Classifier{Seed{7}}, Adam{},
                   CategoricalCrossentropy{.label_smoothing = 0.3f}, classes);
    write_training(folder + "branches_amsgrad", Branches{Seed{8}},
                   Adam{.learning_rate = 0.01f, .amsgrad = true}, MeanSquaredError{}, wanted);
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
