// Quantized models: what they compute, against the same numbers in plain loops; accuracy, and refusals.
#include <digitnet/digitnet.hpp>
#include <digitnet/model/precision.hpp>
#include <digitnet/quantized.hpp>
#include <thread>

#include "io/every_layer.hpp"
#include "support/support.hpp"

using namespace digitnet;

namespace {

// One sample through a quantized model, value by value, in loops that show what is meant.
class Simulation {
 public:
  template <class Model>
  Simulation(const Quantized<Model>& model, const float* x)
      : graph_(model.graph()), numbers_(model.numbers()), steps_(model.plan().steps()) {
    const auto layers = detail::objects_of<typename Model::InputShape>(model.body());
    bytes_.resize(graph_.size() + 1);
    floats_.resize(graph_.size() + 1);
    floats_[0].assign(x, x + graph_.value_size(0));
    to_bytes(0);
    for (const detail::Int8Step& step : steps_.steps) run(step, layers.data());
  }
  const std::vector<float>& answer() const { return floats_[steps_.output()]; }

 private:
  kernels::ByteScale scale(std::size_t value) const { return numbers_.scales[steps_.scale_of[value]]; }
  void to_bytes(std::size_t value) {
    bytes_[value].clear();
    for (const float x : floats_[value])
      bytes_[value].push_back(static_cast<std::uint8_t>(std::clamp(
          std::nearbyint(x / scale(value).scale) + static_cast<float>(scale(value).zero), 0.0f, 255.0f)));
  }
  void to_floats(std::size_t value) {
    floats_[value].clear();
    for (const std::uint8_t x : bytes_[value])
      floats_[value].push_back(scale(value).scale * static_cast<float>(x - scale(value).zero));
  }

