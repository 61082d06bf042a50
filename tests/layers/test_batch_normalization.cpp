#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/batch_normalization.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/initializers.hpp>
#include <digitnet/layers/input.hpp>
#include <digitnet/layers/layer_normalization.hpp>
#include <digitnet/layers/pooling.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/testing/gradient_check.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/trainer.hpp>

#include "reference/torch.hpp"
#include "support/support.hpp"

using namespace digitnet;
using testing::check_gradients;

namespace {

using Values = std::vector<double>;

// A loss whose gradient is given as the target.
struct Given {
  static constexpr bool classifies = false;
  template <class T>
  T operator()(std::size_t outputs, const T* output, const Target& target, T* gradient) const {
    T loss{0};
    for (std::size_t i = 0; i < outputs; ++i) {
      const T wanted = target.value<T>(i, outputs);
      loss += wanted * output[i];
      if (gradient) gradient[i] = wanted;
    }
    return loss;
  }
};

Matrix matrix(const Values& values, std::size_t samples, double factor = 1) {
  Matrix result = Matrix::from_shape({samples, values.size() / samples});
  for (std::size_t i = 0; i < values.size(); ++i) result.data()[i] = static_cast<float>(factor * values[i]);
  return result;
}

template <class Model>
std::vector<float> parameter(Model& model, const std::string& name) {
  const auto view = model.parameter(name);
  return {view.begin(), view.end()};
}

}  // namespace

TEST_CASE("gradients of BatchNormalization: many, few and odd numbers of channels, any rank") {
  CHECK(check_gradients<BatchNormalization, Shape<5>>({}, {.samples = 7}) <= 1e-6);
  CHECK(check_gradients<BatchNormalization, Shape<33>>({}, {.samples = 4}) <= 1e-6);
  CHECK(check_gradients<BatchNormalization, Shape<4, 3, 1>>() <= 1e-6);
  CHECK(check_gradients<BatchNormalization, Shape<3, 3, 4>>() <= 1e-6);
  CHECK(check_gradients<BatchNormalization, Shape<2, 3, 16>>() <= 1e-6);
  CHECK(check_gradients<BasicBatchNormalization<false, true>, Shape<3, 2>>() <= 1e-6);
  CHECK(check_gradients<BasicBatchNormalization<true, false>, Shape<3, 2>>() <= 1e-6);
  CHECK(check_gradients<BasicBatchNormalization<false, false>, Shape<3, 2>>() <= 1e-6);
}

TEST_CASE("gradients of chains with several of them, nested ones too") {
  using Block = Sequential<Dense<4>, BatchNormalization, Tanh>;
  CHECK(check_gradients<Sequential<Block, BatchNormalization, Dense<3>>, Shape<5>>({}, {.samples = 6}) <=
        1e-6);
  CHECK(check_gradients<Sequential<Conv2D<3, 3>, ReLU, BatchNormalization, MaxPooling2D<2>, Flatten, Block>,
                        Shape<6, 6, 2>>({}, {.samples = 5}) <= 1e-6);
}

TEST_CASE("two steps equal PyTorch's with 1, 2 and 3 threads, and then inference does") {
  using Model = Sequential<Input<2, 3, 3>, BatchNormalization>;
  constexpr std::size_t samples = 12;
  std::vector<float> first_threads;
  for (const std::size_t threads : {1, 2, 3}) {
    CAPTURE(threads);
    Model model{Seed{0}, Input<2, 3, 3>{}, BatchNormalization{.momentum = 0.75f}};
    const auto put = [&](const std::string& name, const Values& values) {
      auto view = model.parameter(name);
      for (std::size_t i = 0; i < values.size(); ++i) view(i) = static_cast<float>(values[i]);
    };
    put("batch_normalization/gamma", reference::batch_norm_gamma);
    put("batch_normalization/beta", reference::batch_norm_beta);
    Values gamma = reference::batch_norm_gamma, beta = reference::batch_norm_beta;
    Trainer trainer{model, SGD{.learning_rate = 1.0f}, Given{}, {.threads = threads}};
    const std::pair<Values, Values> steps[] = {{reference::batch_norm_x_0, reference::batch_norm_dy_0},
                                               {reference::batch_norm_x_1, reference::batch_norm_dy_1}};
    const std::pair<Values, Values> wanted[] = {
        {reference::batch_norm_d_gamma_0, reference::batch_norm_d_beta_0},
        {reference::batch_norm_d_gamma_1, reference::batch_norm_d_beta_1}};
    for (int step = 0; step < 2; ++step) {
      // The mean over the batch is the engine's, the sum the reference's.
      const Matrix x = matrix(steps[step].first, samples), dy = matrix(steps[step].second, samples, samples);
      trainer.fit(x, dy, {.batch_size = samples, .shuffle = false, .verbose = Verbose::silent});
      for (std::size_t c = 0; c < 3; ++c) {
        gamma[c] -= wanted[step].first[c];
        beta[c] -= wanted[step].second[c];
      }
      support::check_close(parameter(model, "batch_normalization/gamma"), gamma, 2e-6);
      support::check_close(parameter(model, "batch_normalization/beta"), beta, 2e-6);
      // Back, because the reference takes no steps.
      put("batch_normalization/gamma", reference::batch_norm_gamma);
      put("batch_normalization/beta", reference::batch_norm_beta);
      gamma = reference::batch_norm_gamma;
      beta = reference::batch_norm_beta;
    }
    support::check_close(parameter(model, "batch_normalization/moving_mean"),
                         reference::batch_norm_moving_mean, 1e-6);
    support::check_close(parameter(model, "batch_normalization/moving_variance"),
                         reference::batch_norm_moving_variance, 1e-6);
    const Matrix y = model.predict(matrix(reference::batch_norm_x_0, samples));
    support::check_close(y, reference::batch_norm_inference_y, 2e-6);
    const std::vector<float> all(model.parameters().begin(), model.parameters().end());
    if (threads == 1) first_threads = all;
    CHECK(all == first_threads);
  }
}

