// libtorch's part in the contest, at its best settings: the convolutions' activations stay in oneDNN's own
// layouts (1.5 times as fast in training as the default), and inference runs on weights in those layouts. The
// threads come from OMP_NUM_THREADS. With OpenBLAS' pthread build, torch's and OpenBLAS' threads spin against
// each other, so the suite runs it with the OpenMP build.
#include <immintrin.h>
#include <torch/torch.h>

#include "contest.hpp"

using torch::Tensor;

namespace {

struct Model : torch::nn::Module {
  char network;
  torch::nn::Conv2d conv1{nullptr}, conv2{nullptr};
  torch::nn::Linear dense1{nullptr}, dense2{nullptr}, dense3{nullptr};

  explicit Model(char letter) : network(letter) {
    using namespace torch::nn;
    if (network == 'C') {
      conv1 = register_module("conv1", Conv2d(1, 32, 3));
      conv2 = register_module("conv2", Conv2d(32, 64, 3));
    }
    const int inputs = network == 'C' ? 1600 : 784;
    const int hidden = network == 'A' ? 100 : network == 'B' ? 512 : 64;
    dense1 = register_module("dense1", Linear(inputs, hidden));
    if (network == 'B') dense2 = register_module("dense2", Linear(512, 512));
    dense3 = register_module("dense3", Linear(hidden, 10));
  }
  Tensor forward(Tensor x) {
    if (network == 'C') {
      x = x.view({-1, 1, 28, 28}).to_mkldnn();
      x = torch::max_pool2d(torch::relu(torch::conv2d(x, conv1->weight, conv1->bias)), {2, 2}, {2, 2});
      x = torch::max_pool2d(torch::relu(torch::conv2d(x, conv2->weight, conv2->bias)), {2, 2}, {2, 2});
      x = x.to_dense().flatten(1);
    }
    x = dense1(x).relu_();
    if (network == 'B') x = dense2(x).relu_();
    return dense3(x);
  }
};

class Contender : public contest::Network {
 public:
  explicit Contender(const contest::Task& task) : task_(task), model_(task.network) {
    at::set_num_threads(task.threads);
    _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
    _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_ON);
    const auto digits =
        contest::digit_floats(task.training ? contest::training_images : contest::inference_images);
    const auto count = static_cast<long>(digits.count);
    images_ = torch::from_blob(const_cast<float*>(digits.pixels.data()), {count, 784}).clone();
    labels_ = torch::empty({count}, torch::kLong);
    for (std::size_t i = 0; i < digits.count; ++i) labels_.data_ptr<long>()[i] = digits.labels[i];
    if (task.network == 'A')
      optimizer_ = std::make_unique<torch::optim::SGD>(model_.parameters(), 0.01);
    else
      optimizer_ = std::make_unique<torch::optim::Adam>(model_.parameters(), 1e-3);
    if (!task.training) prepare();
  }
  void train(std::size_t images) override {
    const Tensor order = torch::randperm(static_cast<long>(images), torch::kLong);
    const auto batch = static_cast<long>(task_.batch);
    for (long first = 0; first < order.size(0); first += batch) {
      const Tensor indices = order.narrow(0, first, batch);
      const Tensor loss = torch::nn::functional::cross_entropy(
          model_.forward(images_.index_select(0, indices)), labels_.index_select(0, indices));
      optimizer_->zero_grad();
      loss.backward();
      optimizer_->step();
    }
  }
  float predict(std::size_t first) override {
    const c10::InferenceMode guard;
    Tensor x = images_.narrow(0, static_cast<long>(first), static_cast<long>(task_.batch));
    if (task_.network == 'C') {
      x = x.view({-1, 1, 28, 28}).to_mkldnn();
      for (std::size_t i = 0; i < 2; ++i) {
        x = torch::mkldnn_convolution(x, weights_[i], biases_[i], {0, 0}, {1, 1}, {1, 1}, 1).relu_();
        x = torch::mkldnn_max_pool2d(x, {2, 2}, {2, 2});
      }
      x = x.to_dense().flatten(1);
    }
    x = x.to_mkldnn();
    for (std::size_t i = task_.network == 'C' ? 2 : 0; i < weights_.size(); ++i) {
      x = torch::mkldnn_linear(x, weights_[i], biases_[i]);
      if (i + 1 < weights_.size()) x = x.relu_();
    }
    return torch::softmax(x.to_dense(), 1).data_ptr<float>()[0];
  }

 private:
  void prepare() {
    const c10::InferenceMode guard;
    for (const auto& parameter : model_.parameters())
      (parameter.dim() == 1 ? biases_ : weights_).push_back(parameter.to_mkldnn());
  }

  contest::Task task_;
  Model model_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_{};
  Tensor images_{}, labels_{};
  std::vector<Tensor> weights_{}, biases_{};
};

}  // namespace

int main(int argc, char** argv) {
  const auto make = [](const contest::Task& task) -> std::unique_ptr<contest::Network> {
    return std::make_unique<Contender>(task);
  };
  return contest::run(argc, argv, make, "ABC", "ABC");
}