  void run(const detail::Int8Step& step, const void* const* layers) {
    const std::size_t result = step.result, input = steps_.input(graph_, step);
    if (step.kind == detail::Int8Kind::in_float) {
      run_in_float(step, layers);
      return to_bytes(result);
    }
    const detail::Int8Facts& form = graph_.forms[step.node];
    const auto& x = bytes_[input];
    auto& y = bytes_[result];
    if (step.is_product()) return multiply(step, form, x);
    if (step.kind == detail::Int8Kind::add) {
      const kernels::ByteScale other = scale(steps_.input(graph_, step, 1));
      const kernels::Rescale how(scale(input), &other, scale(result), step.relu);
      const auto& b = bytes_[steps_.input(graph_, step, 1)];
      for (std::size_t i = 0; i < x.size(); ++i)
        y.push_back(how((x[i] - how.zeros[0]) * how.factors[0] + (b[i] - how.zeros[1]) * how.factors[1]));
    } else if (step.kind == detail::Int8Kind::concatenate) {
      const std::size_t branches = graph_.inputs(step.node).size(), last = graph_.last[step.node + 1];
      for (std::size_t row = 0; row < graph_.value_size(result) / last; ++row)
        for (std::size_t branch = 0; branch < branches; ++branch) {
          const std::size_t value = graph_.inputs(step.node)[branch], width = graph_.last[value];
          const kernels::Rescale how(scale(steps_.root[value]), nullptr, scale(result));
          for (std::size_t i = 0; i < width; ++i)
            y.push_back(how((bytes_[steps_.root[value]][row * width + i] - how.zeros[0]) * how.factors[0]));
        }
    } else if (step.kind == detail::Int8Kind::relu) {
      for (const std::uint8_t a : x) y.push_back(std::max(a, scale(input).zero));
    } else if (step.kind == detail::Int8Kind::padding) {
      y.assign(graph_.value_size(result), scale(input).zero);
      const auto& w = form.windows;
      for (std::size_t row = 0; row < w.height; ++row)
        for (std::size_t i = 0; i < w.width * w.channels; ++i)
          y[((row + w.before.height) * form.padded.width + w.before.width) * w.channels + i] =
              x[row * w.width * w.channels + i];
    } else {
      pool(step, form, x);
    }
    to_floats(result);
  }
  void run_in_float(const detail::Int8Step& step, const void* const* layers) {
    const auto& facts = *graph_.facts.nodes[step.node];
    std::vector<Arena<float>> inputs;
    std::vector<const float*> x;
    for (const std::size_t value : graph_.inputs(step.node)) {
      const auto& from = floats_[steps_.root[value]];
      inputs.emplace_back(from.size());
      std::copy(from.begin(), from.end(), inputs.back().data());
    }
    for (const auto& one : inputs) x.push_back(one.data());
    Arena<float> y(graph_.value_size(step.result)), scratch(facts.scratch_bytes(1));
    const detail::OperationIo<float> io{.samples = 1,
                                        .layers = layers + step.node,
                                        .x = x.data(),
                                        .y = y.data(),
                                        .parameters = numbers_.parameters[step.node].data(),
                                        .scratch = scratch.data()};
    for (std::size_t stage = 0; stage <= facts.traits.barriers; ++stage) graph_.run[step.node](stage, io);
    floats_[step.result].assign(y.data(), y.data() + y.size());
  }
  void multiply(const detail::Int8Step& step, const detail::Int8Facts& form,
                const std::vector<std::uint8_t>& x) {
    const auto& w = form.windows;
    const auto& weights = numbers_.weights[step.node];
    const bool by_channel = step.kind == detail::Int8Kind::depthwise;
    const kernels::ByteScale in = scale(steps_.input(graph_, step)), out = scale(step.result);
    std::vector<std::int64_t> sums;
    for (std::size_t row = 0; row < w.out_height; ++row)
      for (std::size_t column = 0; column < w.out_width; ++column)
        for (std::size_t o = 0; o < form.outputs; ++o) {
          std::int64_t sum = weights.bias[o];
          for (std::size_t i = 0; i < w.window.height; ++i)
            for (std::size_t j = 0; j < w.window.width; ++j) {
              const std::size_t r = row * w.stride.height + i - w.before.height,
                                c = column * w.stride.width + j - w.before.width;
              // In the border stands zero.
              if (r >= w.height || c >= w.width) continue;
              const std::size_t tap = i * w.window.width + j;
              for (std::size_t channel = 0; channel < w.channels; ++channel) {
                if (by_channel && channel != o) continue;
                const std::size_t k = by_channel ? tap : tap * w.channels + channel;
                sum += (x[(r * w.width + c) * w.channels + channel] - in.zero) *
                       weights.kernel[k * form.outputs + o];
              }
            }
          sums.push_back(sum);
        }
    auto& y = bytes_[step.result];
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const std::size_t o = i % form.outputs;
      const float factor = in.scale * weights.scales[o];
      if (step.to_floats) {
        floats_[step.result].push_back(static_cast<float>(sums[i]) * factor);
        continue;
      }
      const float scaled = static_cast<float>(sums[i]) * (factor / out.scale);
      y.push_back(
          static_cast<std::uint8_t>(std::clamp(std::nearbyint(scaled) + static_cast<float>(out.zero),
                                               step.relu ? static_cast<float>(out.zero) : 0.0f, 255.0f)));
    }
    if (step.to_floats) return;
    if (step.pooled) {
      const std::vector<std::uint8_t> all = std::move(y);
      y.clear();
      for (std::size_t row = 0; row < w.out_height / 2; ++row)
        for (std::size_t column = 0; column < w.out_width / 2; ++column)
          for (std::size_t o = 0; o < form.outputs; ++o) {
            std::uint8_t largest = 0;
            for (std::size_t i = 0; i < 4; ++i)
              largest = std::max(
                  largest, all[((2 * row + i / 2) * w.out_width + 2 * column + i % 2) * form.outputs + o]);
            y.push_back(largest);
          }
    }
    to_floats(step.result);
  }
  void pool(const detail::Int8Step& step, const detail::Int8Facts& form, const std::vector<std::uint8_t>& x) {
    const kernels::ByteScale in = scale(steps_.input(graph_, step)), out = scale(step.result);
    auto& y = bytes_[step.result];
    y.resize(graph_.value_size(step.result));
    std::vector<std::int32_t> sums(form.windows.channels);
    if (step.kind == detail::Int8Kind::max_pooling)
      kernels::max_pool_bytes(form.windows, x.data(), y.data());
    else
      kernels::average_pool_bytes(form.windows, in, out, x.data(), sums.data(), y.data());
  }

