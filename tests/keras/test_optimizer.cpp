// What optimizers keep beside their slots, in Keras' files and checkpoints.
#include <digitnet/digitnet.hpp>
#include <digitnet/keras/keras.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

using Line = Sequential<Input<3>, Dense<2>>;

template <class Trainer>
void train(Trainer& trainer, std::size_t epochs) {
  Matrix x = Matrix::from_shape({4, 3}), y = Matrix::from_shape({4, 2});
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i % 5) / 4 - 0.5f;
  for (std::size_t i = 0; i < y.size(); ++i) y.data()[i] = static_cast<float>(i % 3);
  trainer.fit(x, y, {.epochs = epochs, .batch_size = 4, .shuffle = false, .verbose = Verbose::silent});
}
// What a training that goes on from a file differs by, after two more steps, from one that never stopped.
float difference_after(const std::string& path, Nadam nadam, Nadam of_file = {}) {
  Line model{Seed{1}}, other{Seed{2}};
  Trainer trainer{model, nadam, MeanSquaredError{}}, again{other, of_file, MeanSquaredError{}};
  train(trainer, 3);
  if (path.ends_with("checkpoint")) {
    trainer.save(path);
    again.resume(path);
  } else {
    save_keras(trainer, path);
    load_keras(again, path);
  }
  train(trainer, 2);
  train(again, 2);
  float largest = 0;
  for (std::size_t i = 0; i < model.parameters().size(); ++i)
    largest = std::max(largest, std::abs(model.parameters()[i] - other.parameters()[i]));
  return largest;
}

}  // namespace

TEST_CASE("Nadam goes on bit for bit, with the product of momenta that its steps give") {
  const support::Folder folder;
  for (const char* name : {"a.keras", "a.h5", "a.checkpoint"}) {
    CAPTURE(name);
    CHECK(difference_after(folder / name, Nadam{.learning_rate = 0.01f}) == 0);
  }
}

TEST_CASE("Nadam goes on with a product that its steps do not give, as Keras' own after a file without it") {
  const support::Folder folder;
  Nadam other{.learning_rate = 0.01f};
  other.known_product = {2, 0.75};
  CHECK(difference_after(folder / "a.checkpoint", other) == 0);
  for (const char* name : {"a.keras", "a.h5"}) {
    CAPTURE(name);
    // Keras keeps the product as a float32.
    CHECK(difference_after(folder / name, other) < 1e-6f);
  }
  // It is not what the steps alone make of it.
  Line model{Seed{1}}, usual{Seed{1}};
  Trainer a{model, other, MeanSquaredError{}}, b{usual, Nadam{.learning_rate = 0.01f}, MeanSquaredError{}};
  train(a, 3);
  train(b, 3);
  CHECK(std::abs(model.parameters()[0] - usual.parameters()[0]) > 1e-4f);
}

TEST_CASE("the file's last variable is the product") {
  const support::Folder folder;
  Line model{Seed{1}};
  Trainer trainer{model, Nadam{}, MeanSquaredError{}};
  train(trainer, 2);
  save_keras(trainer, folder / "a.keras");
  const keras::FileOptimizer optimizer = keras::open_optimizer(folder / "a.keras");
  REQUIRE(optimizer.scalars.size() == 1);
  const double first = 0.9 * (1 - 0.5 * 0.96), second = 0.9 * (1 - 0.5 * 0.96 * 0.96);
  CHECK(optimizer.scalars[0] == doctest::Approx(first * second));
  CHECK(optimizer.slots.size() == 4);
}
