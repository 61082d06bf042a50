// The recipe of examples/mnist_speedrun.cpp in libtorch: the same network, initial weights of the same
// distribution, batches, optimizer and learning rates, with convolutions in oneDNN's layouts (libtorch.cpp).
//   peer_libtorch_speedrun [SEEDS]    threads from OMP_NUM_THREADS
#include <immintrin.h>
#include <torch/torch.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <digitnet/data/datasets.hpp>
#include <digitnet/train/schedules.hpp>

using torch::Tensor;

namespace {

struct Cnn : torch::nn::Module {
  torch::nn::Conv2d conv1 = register_module("conv1", torch::nn::Conv2d(1, 32, 3)),
                    conv2 = register_module("conv2", torch::nn::Conv2d(32, 64, 3));
  torch::nn::Linear dense1 = register_module("dense1", torch::nn::Linear(1600, 64)),
                    dense2 = register_module("dense2", torch::nn::Linear(64, 10));
  Cnn() {
    const torch::NoGradGuard guard;
    for (Tensor& parameter : parameters()) {
      if (parameter.dim() == 1)
        parameter.zero_();
      else
        torch::nn::init::xavier_uniform_(parameter);
    }
  }
  Tensor forward(Tensor x) {
    x = x.view({-1, 1, 28, 28}).to_mkldnn();
    x = torch::max_pool2d(torch::relu(torch::conv2d(x, conv1->weight, conv1->bias)), {2, 2}, {2, 2});
    x = torch::max_pool2d(torch::relu(torch::conv2d(x, conv2->weight, conv2->bias)), {2, 2}, {2, 2});
    return dense2(dense1(x.to_dense().flatten(1)).relu_());
  }
};

struct Set {
  Tensor images, labels;
};
Set tensors(const digitnet::Dataset& data) {
  const auto count = static_cast<long>(data.labels.size());
  Set set{torch::empty({count, 784}), torch::empty({count}, torch::kLong)};
  for (std::size_t i = 0; i < data.images.size(); ++i)
    set.images.data_ptr<float>()[i] = static_cast<float>(data.images.data()[i]) / 255;
  for (std::size_t i = 0; i < data.labels.size(); ++i) set.labels.data_ptr<long>()[i] = data.labels.data()[i];
  return set;
}

}  // namespace

int main(int argc, char** argv) {
  const int seeds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
  _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
  _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_ON);
  const auto mnist = digitnet::datasets::mnist();
  const Set train = tensors(mnist.train), test = tensors(mnist.test);
  constexpr long batch = 32;
  const digitnet::OneCycle rate{
      .peak = 5e-3f,
      .total_steps = static_cast<std::uint64_t>((train.labels.size(0) + batch - 1) / batch),
      .rising_part = 0.15f,
      .initial_division = 10,
      .linear = true};
  double sum = 0, squares = 0, total = 0;
  for (int seed = 1; seed <= seeds; ++seed) {
    torch::manual_seed(static_cast<std::uint64_t>(seed));
    Cnn model;
    // Keras' epsilon, which digitnet has, too.
    torch::optim::Adam optimizer(model.parameters(), torch::optim::AdamOptions(5e-4).eps(1e-7));
    const auto begin = std::chrono::steady_clock::now();
    const Tensor order = torch::randperm(train.labels.size(0), torch::kLong);
    std::uint64_t step = 0;
    for (long first = 0; first < order.size(0); first += batch) {
      const Tensor indices = order.narrow(0, first, std::min(batch, order.size(0) - first));
      static_cast<torch::optim::AdamOptions&>(optimizer.param_groups()[0].options()).lr(rate(step++));
      const Tensor loss = torch::nn::functional::cross_entropy(
          model.forward(train.images.index_select(0, indices)), train.labels.index_select(0, indices));
      optimizer.zero_grad();
      loss.backward();
      optimizer.step();
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const torch::NoGradGuard guard;
    long right = 0;
    for (long first = 0; first < test.labels.size(0); first += 1000)
      right +=
          (model.forward(test.images.narrow(0, first, 1000)).argmax(1) == test.labels.narrow(0, first, 1000))
              .sum()
              .item<long>();
    const double accuracy = 100.0 * static_cast<double>(right) / static_cast<double>(test.labels.size(0));
    std::printf("seed %d: %.2f %% after %.2f s\n", seed, accuracy, seconds);
    std::fflush(stdout);
    sum += accuracy;
    squares += accuracy * accuracy;
    total += seconds;
  }
  const double mean = sum / seeds;
  const double deviation =
      seeds > 1 ? std::sqrt(std::max(0.0, (squares - seeds * mean * mean) / (seeds - 1))) : 0;
  std::printf("mean of %d seeds: %.3f +- %.3f %% (standard error %.3f) after %.2f s\n", seeds, mean,
              deviation, deviation / std::sqrt(seeds), total / seeds);
}
