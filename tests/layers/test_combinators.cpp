// Layers made of layers: gradients, names, plans, and the same bits with any number of threads.
#include <digitnet/digitnet.hpp>
#include <digitnet/testing/gradient_check.hpp>
#include <set>

#include "support/support.hpp"

using namespace digitnet;
using testing::check_gradients;

namespace {

// Of layers whose statistics make gradients of gradients large.
constexpr testing::GradientCheck with_statistics{.tolerance = 1e-5};

using Block =
    Residual<Conv2D<3, 3, 2, same>, BatchNormalization, Tanh, Conv2D<3, 3, 1, same>, BatchNormalization>;
using Net = Sequential<
    Input<8, 8, 1>, Conv2D<4, 3, 1, same, no_bias>, BatchNormalization, ReLU,
    Residual<DepthwiseConv2D<3, 2, same>, BatchNormalization, ReLU, Conv2D<6, 1>, BatchNormalization>, ReLU,
    SqueezeExcite<2>, Parallel<Concatenate, Conv2D<2, 1>, Sequential<SeparableConv2D<3, 3, 1, same>, ReLU>>,
    GlobalAveragePooling2D, Dense<3>, Softmax>;

Dataset patterns(std::size_t count) {
  Dataset data{Images::from_shape({count, 8, 8, 1}), Labels::from_shape({count})};
  Random random(Seed{3});
  for (std::uint8_t& pixel : data.images) pixel = static_cast<std::uint8_t>(random.below(256));
  for (std::size_t i = 0; i < count; ++i) {
    data.labels(i) = static_cast<std::uint8_t>(i % 3);
    for (std::size_t j = 0; j < 20; ++j) data.images.data()[i * 64 + i % 3 * 20 + j] /= 4;
  }
  return data;
}

}  // namespace

TEST_CASE("gradients of Parallel: sums, products and concatenations of branches") {
  using Deep = Sequential<Dense<4>, Tanh, Dense<5>>;
  CHECK(check_gradients<Parallel<Add, Dense<5>, Deep>, Shape<5>>() <= 1e-6);
  CHECK(check_gradients<Parallel<Add, Identity, Deep>, Shape<5>>() <= 1e-6);
  CHECK(check_gradients<Parallel<Add, Dense<5>, Identity, Deep, Sigmoid>, Shape<5>>() <= 1e-6);
  CHECK(check_gradients<Parallel<Add, Identity, Identity, Dense<5>>, Shape<5>>() <= 1e-6);
  CHECK(check_gradients<Parallel<Multiply, Sequential<Dense<5>, Tanh>, Deep>, Shape<5>>() <= 1e-6);
  CHECK(check_gradients<
            Parallel<Concatenate, Conv2D<2, 1>, Identity, Sequential<Conv2D<3, 3, 1, same>, Sigmoid>>,
            Shape<5, 4, 2>>() <= 1e-6);
  CHECK(check_gradients<Parallel<Concatenate, BatchNormalization,
                                 Sequential<Dense<4>, BatchNormalization, Tanh, BatchNormalization>>,
                        Shape<5>>({}, with_statistics) <= 1e-5);
}

TEST_CASE("gradients of Residual and SqueezeExcite, nested too") {
  CHECK(check_gradients<SqueezeExcite<2>, Shape<3, 4, 4>>() <= 1e-6);
  CHECK(check_gradients<Block, Shape<5, 4, 3>>({}, with_statistics) <= 1e-5);  // a projection
  CHECK(check_gradients<Residual<Conv2D<2, 3, 1, same>, BatchNormalization>, Shape<5, 4, 2>>(
            {}, with_statistics) <= 1e-5);
  CHECK(check_gradients<Residual<Shortcut<Dense<3>>, Dense<4>, Tanh, Dense<3>>, Shape<5>>() <= 1e-6);
  CHECK(check_gradients<Sequential<Residual<Dense<4>, Tanh>, Tanh, Residual<Residual<Dense<4>>, Dense<3>>>,
                        Shape<4>>({}, with_statistics) <= 1e-5);
}