  detail::Int8Graph graph_;
  const detail::Int8Numbers& numbers_;
  const detail::Int8Steps& steps_;
  std::vector<std::vector<std::uint8_t>> bytes_{};
  std::vector<std::vector<float>> floats_{};
};

template <class Model>
void check_as_simulated(const Model& model, double tolerance = 0) {
  constexpr std::size_t count = 70;
  const Matrix x = networks::samples_for(model, count);
  const Quantized<Model> quantized = quantize(model, Samples(x));
  const Matrix found = quantized.predict(x);
  for (std::size_t i = 0; i < count; i += 23) {
    const std::vector<float> wanted = Simulation(quantized, x.data() + i * Model::InputShape::size).answer();
    const std::vector<float> here(found.data() + i * wanted.size(), found.data() + (i + 1) * wanted.size());
    // One sample alone has another layout of memory.
    const std::array<std::size_t, 1> extents{Model::InputShape::size};
    const Matrix alone = quantized.predict(Samples(x.data() + i * extents[0], 1, extents));
    support::check_close(std::vector<float>(alone.begin(), alone.end()), wanted, 0);
    support::check_close(here, wanted, tolerance);
  }
}

using Small = Sequential<Input<28, 28, 1>, Conv2D<8, 3>, ReLU, MaxPooling2D<2>, Conv2D<16, 3>, ReLU,
                         MaxPooling2D<2>, Flatten, Dense<32>, ReLU, Dense<10>, Softmax>;
// Trained once for all tests.
const Small& trained() {
  static const Small model = [] {
    Small result{Seed{1}};
    Trainer trainer{result, Adam{.learning_rate = 3e-3f}, CategoricalCrossentropy{}};
    trainer.fit(synthetic_digits(3000, Seed{1}), {.epochs = 3, .batch_size = 32, .verbose = Verbose::silent});
    return result;
  }();
  return model;
}

}  // namespace

TEST_CASE("bytes are computed as plain loops compute them") {
  SUBCASE("cnn") { check_as_simulated(networks::cnn(1)); }
  SUBCASE("ann") { check_as_simulated(networks::ann(2)); }
  // Layers in float32 compute several samples at once in another order than one.
  SUBCASE("every_layer") { check_as_simulated(networks::every_layer(3), 1e-5); }
  SUBCASE("pooled") { check_as_simulated(networks::pooled(4), 1e-5); }
  SUBCASE("branches") { check_as_simulated(networks::branches(5), 0.02); }
  SUBCASE("combinators") { check_as_simulated(networks::combinators(6), 1e-5); }
  SUBCASE("grouped") { check_as_simulated(networks::grouped(7), 0.02); }
}

TEST_CASE("what runs on bytes") {
  const auto kinds = [](const auto& quantized) {
    std::string result;
    const auto names = detail::names_of(quantized.graph().facts.outline);
    for (const detail::Int8Step& step : quantized.plan().steps().steps)
      result += (result.empty() ? "" : " ") + names[step.node] +
                (step.kind == detail::Int8Kind::in_float ? " float" : "") +
                (step.normalization != detail::Int8Step::none ? "+bn" : "") + (step.relu ? "+relu" : "") +
                (step.pooled ? "+pool" : "");
    return result;
  };
  const Small model{Seed{1}};
  CHECK(kinds(quantize(model, Samples(synthetic_digits(20, Seed{2}).images))) ==
        "conv2d+relu+pool conv2d_1+relu+pool dense+relu dense_1 softmax float");
  const auto residual = networks::with_random_parameters(
      Sequential{Input<8, 8, 3>{},
                 Residual{Conv2D<3, 3, 1, same, no_bias>{}, BatchNormalization{}, ReLU{}, Dropout{0.5f},
                          DepthwiseConv2D<3, 1, same>{}, BatchNormalization{}},
                 ReLU{}, GlobalAveragePooling2D{}, LayerNormalization{}, Dense<4>{}},
      1);
  CHECK(kinds(quantize(residual, Samples(networks::samples_for(residual, 20)))) ==
        "residual/conv2d+bn+relu residual/depthwise_conv2d+bn residual/add+relu global_average_pooling2d "
        "layer_normalization float dense");
}

