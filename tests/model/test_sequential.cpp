#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/inspect/plan.hpp>
#include <digitnet/inspect/summary.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/dropout.hpp>
#include <digitnet/layers/initializers.hpp>
#include <digitnet/layers/input.hpp>
#include <digitnet/layers/pooling.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/predictor.hpp>
#include <digitnet/model/sequential.hpp>

#include "support/support.hpp"

using namespace digitnet;

using Cnn = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                       MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;
static_assert(Cnn::parameter_count == 121'930);
static_assert(std::is_same_v<Cnn::OutputShape, Shape<10>>);
static_assert(sizeof(Cnn) < 1000);

TEST_CASE("the summary is Keras 3's") {
  const Sequential<Input<5, 4, 2>, Conv2D<300, 3>, Flatten, Dense<1000>, Dense<2>> model;
  CHECK(model.summary("example") == R"(Model: "example"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━┩
│ conv2d (Conv2D)                 │ (None, 3, 2, 300)      │         5,700 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ flatten (Flatten)               │ (None, 1800)           │             0 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense (Dense)                   │ (None, 1000)           │     1,801,000 │
├─────────────────────────────────┼────────────────────────┼───────────────┤
│ dense_1 (Dense)                 │ (None, 2)              │         2,002 │
└─────────────────────────────────┴────────────────────────┴───────────────┘
 Total params: 1,808,702 (6.90 MB)
 Trainable params: 1,808,702 (6.90 MB)
 Non-trainable params: 0 (0.00 B)
)");
}

TEST_CASE("parameters are named views of one arena") {
  Cnn model{Seed{1}};
  std::vector<std::string> names;
  std::size_t sizes = 0;
  model.for_each_parameter([&](const ParameterInfo& info) {
    names.push_back(info.name);
    sizes += info.size();
    CHECK(info.offset % 16 == 0);
  });
  CHECK(names == std::vector<std::string>{"conv2d/kernel", "conv2d/bias", "conv2d_1/kernel", "conv2d_1/bias",
                                          "dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"});
  CHECK(sizes == Cnn::parameter_count);
  auto kernel = model.parameter("conv2d_1/kernel");
  CHECK(kernel.dimension() == 4);
  CHECK(kernel.shape()[2] == 32);
  kernel(0, 0, 0, 0) = 42;
  CHECK(std::as_const(model).parameter("conv2d_1/kernel")(0, 0, 0, 0) == 42);
  auto bias = model.parameter("dense/bias");
  bias += 1;
  CHECK(model.parameter("dense/bias")(3) == 1);
  CHECK_ERROR("The model has no parameter \"dense_2/bias\"; it has conv2d/kernel, conv2d/bias",
              model.parameter("dense_2/bias"));
}

TEST_CASE("a model as a value, with layers that carry numbers") {
  auto model = Sequential{Input<4>{}, Dense<8>{.kernel_initializer = Constant(0.5)}, LeakyReLU{0.1f},
                          Dropout{0.5f}, Dense<2>{.kernel_initializer = Ones{}}};
  static_assert(decltype(model)::parameter_count == 4 * 8 + 8 + 8 * 2 + 2);
  Matrix x = Matrix::from_shape({1, 4});
  x.fill(-1);
  CHECK(model.predict(x)(0, 1) == doctest::Approx(8 * -2 * 0.1));
  const auto with_seed = Sequential{Seed{7}, Input<4>{}, Dense<2>{}};
  const Sequential<Input<4>, Dense<2>> same_seed{Seed{7}}, other_seed{Seed{8}};
  CHECK(with_seed.predict(x) == same_seed.predict(x));
  CHECK(with_seed.predict(x) != other_seed.predict(x));
}

TEST_CASE("chains nest, and names with them") {
  using Block = Sequential<Dense<6>, ReLU>;
  const Sequential<Input<3>, Block, Block, Dense<2>> nested{Seed{5}};
  CHECK(nested.parameter("sequential_1/dense/kernel").shape()[0] == 6);
  // The same numbers as the flat chain with the same parameters.
  Sequential<Input<3>, Dense<6>, ReLU, Dense<6>, ReLU, Dense<2>> flat;
  std::copy(nested.parameters().begin(), nested.parameters().end(), flat.parameters().begin());
  Matrix x = Matrix::from_shape({7, 3});
  for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = std::sin(static_cast<float>(i));
  CHECK(nested.predict(x) == flat.predict(x));
}

TEST_CASE(
    "predict takes any number of images, flat or square, bytes or floats, and gives the same for each "
    "alone") {
  Cnn model{Seed{3}};
  Predictor predictor{model};
  const Dataset data = synthetic_digits(201, Seed{9});
  const Matrix all = model.predict(data.images);
  CHECK(all.shape()[0] == 201);
  for (const std::size_t i : {0, 77, 200}) {
    const Dataset image = slice(data, i, 1);
    // A predictor computes as predict does with many images; predict with few takes the direct way.
    const Matrix equal = predictor.predict(image.images), close = model.predict(image.images);
    for (std::size_t j = 0; j < 10; ++j) {
      CHECK(equal(0, j) == all(i, j));
      CHECK(std::abs(close(0, j) - all(i, j)) < 1e-6f);
    }
  }
  Matrix flat = Matrix::from_shape({201, 784});
  for (std::size_t i = 0; i < flat.size(); ++i)
    flat.data()[i] = static_cast<float>(data.images.data()[i]) * (1.0f / 255.0f);
  CHECK(model.predict(flat) == all);
  const Labels classes = model.predict_classes(data.images);
  for (std::size_t i = 0; i < 201; ++i)
    for (std::size_t j = 0; j < 10; ++j) CHECK(all(i, classes(i)) >= all(i, j));
  CHECK(model.predict(Images::from_shape({0, 28, 28, 1})).shape()[0] == 0);
}

TEST_CASE("a single output is a class by its half") {
  Sequential<Input<1>, Dense<1>, Sigmoid> model;
  model.parameter("dense/kernel")(0, 0) = 1;
  Matrix x = Matrix::from_shape({2, 1});
  x(0, 0) = -1;
  x(1, 0) = 1;
  CHECK(model.predict_classes(x)(0) == 0);
  CHECK(model.predict_classes(x)(1) == 1);
}

TEST_CASE("the plan says what runs together, how, and where results lie") {
  std::string words;  // the plan with single spaces
  for (const char c : Cnn{}.plan())
    if (c != ' ' || words.empty() || words.back() != ' ') words += c;
  INFO(words);
  for (const char* part : {"conv2d + re_lu + max_pooling2d register tiles 13x13x32 byte 0 194,688\n",
                           "conv2d_1 + re_lu_1 + max_pooling2d_1 Winograd F(4x4, 3x3) 5x5x64 byte ",
                           "\nflatten 1600 same place 0\n", "\ndense + re_lu_2 register tiles 64 byte ",
                           "\ndense_1 register tiles 10 output 640\n", "\nsoftmax 10 same place 0\n",
                           "Multiply-adds: 2,528,000 a sample\n", "Micro-batch: ", "\nCompiled for: "})
    CHECK(support::contains(words, part));
  const bool wide = simd::registers<> >= 32;
  CHECK(support::contains(Sequential<Input<784>, Dense<512>>{}.plan(), wide ? "register tiles" : "OpenBLAS"));
}

TEST_CASE("a predictor follows its model when it is told to") {
  Cnn model{Seed{3}};
  Predictor predictor{model};
  const Dataset data = synthetic_digits(40, Seed{9});
  model.initialize(Seed{4});
  predictor.refresh();
  CHECK(predictor.predict(data.images) == model.predict(data.images));
}

TEST_CASE("wrong samples are refused by predict") {
  const Cnn model;
  CHECK_ERROR("takes samples of shape (28, 28, 1), but was given samples of shape (27, 28, 1)",
              model.predict(Images::from_shape({1, 27, 28, 1})));
  Matrix x = Matrix::from_shape({1, 784});
  x.fill(std::nanf(""));
  CHECK_ERROR("NaN", model.predict(x));
}

TEST_CASE("several threads may predict at once") {
  const Cnn model{Seed{3}};
  const Dataset data = synthetic_digits(40, Seed{9});
  const Matrix wanted = model.predict(data.images);
  std::vector<std::thread> threads;
  std::atomic<int> equal = 0;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { equal += model.predict(data.images) == wanted; });
  for (std::thread& thread : threads) thread.join();
  CHECK(equal == 4);
}

TEST_CASE("copies of a model have parameters of their own") {
  Cnn model{Seed{1}};
  Cnn copy = model;
  copy.parameters()[0] = 9;
  CHECK(model.parameters()[0] != 9);
}