TEST_CASE("forward and dx equal PyTorch's") {
  const BatchNormalization layer;
  testing::detail::Bench<BatchNormalization, Shape<2, 3, 3>, float> bench{.layer = layer, .samples = 12};
  using Parameters = decltype(bench)::Parameters;
  const auto put = [](const Values& from, float* to) {
    std::transform(from.begin(), from.end(), to, [](double value) { return static_cast<float>(value); });
  };
  bench.parameters.fill(0);
  put(reference::batch_norm_x_0, bench.x.data());
  put(reference::batch_norm_gamma, bench.parameters.data());
  put(reference::batch_norm_beta, bench.parameters.data() + Parameters::offset(1));
  bench.forward(RandomKey{});
  support::check_close(std::vector<float>(bench.y.data(), bench.y.data() + bench.y.size()),
                       reference::batch_norm_y_0, 2e-6);
  put(reference::batch_norm_dy_0, bench.dy.data());
  bench.gradients.fill(0);
  bench.backward();
  support::check_close(std::vector<float>(bench.dx.data(), bench.dx.data() + bench.dx.size()),
                       reference::batch_norm_dx_0, 2e-6);
}

namespace {

// A layer's forward and backward in float beside the same sums in double, on numbers that float holds
// exactly, whose mean is `ratio` deviations from zero: the largest differences, as parts of the largest
// value.
struct Difference {
  double y, dx, d_gamma;
};
template <class Layer, class In>
Difference difference_in_float(double ratio, std::size_t samples) {
  const Layer layer{.epsilon = 1e-6f};
  testing::detail::Bench<Layer, In, float> bench{.layer = layer, .samples = samples};
  testing::detail::Bench<Layer, In, double> exact{.layer = layer, .samples = samples};
  Random random(Seed{1});
  const auto fill = [&](auto& in_float, auto& in_double, std::size_t count, double mean) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto value = static_cast<float>(mean + random.normal());
      in_float.data()[i] = value;
      in_double.data()[i] = value;
    }
  };
  fill(bench.x, exact.x, bench.x.size(), ratio);
  fill(bench.dy, exact.dy, bench.dy.size(), 0);
  bench.parameters.fill(0);
  exact.parameters.fill(0);
  fill(bench.parameters, exact.parameters, In::last, 1);  // gamma
  bench.gradients.fill(0);
  exact.gradients.fill(0);
  const auto largest = [](auto& in_float, auto& in_double, std::size_t count) {
    double difference = 0, size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      difference = std::max(difference, std::abs(in_float.data()[i] - in_double.data()[i]));
      size = std::max(size, std::abs(double{in_double.data()[i]}));
    }
    return difference / size;
  };
  bench.forward(RandomKey{});
  exact.forward(RandomKey{});
  const double y = largest(bench.y, exact.y, bench.y.size());
  bench.backward();
  exact.backward();
  return {y, largest(bench.dx, exact.dx, bench.dx.size()),
          largest(bench.gradients, exact.gradients, In::last)};
}

}  // namespace