TEST_CASE("a quantized model is as accurate, and its bits do not depend on threads or batches") {
  const Dataset test = synthetic_digits(1000, Seed{3});
  const auto quantized =
      quantize(trained(), synthetic_digits(500, Seed{4}), {.accuracy_data = test, .allowed_loss = 0.005});
  CHECK(quantized.measured().float32 > 0.9);
  CHECK(quantized.measured().int8 >= quantized.measured().float32 - 0.005);
  CHECK(quantized.accuracy(test) == quantized.measured().int8);
  const Labels classes = quantized.predict_classes(test.images);
  std::size_t right = 0;
  for (std::size_t i = 0; i < test.size(); ++i) right += classes(i) == test.labels(i);
  CHECK(static_cast<double>(right) / 1000 == quantized.accuracy(test));

  const Matrix all = quantized.predict(test.images);
  // Bytes, and the floats that they stand for.
  Matrix floats = Matrix::from_shape({test.size(), 784});
  const Samples samples(test.images);
  for (std::size_t i = 0; i < test.size(); ++i) samples.copy(i, floats.data() + i * 784);
  CHECK(quantized.predict(floats) == all);
  // Several at once, of which one has the team.
  std::vector<Matrix> answers(4);
  std::vector<std::thread> threads;
  for (Matrix& answer : answers) threads.emplace_back([&] { answer = quantized.predict(floats); });
  for (std::thread& thread : threads) thread.join();
  for (const Matrix& answer : answers) CHECK(answer == all);
  // A copy is a model of its own.
  const auto copy = quantized;
  CHECK(copy.predict(floats) == all);
}

TEST_CASE("the trained CNN reads MNIST, where it is, on bytes as well as in float32") {
  if (!std::getenv("DIGITNET_DATA")) return;
  using Cnn = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                         MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;
  Cnn model{Seed{1}};
  load_safetensors(model, DIGITNET_MODELS "/mnist_cnn.safetensors");
  const auto mnist = datasets::mnist();
  // It throws if more than 0.1 % are lost.
  const QuantizedAccuracy measured = quantize(model, mnist.train, {.accuracy_data = mnist.test}).measured();
  MESSAGE("MNIST's test images: " << measured.float32 << " in float32, " << measured.int8 << " on bytes");
  CHECK(measured.int8 > 0.994);
}

TEST_CASE("a loss of accuracy is refused, with the layer that costs most") {
  Small broken = trained();
  // One weight far beyond the others leaves these two steps of its channel.
  auto kernel = broken.parameter("conv2d_1/kernel");
  for (std::size_t filter = 0; filter < 16; ++filter) kernel.data()[filter] = 200;
  // Its channel of the image is never above 0.
  auto first = broken.parameter("conv2d/kernel");
  for (std::size_t tap = 0; tap < 9; ++tap) first.data()[tap * 8] = 0;
  broken.parameter("conv2d/bias").data()[0] = -1;
  const Dataset data = synthetic_digits(500, Seed{5});
  const std::string error = support::error_of([&] { (void)quantize(broken, data); });
  CHECK(support::contains(error, "by more than the 0.10 % that allowed_loss says"));
  CHECK(support::contains(error, "The layer \"conv2d_1\" costs most"));
  CHECK(support::contains(error, "keep it in float32 (.in_float = {\"conv2d_1\"})"));
  // The cure that it names.
  const auto cured = quantize(broken, data, {.allowed_loss = 0.01, .in_float = {"conv2d_1"}});
  CHECK(cured.measured().int8 > cured.measured().float32 - 0.01);
  // Without targets nothing is measured.
  CHECK(std::isnan(quantize(broken, Samples(data.images)).measured().int8));
}

