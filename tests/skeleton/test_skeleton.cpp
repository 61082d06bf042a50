// What examples/skeleton has to copy: gradients, values, trainings, and what other parts learn from settings.
#include <array>
#include <cmath>
#include <digitnet/digitnet.hpp>
#include <digitnet/testing/gradient_check.hpp>

#include "skeleton/activation.hpp"
#include "skeleton/layer.hpp"
#include "skeleton/optimizer.hpp"
#include "support/support.hpp"

using namespace digitnet;
using namespace digitnet::skeleton;

TEST_CASE("the activation") {
  CHECK(testing::check_gradients<Swish, Shape<5, 3>>({.beta = 1.5f}) <= 1e-6);
  Sequential<Input<3>, Swish> model{Seed{1}};
  const Matrix x{{-2, 0, 3}};
  const auto swish = [](double z) { return z / (1 + std::exp(-z)); };
  support::check_close(model.predict(x), std::array{swish(-2), 0.0, swish(3)}, 1e-6);
  CHECK(describe(Sequential{Input<3>{}, Swish{.beta = 2}}).layers.front().text() == "Swish (beta 2)");
}

TEST_CASE("the layer") {
  CHECK(testing::check_gradients<LayerScale, Shape<4, 3>>() <= 1e-6);
  CHECK(testing::check_gradients<LayerScale, Shape<3, 2, 5>>({}, {.samples = 7}) <= 1e-6);
  auto model = Sequential{Input<2, 2>{}, LayerScale{}, Flatten{}};
  CHECK(model.parameter("layer_scale/gamma")(1) == 1e-5f);
  model.parameter("layer_scale/gamma")(1) = 2;
  model.parameter("layer_scale/gamma")(0) = -1;
  const xt::xtensor<float, 3> x{{{1, 2}, {3, 4}}};
  support::check_close(model.predict(x), std::array{-1, 4, -3, 8}, 0);
}

TEST_CASE("the optimizer") {
  using Vector = simd::Vector<float>;
  Signum{.momentum = 0.5f}.with_formula(1, 0.25f, [](const auto& formula) {
    std::array<Vector, 1> state{Vector(0.0f)};
    Vector weight(1.0f);
    const auto step = [&](float gradient) {
      weight = formula(weight, Vector(gradient), state);
      return simd::add_lanes<Vector::arch_type>(weight) / static_cast<float>(simd::width<float>);
    };
    CHECK(step(0) == 1);
    CHECK(step(3) == 0.75f);
    // The mean, 1.5 / 2 - 0.5 / 2, is still above 0, and then below it.
    CHECK(step(-0.5f) == 0.5f);
    CHECK(step(-4) == 0.75f);
  });
  CHECK_ERROR("Signum's momentum must be at least 0 and below 1, but is 1",
              (Trainer{*std::make_unique<Sequential<Input<2>, Dense<2>, Softmax>>(Seed{1}),
                       Signum{.momentum = 1}, CategoricalCrossentropy{}}));
}

TEST_CASE("all three train, and go on from a checkpoint to the same bits") {
  const Dataset train = synthetic_digits(600, Seed{1});
  const auto make = [] {
    return Sequential{Seed{3}, Input<28, 28, 1>{}, Conv2D<4, 5, 3>{}, LayerScale{.gamma_initializer = Ones{}},
                      Swish{}, Flatten{},          Dense<10>{},       Softmax{}};
  };
  const Signum signum{.learning_rate = 3e-3f};
  const FitOptions options{.epochs = 4, .verbose = Verbose::silent};
  auto model = make();
  Trainer trainer{model, signum, CategoricalCrossentropy{}};
  const History history = trainer.fit(train, options);
  CHECK(history.epochs.back().loss < history.epochs.front().loss / 2);
  CHECK(history.epochs.back().accuracy > 0.8);

  const support::Folder folder;
  auto half = make();
  Trainer first{half, signum, CategoricalCrossentropy{}};
  first.fit(train, {.epochs = 2, .verbose = Verbose::silent});
  first.save(folder / "checkpoint");
  auto rest = make();
  Trainer second{rest, signum, CategoricalCrossentropy{}};
  second.resume(folder / "checkpoint");
  second.fit(train, {.epochs = 4, .initial_epoch = 2, .verbose = Verbose::silent});
  CHECK(std::equal(model.parameters().begin(), model.parameters().end(), rest.parameters().begin()));
}