TEST_CASE("gradients of convolutions by channel, and of normalizations fused with their neighbours") {
  CHECK(check_gradients<DepthwiseConv2D<3>, Shape<5, 4, 3>>() <= 1e-6);
  CHECK(check_gradients<DepthwiseConv2D<3, 2, same, 2, no_bias>, Shape<5, 4, 3>>() <= 1e-6);
  CHECK(check_gradients<SeparableConv2D<4, 3, 1, same>, Shape<5, 4, 3>>() <= 1e-6);
  CHECK(check_gradients<SeparableConv2D<4, 3, 2, same, 2, no_bias>, Shape<5, 4, 3>>() <= 1e-6);
  CHECK(check_gradients<LayerNormalization, Shape<7>>() <= 1e-6);
  CHECK(check_gradients<BasicLayerNormalization<false, true>, Shape<3, 2, 5>>() <= 1e-6);
  CHECK(check_gradients<BasicLayerNormalization<false, false>, Shape<5>>() <= 1e-6);
  CHECK(check_gradients<Sequential<Conv2D<3, 3>, BatchNormalization, ReLU>, Shape<5, 4, 2>>(
            {}, with_statistics) <= 1e-5);
  CHECK(check_gradients<Sequential<BatchNormalization, ReLU, Dense<2>>, Shape<5>>({}, with_statistics) <=
        1e-5);
  CHECK(check_gradients<Sequential<DepthwiseConv2D<3, 1, same>, BatchNormalization, ReLU,
                                   Conv2D<3, 1, 1, valid, no_bias>, BasicBatchNormalization<true, false>>,
                        Shape<5, 4, 2>>({}, with_statistics) <= 1e-5);
  CHECK(check_gradients<Sequential<SeparableConv2D<4, 3, 2, same, 2, no_bias>, BatchNormalization, ReLU>,
                        Shape<5, 4, 2>>({}, with_statistics) <= 1e-5);
}

TEST_CASE("gradients of layers that vary images or drop parts of them") {
  CHECK(check_gradients<RandomFlip, Shape<5, 4, 2>>() <= 1e-6);
  CHECK(check_gradients<RandomRotation, Shape<5, 4, 2>>() <= 1e-6);
  CHECK(check_gradients<RandomTranslation, Shape<5, 4, 2>>(RandomTranslation{0.5f, 0.3f, FillMode::wrap}) <=
        1e-6);
  CHECK(check_gradients<RandomZoom, Shape<5, 4, 2>>(RandomZoom{0.5f, FillMode::constant}) <= 1e-6);
  CHECK(check_gradients<SpatialDropout2D, Shape<3, 4, 6>>() <= 1e-6);
  CHECK(check_gradients<GaussianNoise, Shape<9>>() <= 1e-6);
}

TEST_CASE("what varies images in training") {
  const auto shown = [](const auto& layer, std::uint64_t seed, Mode mode = Mode::training) {
    using Layer = std::remove_cvref_t<decltype(layer)>;
    using In = Shape<2, 3, 1>;
    const std::vector<float> x{1, 2, 3, 4, 5, 6};
    std::vector<float> y(32), cache(32);
    Layer::template On<In>::forward(ForwardIo<float, Layer, In>{.layer = layer,
                                                                .x = {x.data(), 1},
                                                                .y = {y.data(), 1},
                                                                .parameters = {nullptr},
                                                                .packed = nullptr,
                                                                .cache = cache.data(),
                                                                .scratch = nullptr,
                                                                .mode = mode,
                                                                .random = RandomKey(Seed{seed}),
                                                                .first_sample = 0});
    y.resize(6);
    return y;
  };
  const std::vector<float> image{1, 2, 3, 4, 5, 6};
  std::vector<std::vector<float>> seen;
  for (std::uint64_t seed = 0; seed < 32; ++seed) {
    const auto y = shown(RandomFlip{}, seed);
    if (std::find(seen.begin(), seen.end(), y) == seen.end()) seen.push_back(y);
  }
  std::sort(seen.begin(), seen.end());
  CHECK(seen ==
        std::vector<std::vector<float>>{image, {3, 2, 1, 6, 5, 4}, {4, 5, 6, 1, 2, 3}, {6, 5, 4, 3, 2, 1}});
  CHECK(shown(RandomFlip{FlipMode::vertical}, 0, Mode::inference) == image);
  CHECK(shown(RandomRotation{0.3f}, 1) == shown(RandomRotation{0.3f}, 1));
  CHECK(shown(RandomRotation{0.3f}, 1) != shown(RandomRotation{0.3f}, 2));
  CHECK(shown(RandomZoom{0.3f}, 1) != image);
  CHECK_ERROR("RandomZoom's height_factor must be from 0 to 0.99", RandomZoom{1.0f});
  CHECK_ERROR("SpatialDropout2D's rate must be at least 0 and below 1, but is 1", SpatialDropout2D{1.0f});
  // What lies beyond the border.
  using kernels::filled_index;
  const auto row = [](FillMode mode) {
    std::vector<std::ptrdiff_t> result;
    for (std::ptrdiff_t i = -4; i < 7; ++i) result.push_back(filled_index(i, 3, mode));
    return result;
  };
  CHECK(row(FillMode::constant) == std::vector<std::ptrdiff_t>{-1, -1, -1, -1, 0, 1, 2, -1, -1, -1, -1});
  CHECK(row(FillMode::nearest) == std::vector<std::ptrdiff_t>{0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2});
  CHECK(row(FillMode::reflect) == std::vector<std::ptrdiff_t>{2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0});
  CHECK(row(FillMode::wrap) == std::vector<std::ptrdiff_t>{2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0});
}

