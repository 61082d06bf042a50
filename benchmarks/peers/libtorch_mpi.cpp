// Data-parallel training over MPI as PyTorch's C++ example does it, with libtorch: its network, its batch of
// 64 images a rank, and one all-reduce for each parameter's gradient after the backward pass.
//   peer_libtorch_mpi [BATCH [STEPS]]
#include <mpi.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

struct Net : torch::nn::Module {
  torch::Tensor forward(torch::Tensor x) {
    x = torch::relu(torch::max_pool2d(conv1->forward(x), 2));
    x = torch::relu(torch::max_pool2d(drop->forward(conv2->forward(x)), 2));
    x = torch::relu(fc1->forward(x.view({-1, 320})));
    x = torch::dropout(x, 0.5, is_training());
    return torch::log_softmax(fc2->forward(x), 1);
  }
  torch::nn::Conv2d conv1 = register_module("conv1", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 10, 5)));
  torch::nn::Conv2d conv2 = register_module("conv2", torch::nn::Conv2d(torch::nn::Conv2dOptions(10, 20, 5)));
  torch::nn::Dropout2d drop = register_module("drop", torch::nn::Dropout2d());
  torch::nn::Linear fc1 = register_module("fc1", torch::nn::Linear(320, 50));
  torch::nn::Linear fc2 = register_module("fc2", torch::nn::Linear(50, 10));
};

// The sum of each gradient over the ranks, divided by their number.
void all_reduce(Net& net, int ranks) {
  for (torch::Tensor& parameter : net.parameters()) {
    torch::Tensor gradient = parameter.grad();
    MPI_Allreduce(MPI_IN_PLACE, gradient.data_ptr<float>(), static_cast<int>(gradient.numel()), MPI_FLOAT,
                  MPI_SUM, MPI_COMM_WORLD);
    gradient.div_(ranks);
  }
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const long batch = argc > 1 ? std::atol(argv[1]) : 64;
  const int steps = argc > 2 ? std::atoi(argv[2]) : 200;
  int rank = 0, ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  at::set_num_threads(1);
  torch::manual_seed(0);
  Net net;
  torch::optim::SGD optimizer(net.parameters(), torch::optim::SGDOptions(0.01).momentum(0.5));
  const torch::Tensor images = torch::rand({batch, 1, 28, 28});
  const torch::Tensor labels = torch::randint(10, {batch}, torch::kLong);
  std::vector<double> whole, communication, alone;
  for (int step = 0; step < steps + 20; ++step) {
    const auto begin = Clock::now();
    optimizer.zero_grad();
    torch::nll_loss(net.forward(images), labels).backward();
    const auto reducing = Clock::now();
    all_reduce(net, ranks);
    const double ms = ms_since(reducing);
    optimizer.step();
    if (step < 20) continue;
    whole.push_back(ms_since(begin));
    communication.push_back(ms);
  }
  // The same calls, one after the other, without what is computed between them.
  for (int step = 0; step < steps; ++step) {
    const auto begin = Clock::now();
    all_reduce(net, ranks);
    alone.push_back(ms_since(begin));
  }
  if (rank == 0)
    std::printf(
        "{\"ranks\": %d, \"batch\": %ld, \"step_ms\": %.4f, \"communication_ms\": %.4f, \"replayed_ms\": "
        "%.4f}\n",
        ranks, batch, median(whole), median(communication), median(alone));
  MPI_Finalize();
}