TEST_CASE("the summary says what runs how, in how many bytes") {
  const auto quantized = quantize(trained(), Samples(synthetic_digits(20, Seed{2}).images));
  const std::string text = quantized.summary("small");
  CHECK(support::contains(text, "Model: \"small\""));
  CHECK(support::contains(text, "conv2d_1 (Conv2D, int8)"));
  CHECK(support::contains(text, "softmax (Softmax, float32)"));
  CHECK(support::contains(text, "re_lu (ReLU) "));
  // Kernels of 72, 1152, 12800 and 320 bytes, scales and biases of 8, 16, 32 and 10 outputs.
  CHECK(support::contains(text, "On bytes, normalizations folded: " +
                                    std::to_string(72 + 1152 + 12800 + 320 + 8 * 66) + " bytes"));
}

TEST_CASE("a model in bfloat16 becomes the same bytes") {
  const auto mixed = with_precision<Precision::bfloat16>(networks::ann(1));
  const auto model = networks::ann(1);
  const Matrix x = networks::samples_for(model, 20);
  const auto a = quantize(mixed, Samples(x));
  const auto b = quantize(model, Samples(x));
  CHECK(a.numbers().weights[0].kernel == b.numbers().weights[0].kernel);
  CHECK(a.plan().steps().steps[0].kind == detail::Int8Kind::product);
}

TEST_CASE("targets that are numbers: the part of their variance that is explained") {
  using Regression = Sequential<Input<4>, Dense<16>, Tanh, Dense<2>>;
  Random random(Seed{6});
  Matrix x = Matrix::from_shape({400, 4}), y = Matrix::from_shape({400, 2});
  for (float& value : x) value = static_cast<float>(random.uniform(-2, 2));
  for (std::size_t i = 0; i < 400; ++i) {
    y(i, 0) = x(i, 0) - 0.5f * x(i, 1);
    y(i, 1) = x(i, 2) * 0.3f + x(i, 3);
  }
  Regression model{Seed{1}};
  Trainer trainer{model, Adam{.learning_rate = 1e-2f}, MeanSquaredError{}};
  trainer.fit({x, y}, {.epochs = 60, .batch_size = 20, .verbose = Verbose::silent});
  const auto quantized = quantize(model, {x, y}, {.allowed_loss = 0.01});
  CHECK(quantized.measured().float32 > 0.95);
  CHECK(quantized.measured().int8 > quantized.measured().float32 - 0.01);
}

TEST_CASE("what quantize refuses") {
  const Small model{Seed{1}};
  const Dataset data = synthetic_digits(10, Seed{1});
  CHECK_ERROR("was given no samples to calibrate by",
              (void)quantize(model, Samples(Matrix::from_shape({0, 784}))));
  CHECK_ERROR("The model has no layer \"conv\" that could stay in float32; it has conv2d, re_lu,",
              (void)quantize(model, Samples(data.images), {.in_float = {"conv"}}));
  CHECK_ERROR("The model takes samples of shape (28, 28, 1)",
              (void)quantize(model, Samples(Matrix::from_shape({3, 9}))));
  Small broken{Seed{1}};
  broken.parameter("dense/kernel").data()[5] = std::numeric_limits<float>::infinity();
  CHECK_ERROR("numbers that are not finite", (void)quantize(broken, Samples(data.images)));
  Matrix hole = Matrix::from_shape({1, 784});
  hole(0, 3) = std::numeric_limits<float>::quiet_NaN();
  const auto quantized = quantize(model, Samples(data.images));
  CHECK_ERROR("Sample 0 contains NaN at element 3", (void)quantized.predict(hole));
  CHECK_ERROR("The model takes samples of shape (28, 28, 1)",
              (void)quantized.predict(Matrix::from_shape({1, 5})));
  CHECK(quantized.predict(Samples(Matrix::from_shape({0, 784}))).size() == 0);
}
