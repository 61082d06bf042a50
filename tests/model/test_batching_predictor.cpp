// A model that answers the questions of many threads at once.
#include <atomic>
#include <digitnet/data/idx.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/input.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/batching_predictor.hpp>
#include <digitnet/model/sequential.hpp>
#include <limits>
#include <thread>

#include "support/support.hpp"

using namespace digitnet;

namespace {

using Net = Sequential<Input<6, 6, 1>, Conv2D<4, 3>, ReLU, Flatten, Dense<3>, Softmax>;

xt::xtensor<float, 2> questions(std::size_t count) {
  xt::xtensor<float, 2> values({count, Net::InputShape::size});
  Random random(Seed{5});
  for (float& value : values) value = static_cast<float>(random.uniform());
  return values;
}

}  // namespace

TEST_CASE("many threads get the answers that predict gives") {
  const Net model{Seed{3}};
  constexpr std::size_t threads = 8, each = 200;
  const auto asked = questions(threads * each);
  const Matrix wanted = model.predict(asked);
  BatchingPredictor predictor{model, 16};
  std::atomic<std::size_t> wrong = 0;
  std::vector<std::thread> askers;
  for (std::size_t thread = 0; thread < threads; ++thread)
    askers.emplace_back([&, thread] {
      for (std::size_t i = thread * each; i < (thread + 1) * each; ++i) {
        float answer[3];
        predictor.predict(&asked(i, 0), 1, answer);
        for (std::size_t j = 0; j < 3; ++j) wrong += std::abs(answer[j] - wanted(i, j)) > 1e-6f;
      }
    });
  for (std::thread& asker : askers) asker.join();
  CHECK(wrong == 0);
  CHECK(predictor.counts().samples == threads * each);
  CHECK(predictor.counts().batches <= threads * each);
}

TEST_CASE("a question larger than a batch is answered in parts, beside others") {
  const Net model{Seed{3}};
  const auto asked = questions(50);
  const Matrix wanted = model.predict(asked);
  BatchingPredictor predictor{model, 7};
  Matrix found({50, 3}), other({20, 3});
  std::thread asker([&] { predictor.predict(&asked(30, 0), 20, other.data()); });
  predictor.predict(asked.data(), 50, found.data());
  asker.join();
  for (std::size_t i = 0; i < 50; ++i)
    for (std::size_t j = 0; j < 3; ++j) {
      CHECK(found(i, j) == doctest::Approx(wanted(i, j)));
      if (i >= 30) CHECK(other(i - 30, j) == doctest::Approx(wanted(i, j)));
    }
  CHECK(predictor.counts().samples == 70);
  CHECK(predictor.counts().batches >= 10);
  predictor.predict(asked.data(), 0, found.data());
  CHECK(predictor.counts().samples == 70);
}

TEST_CASE("what is not a number is refused, and the next question answered") {
  const Net model{Seed{3}};
  auto asked = questions(2);
  BatchingPredictor predictor{model};
  float answer[6];
  asked(1, 35) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(predictor.predict(asked.data(), 2, answer),
                       doctest::Contains("Sample 1 contains NaN at element 35"), Error);
  predictor.predict(asked.data(), 1, answer);
  CHECK(answer[0] + answer[1] + answer[2] == doctest::Approx(1));
  CHECK_ERROR("1 to 16777216 samples at a time, but `most` is 0", BatchingPredictor(model, 0));
  CHECK_ERROR("1 to 16777216", BatchingPredictor(model, ~std::size_t{0}));
}
