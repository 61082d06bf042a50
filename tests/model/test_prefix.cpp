// A model's first layers, as a model.
#include <digitnet/digitnet.hpp>
#include <digitnet/model/prefix.hpp>

#include "io/every_layer.hpp"
#include "support/support.hpp"

using namespace digitnet;

TEST_CASE("a prefix gives what the model's layer gives") {
  const auto model = networks::branches(7);
  const Matrix x = networks::samples_for(model, 3);
  // The whole model is its longest prefix.
  const Matrix whole = prefix<decltype(model)::layer_count>(model).predict(x);
  CHECK(whole == model.predict(x));
  // The rest of the model, run on the prefix's answers, ends where the model ends.
  const auto head = networks::ann(2);
  Sequential rest{Input<16>{}, ReLU{}, Dropout{0.2f}, Dense<10>{}, Softmax{}};
  const auto first = prefix<1>(head);
  std::copy(head.parameters().begin() + first.arena_size, head.parameters().end(), rest.parameters().begin());
  const Matrix samples = networks::samples_for(head, 5);
  support::check_close(rest.predict(first.predict(samples)), head.predict(samples), 1e-6);
}

TEST_CASE("a prefix keeps the values of layers, and its parameters are its own") {
  auto model = Sequential{Seed{5}, Input<4>{}, Rescaling{3.0f, -1.0f}, Dense<2>{}, Softmax{}};
  auto first = prefix<2>(model);
  const Matrix x{{1, 2, 3, 4}};
  const Matrix before = first.predict(x);
  for (std::size_t unit = 0; unit < 2; ++unit) {
    float expected = model.parameter("dense/bias")(unit);
    for (std::size_t i = 0; i < 4; ++i)
      expected += (3 * x(0, i) - 1) * model.parameter("dense/kernel")(i, unit);
    CHECK(before(0, unit) == doctest::Approx(expected).epsilon(1e-5));
  }
  std::fill(model.parameters().begin(), model.parameters().end(), 0.0f);
  CHECK(first.predict(x) == before);
}
