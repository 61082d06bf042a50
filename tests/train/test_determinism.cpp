#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/dropout.hpp>
#include <digitnet/layers/input.hpp>
#include <digitnet/layers/pooling.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/trainer.hpp>

#include "support/support.hpp"

using namespace digitnet;

namespace {

template <class MakeModel>
std::vector<float> trained(const MakeModel& make, std::size_t threads, std::size_t batch_size,
                           std::uint64_t seed = 3) {
  static const Dataset data = synthetic_digits(150, Seed{1});
  auto model = make();
  Trainer trainer{model, Adam{}, CategoricalCrossentropy{}, {.threads = threads, .seed = Seed{seed}}};
  trainer.fit(data, {.epochs = 2, .batch_size = batch_size, .verbose = Verbose::silent});
  return {model.parameters().begin(), model.parameters().end()};
}

}  // namespace

TEST_CASE("the same seed gives the same weights, bit for bit, with any number of threads") {
  const auto ann = [] {
    return Sequential{Seed{1}, Input<784>{}, Dense<20>{}, ReLU{}, Dropout{0.2f}, Dense<10>{}, Softmax{}};
  };
  const auto cnn = [] {
    return Sequential{Seed{1},       Input<28, 28, 1>{}, Conv2D<8, 3>{}, ReLU{},   MaxPooling2D<2>{},
                      Dropout{0.2f}, Flatten{},          Dense<10>{},    Softmax{}};
  };
  for (const std::size_t batch_size : {1, 7, 32}) {
    const auto one_ann = trained(ann, 1, batch_size);
    const auto one_cnn = trained(cnn, 1, batch_size);
    for (const std::size_t threads : {1, 2, 3, 8}) {
      CHECK(trained(ann, threads, batch_size) == one_ann);
      CHECK(trained(cnn, threads, batch_size) == one_cnn);
    }
  }
  CHECK(trained(ann, 1, 32, 4) != trained(ann, 1, 32, 3));
}
