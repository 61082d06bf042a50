#include <digitnet/layers/dense.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/parameter_stepper.hpp>

#include "reference/torch.hpp"
#include "support/support.hpp"

using namespace digitnet;

namespace {

using Eight = Sequential<Input<8>, Dense<1, no_bias>>;

// Eight parameters after the steps of the reference, their gradients spread over `shards` shards.
template <class Optimizer>
std::vector<float> stepped(const Optimizer& optimizer, std::size_t shards = 1, std::size_t threads = 1) {
  Eight model;
  for (std::size_t i = 0; i < 8; ++i)
    model.parameters()[i] = static_cast<float>(reference::optimizer_start[i]);
  ThreadTeam team(threads);
  ParameterStepper stepper(model);
  std::vector<Arena<float>> arenas(shards, Arena<float>(Eight::arena_size));
  std::vector<float*> pointers;
  for (auto& arena : arenas) pointers.push_back(arena.data());
  for (std::uint64_t step = 1; step <= 12; ++step) {
    for (std::size_t i = 0; i < 8; ++i)
      arenas[i % shards].data()[i] = static_cast<float>(reference::optimizer_gradients[(step - 1) * 8 + i]);
    stepper.step(team, optimizer, step, optimizer.learning_rate(step - 1), model.parameters(),
                 {.shards = pointers});
    for (const auto& arena : arenas)
      for (const float value : arena.span()) CHECK(value == 0);
  }
  for (std::size_t i = 8; i < Eight::arena_size; ++i) CHECK(model.parameters()[i] == 0);
  return {model.parameters().begin(), model.parameters().begin() + 8};
}

#define CHECK_OPTIMIZER(name, ...) support::check_close(stepped(__VA_ARGS__), reference::name##_end, 1e-6)

}  // namespace

TEST_CASE("optimizers equal PyTorch's") {
  CHECK_OPTIMIZER(sgd, SGD{.learning_rate = 0.01f});
  CHECK_OPTIMIZER(sgd_momentum, SGD{.learning_rate = 0.01f, .momentum = 0.9f});
  CHECK_OPTIMIZER(sgd_nesterov, SGD{.learning_rate = 0.01f, .momentum = 0.9f, .nesterov = true});
  CHECK_OPTIMIZER(rmsprop, RMSprop{.learning_rate = 0.001f, .epsilon = 1e-14f});
  CHECK_OPTIMIZER(rmsprop_centered,
                  RMSprop{.learning_rate = 0.001f, .momentum = 0.5f, .epsilon = 1e-14f, .centered = true});
  CHECK_OPTIMIZER(adagrad, Adagrad{.learning_rate = 0.01f, .epsilon = 1e-14f});
  CHECK_OPTIMIZER(adam, Adam{.learning_rate = 0.001f, .epsilon = 1e-8f});
  CHECK_OPTIMIZER(adam_amsgrad, Adam{.learning_rate = 0.001f, .epsilon = 1e-8f, .amsgrad = true});
  CHECK_OPTIMIZER(adamw, AdamW{.learning_rate = 0.001f, .weight_decay = 0.04f, .epsilon = 1e-8f});
  CHECK_OPTIMIZER(nadam, Nadam{.learning_rate = 0.002f, .epsilon = 1e-8f, .momentum_decay = 0.004f});
  CHECK_OPTIMIZER(lion, Lion{.learning_rate = 0.001f, .weight_decay = 0.1f});
}

TEST_CASE("clipping equals PyTorch's, by value, by norm and by the norm of everything") {
  CHECK_OPTIMIZER(sgd_clip_value, SGD{.learning_rate = 0.01f, .clipvalue = 0.5f});
  CHECK_OPTIMIZER(sgd_clip_norm, SGD{.learning_rate = 0.01f, .clipnorm = 1.5f});
  CHECK_OPTIMIZER(sgd_clip_norm, SGD{.learning_rate = 0.01f, .global_clipnorm = 1.5f});
}

TEST_CASE("RMSprop, centered, takes finite steps though the gradient stays the same") {
  using Vector = simd::Vector<float>;
  RMSprop{.centered = true}.with_formula(1, 1e-3f, [](const auto& formula) {
    for (const float gradient : {0.3f, 7.7f, 123.4f, 2345.6f, 34567.8f}) {
      std::array<Vector, std::remove_cvref_t<decltype(formula)>::slots> state{};
      state.fill(Vector(0.0f));
      Vector weight(1.0f);
      for (int step = 0; step < 1000; ++step) weight = formula(weight, Vector(gradient), state);
      CHECK(std::isfinite(simd::add_lanes<Vector::arch_type>(weight)));
    }
  });
}

TEST_CASE("neither shards nor threads change a step") {
  CHECK(stepped(Adam{}, 3) == stepped(Adam{}, 1));
  CHECK(stepped(Adam{}, 3, 3) == stepped(Adam{}, 1));
  CHECK(stepped(SGD{.clipnorm = 1}, 4, 2) == stepped(SGD{.clipnorm = 1}, 1));
}

TEST_CASE("L1 and L2 penalties reach the gradient and the loss") {
  auto model = Sequential{Input<2>{}, Dense<1>{.kernel_initializer = Constant(-2),
                                               .kernel_regularizer = L1L2(0.1f, 0.25f),
                                               .bias_regularizer = L2(1)}};
  model.parameter("dense/bias")(0) = 3;
  ThreadTeam team(1);
  ParameterStepper stepper(model);
  CHECK(stepper.penalty(model.parameters()) == doctest::Approx(0.1 * 4 + 0.25 * 8 + 9));
  for (const float clipnorm : {0.0f, 1e6f}) {
    auto copy = model;
    Arena<float> gradients(decltype(model)::arena_size);
    float* const shards[] = {gradients.data()};
    const double penalty =
        stepper.step(team, SGD{.clipnorm = clipnorm}, 1, 0.1f, copy.parameters(), {.shards = shards});
    CHECK(penalty == doctest::Approx(11.4));
    CHECK(copy.parameter("dense/kernel")(0, 0) == doctest::Approx(-2 - 0.1 * (-0.1 + 2 * 0.25 * -2)));
    CHECK(copy.parameter("dense/bias")(0) == doctest::Approx(3 - 0.1 * 6));
  }
}