TEST_CASE("names of parameters nest, and the plan shows what runs together") {
  std::vector<std::string> names;
  Net{}.for_each_parameter([&](const ParameterInfo& info) { names.push_back(info.name); });
  const auto has = [&](const char* name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  CHECK(has("residual/depthwise_conv2d/kernel"));
  CHECK(has("residual/batch_normalization_1/moving_mean"));
  CHECK(has("residual/shortcut/conv2d/kernel"));
  CHECK(has("squeeze_excite/dense_1/bias"));
  CHECK(has("parallel/conv2d/kernel"));
  CHECK(has("parallel/sequential/separable_conv2d/pointwise_kernel"));
  CHECK(names.size() == std::set<std::string>(names.begin(), names.end()).size());
  const std::string plan = Net{}.plan();
  INFO(plan);
  CHECK(support::contains(plan, "conv2d + batch_normalization + re_lu"));
  CHECK(support::contains(plan, "residual/depthwise_conv2d + residual/batch_normalization + residual/re_lu"));
  CHECK(support::contains(plan, "residual/add"));
}

TEST_CASE("a net of combinators learns, to the same bits with 1, 2 and 3 threads") {
  const Dataset data = patterns(60);
  std::vector<std::vector<float>> parameters;
  for (const std::size_t threads : {1u, 2u, 3u}) {
    Net model{Seed{5}};
    Trainer trainer{model, Adam{.learning_rate = 0.02f}, CategoricalCrossentropy{}, {.threads = threads}};
    const History history = trainer.fit(data, {.epochs = 12, .batch_size = 20, .verbose = Verbose::silent});
    CHECK(history.epochs.back().loss < 0.5 * history.epochs.front().loss);
    parameters.emplace_back(model.parameters().begin(), model.parameters().end());
    if (threads > 1) continue;
    // Folded (many samples) and not (few) give the same answers.
    const Matrix all = model.predict(data.images);
    for (std::size_t i = 0; i < 60; i += 7) {
      const Matrix one = model.predict(slice(data, i, 1).images);
      for (std::size_t j = 0; j < 3; ++j) CHECK(std::abs(one(0, j) - all(i, j)) < 1e-5f);
    }
  }
  CHECK(parameters[0] == parameters[1]);
  CHECK(parameters[0] == parameters[2]);
}

TEST_CASE("an Ensemble answers with the mean of its models' outputs") {
  using Model = Sequential<Input<8, 8, 1>, Flatten, Dense<3>, Softmax>;
  const Dataset data = patterns(5);
  const Ensemble ensemble{Model{Seed{1}}, Net{Seed{2}}, Model{Seed{3}}};
  static_assert(std::is_same_v<decltype(ensemble), const Ensemble<Model, Net, Model>>);
  const Matrix a = ensemble.model<0>().predict(data.images), b = ensemble.model<1>().predict(data.images),
               c = ensemble.model<2>().predict(data.images), mean = ensemble.predict(data.images);
  for (std::size_t i = 0; i < mean.size(); ++i)
    CHECK(mean.data()[i] == doctest::Approx((a.data()[i] + b.data()[i] + c.data()[i]) / 3));
  CHECK(ensemble.predict_classes(data.images) == classes_of(mean));
  CHECK(ensemble.parameter_count == 2 * Model::parameter_count + Net::parameter_count);
}
