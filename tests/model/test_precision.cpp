#include <algorithm>
#include <cmath>
#include <digitnet/digitnet.hpp>
#include <digitnet/model/precision.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

using Net = Sequential<Input<28, 28, 1>, Conv2D<8, 3>, ReLU, MaxPooling2D<2>,
                       Residual<Conv2D<8, 1>, BatchNormalization, ReLU>,
                       Parallel<Concatenate, Conv2D<6, 1>, Sequential<Conv2D<4, 3, 1, same>, ReLU>>, Flatten,
                       Dense<24>, ReLU, Dense<10>, Softmax>;
using Mixed = WithPrecision<Net, Precision::bfloat16>;

template <class Model>
Model trained(const Dataset& data, std::size_t threads) {
  Model model{Seed{4}};
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}, {.threads = threads}};
  trainer.fit(data, {.epochs = 2, .batch_size = 50, .verbose = Verbose::silent});
  return model;
}

}  // namespace

static_assert(std::is_same_v<WithPrecision<Net, Precision::float32>, Net>);
static_assert(
    std::is_same_v<
        Mixed,
        Sequential<Input<28, 28, 1>, Conv2D<8, 3>, ReLU, MaxPooling2D<2>,
                   Residual<Bfloat16<Conv2D<8, 1>>, BatchNormalization, ReLU>,
                   Parallel<Concatenate, Bfloat16<Conv2D<6, 1>>, Sequential<Conv2D<4, 3, 1, same>, ReLU>>,
                   Flatten, Bfloat16<Dense<24>>, ReLU, Bfloat16<Dense<10>>, Softmax>>);

TEST_CASE("a model in bfloat16 has the names, the parameters and nearly the answers of itself in float32") {
  const Net net{Seed{2}};
  const Mixed mixed = with_precision<Precision::bfloat16>(net);
  CHECK(std::ranges::equal(mixed.parameters(), net.parameters()));
  CHECK(mixed.summary() == net.summary());
  const Mixed fresh{Seed{2}};
  CHECK(std::ranges::equal(fresh.parameters(), net.parameters()));

  const Dataset digits = synthetic_digits(40, Seed{1});
  const Matrix answers = mixed.predict(digits.images), exact = net.predict(digits.images);
  double difference = 0;
  for (std::size_t i = 0; i < answers.size(); ++i)
    difference = std::max(difference, std::abs(double{answers.data()[i]} - exact.data()[i]));
  CHECK(difference > 0);
  CHECK(difference < 0.02);
  // A few samples are predicted without packed parameters, to the same bits.
  const WithPrecision<Sequential<Input<784>, Dense<40>, Tanh, Dense<10>>, Precision::bfloat16> dense{Seed{3}};
  const Matrix many = dense.predict(digits.images), few = dense.predict(slice(digits, 0, 3).images);
  CHECK(std::equal(few.begin(), few.end(), many.begin()));
}

TEST_CASE("layers keep their values in another precision") {
  const Sequential net{Seed{1}, Input<6>{}, Dropout{0.25f}, Dense<5>{.bias_initializer = Constant{3}},
                       Residual{Dense<5>{}, Dropout{0.75f}}};
  const auto mixed = with_precision<Precision::bfloat16>(net);
  const auto& layers = mixed.body().layers;
  CHECK(std::get<0>(layers).rate == 0.25f);
  CHECK(std::get<1>(std::get<2>(layers).body.layers).rate == 0.75f);
  CHECK(mixed.parameter("dense/bias")(4) == 3.0f);
  // What one has written, the other reads.
  const support::Folder folder;
  save_safetensors(mixed, folder / "model.safetensors");
  auto read =
      Sequential{Seed{9}, Input<6>{}, Dropout{0.25f}, Dense<5>{}, Residual{Dense<5>{}, Dropout{0.75f}}};
  load_safetensors(read, folder / "model.safetensors");
  CHECK(std::ranges::equal(read.parameters(), net.parameters()));
}

TEST_CASE("trained in bfloat16: the same bits on any number of threads, and as good a model") {
  const Dataset digits = synthetic_digits(600, Seed{1}), fresh = synthetic_digits(300, Seed{2});
  const Mixed one = trained<Mixed>(digits, 1), three = trained<Mixed>(digits, 3);
  CHECK(std::ranges::equal(one.parameters(), three.parameters()));
  const Net exact = trained<Net>(digits, 2);
  const auto accuracy_of = [&](const auto& model) {
    return accuracy(fresh.labels, model.predict_classes(fresh.images));
  };
  CHECK(accuracy_of(one) > accuracy_of(exact) - 0.05);
}