TEST_CASE("a mean that is a million deviations from zero costs no precision, forward or backward") {
  const auto check = []<class Layer, class In>(std::size_t samples) {
    for (const double ratio : {0.0, 1e2, 1e4, -1e5, 1e6}) {
      CAPTURE(ratio);
      const Difference difference = difference_in_float<Layer, In>(ratio, samples);
      CHECK(difference.y < 1e-4);
      CHECK(difference.dx < 1e-4);
      CHECK(difference.d_gamma < 1e-4);
    }
  };
  check.operator()<BatchNormalization, Shape<5>>(64);
  check.operator()<BatchNormalization, Shape<7, 7, 16>>(8);
  check.operator()<BatchNormalization, Shape<9, 9, 3>>(5);
  check.operator()<BatchNormalization, Shape<300>>(20);
  check.operator()<LayerNormalization, Shape<300>>(5);
  check.operator()<LayerNormalization, Shape<3, 17>>(5);
}

TEST_CASE("numbers far from zero: the training, and inference after it") {
  for (const double mean : {1e4, 1e6}) {
    CAPTURE(mean);
    Sequential<Input<1>, BatchNormalization> model{Seed{1}};
    Matrix x = Matrix::from_shape({128, 1}), dy = Matrix::from_shape({128, 1});
    for (std::size_t i = 0; i < 128; ++i) {
      x(i, 0) = static_cast<float>(mean) + static_cast<float>(i % 2);
      dy(i, 0) = 0;
    }
    std::vector<float> parameters;
    for (const std::size_t threads : {1, 3}) {
      model = decltype(model){Seed{1}};
      Trainer trainer{model, SGD{}, Given{}, {.threads = threads}};
      trainer.fit(x, dy, {.epochs = 3000, .batch_size = 128, .verbose = Verbose::silent});
      if (threads == 1) parameters.assign(model.parameters().begin(), model.parameters().end());
      CHECK(parameters == std::vector<float>(model.parameters().begin(), model.parameters().end()));
    }
    CHECK(model.parameter("batch_normalization/moving_mean")(0) == static_cast<float>(mean + 0.5));
    CHECK(model.parameter("batch_normalization/moving_variance")(0) == doctest::Approx(0.25).epsilon(1e-5));
    const Matrix y = model.predict(x);
    for (std::size_t i = 0; i < 128; ++i)
      CHECK(y(i, 0) == doctest::Approx(i % 2 == 0 ? -0.998 : 0.998).epsilon(1e-3));
  }
}

TEST_CASE("a convolution far from zero is not folded") {
  Sequential<Input<4, 4, 1>, Conv2D<2, 1>, BatchNormalization> model{Seed{1}};
  model.parameter("conv2d/kernel").fill(1);
  model.parameter("batch_normalization/moving_mean").fill(1e6f);
  xt::xtensor<float, 4> x = xt::zeros<float>({3, 4, 4, 1});
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = 1e6f + static_cast<float>(i % 3) - 1;
  model.parameter("batch_normalization/gamma").fill(0.7f);
  const auto y = model.predict(x);
  for (std::size_t i = 0; i < y.size(); ++i)
    CHECK(y.data()[i] ==
          doctest::Approx(0.7 / std::sqrt(1.001) * (static_cast<double>(i / 2 % 3) - 1)).epsilon(1e-5));
}

TEST_CASE("the same bits with any number of threads, on batches that do not divide") {
  const Dataset data = synthetic_digits(150, Seed{1});
  const auto trained = [&](std::size_t threads, std::size_t batch_size) {
    Sequential<Input<28, 28, 1>, Conv2D<8, 3>, BatchNormalization, ReLU, MaxPooling2D<2>, Flatten, Dense<10>,
               BatchNormalization, Softmax>
        model{Seed{1}};
    Trainer trainer{model, Adam{}, CategoricalCrossentropy{}, {.threads = threads}};
    trainer.fit(data, {.epochs = 2, .batch_size = batch_size, .verbose = Verbose::silent});
    return std::vector<float>(model.parameters().begin(), model.parameters().end());
  };
  for (const std::size_t batch_size : {7, 64}) {
    const auto one = trained(1, batch_size);
    for (const std::size_t threads : {2, 3, 8}) CHECK(trained(threads, batch_size) == one);
  }
}

TEST_CASE("a network with BatchNormalization learns, and its moving statistics serve inference") {
  const Dataset train = synthetic_digits(2000, Seed{1}), test = synthetic_digits(500, Seed{2});
  Sequential<Input<784>, Dense<64, no_bias>, BatchNormalization, ReLU, Dense<10>, Softmax> model{Seed{1}};
  static_assert(decltype(model)::parameter_count - decltype(model)::trainable_count == 128);
  Trainer trainer{model, Adam{.learning_rate = 3e-3f}, CategoricalCrossentropy{}};
  trainer.fit(train, {.epochs = 10, .batch_size = 50, .verbose = Verbose::silent});
  CHECK(trainer.evaluate(test).accuracy > 0.9);
}
