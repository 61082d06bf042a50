// A layer that the library does not have, written with xtensor expressions: PReLU, a ReLU whose negative
// slope is learnt.
#include <cstdio>
#include <digitnet/digitnet.hpp>
#include <digitnet/testing/gradient_check.hpp>

using namespace digitnet;

// Keras' PReLU: x where it is positive, else alpha * x, with an alpha for each element.
struct PReLU {
  static constexpr std::string_view class_name = "PReLU";
  Initializer alpha_initializer = Constant(0.25);

  template <class In>
  struct On : LayerDefaults {
    using Output = In;
    using Parameters = ParameterList<Parameter<"alpha", In, &PReLU::alpha_initializer>>;

    static void forward(const auto& io) {
      const auto x = io.x.array();
      auto y = io.y.array();
      y = xt::maximum(x, 0) + get<"alpha">(io.parameters).array() * xt::minimum(x, 0);
    }
    static void backward(const auto& io) {
      const auto x = io.x.array();
      const auto dy = io.dy.array();
      get<"alpha">(io.gradients).array() += xt::sum(dy * xt::minimum(x, 0), {0});
      if constexpr (std::decay_t<decltype(io)>::wants_dx) {
        auto dx = io.dx.array();
        dx = dy * xt::where(x > 0, xt::ones_like(x), get<"alpha">(io.parameters).array() + xt::zeros_like(x));
      }
    }
  };
};

int main() {
  const double error = testing::check_gradients<PReLU, Shape<4, 4, 3>>();
  std::printf("largest relative error of PReLU's gradients: %.1e\n", error);

  const Dataset train = synthetic_digits(4000, Seed{1}), test = synthetic_digits(1000, Seed{2});
  Sequential<Input<784>, Dense<64>, PReLU, Dense<10>, Softmax> model{Seed{42}};
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}};
  trainer.fit(train, {.epochs = 5, .validation = &test});
}
