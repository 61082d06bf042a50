// libtorch's part in the contest, at its best settings: the convolutions' activations stay in oneDNN's own
// layouts (1.5 times as fast in training as the default), and inference runs on weights in those layouts. The
// threads come from OMP_NUM_THREADS. With OpenBLAS' pthread build, torch's and OpenBLAS' threads spin against
// each other, so the suite runs it with the OpenMP build.
#include <immintrin.h>
#include <torch/torch.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "contest.hpp"

using torch::Tensor;

namespace {

struct Model : torch::nn::Module {
  virtual Tensor forward(Tensor x) = 0;
};

// A, B and C.
struct Small : Model {
  char network;
  torch::nn::Conv2d conv1{nullptr}, conv2{nullptr};
  torch::nn::Linear dense1{nullptr}, dense2{nullptr}, dense3{nullptr};

  explicit Small(char letter) : network(letter) {
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
  Tensor forward(Tensor x) override {
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

// D to G: Keras' epsilon and momentum, projections where shapes change, as digitnet's.
torch::nn::Conv2d convolution(long in, long out, long kernel, long stride, long groups = 1) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, kernel)
                               .stride(stride)
                               .padding(kernel / 2)
                               .groups(groups)
                               .bias(false));
}
struct Normalized : torch::nn::Module {
  torch::nn::Conv2d product{nullptr};
  torch::nn::BatchNorm2d normalization{nullptr};
  Normalized(long in, long out, long kernel, long stride, long groups = 1) {
    product = register_module("product", convolution(in, out, kernel, stride, groups));
    normalization = register_module(
        "normalization", torch::nn::BatchNorm2d(torch::nn::BatchNorm2dOptions(out).eps(1e-3).momentum(0.01)));
  }
  Tensor forward(const Tensor& x) { return normalization(product(x)); }
};

// Images come channels last.
struct Deep : Model {
  long side, channels;
  explicit Deep(const contest::Task& task)
      : side(static_cast<long>(task.side())), channels(static_cast<long>(task.channels())) {}
  virtual Tensor features(Tensor x) = 0;
  torch::nn::Linear last{nullptr};
  Tensor forward(Tensor x) override {
    x = laid_out(x.view({-1, side, side, channels}).permute({0, 3, 1, 2}));
    x = features(x);
    return last(torch::mean(x.is_mkldnn() ? x.to_dense() : x, {2, 3}));
  }
  static Tensor laid_out(const Tensor& x) {
    static const char* const layout = std::getenv("LIBTORCH_LAYOUT");
    if (layout && layout == std::string("plain")) return x;
    if (layout && layout == std::string("channels_last")) return x.contiguous(at::MemoryFormat::ChannelsLast);
    return x.contiguous().to_mkldnn();
  }
};

struct ResNet : Deep {
  struct Block {
    std::shared_ptr<Normalized> first, second, shortcut;
  };
  std::shared_ptr<Normalized> stem;
  std::vector<Block> blocks;
  ResNet(const contest::Task& task, long width, int depth) : Deep(task) {
    stem = register_module("stem", std::make_shared<Normalized>(1, width, 3, 1));
    long in = width;
    for (const long filters : {width, 2 * width, 4 * width})
      for (int i = 0; i < depth; ++i) {
        const long stride = filters > in ? 2 : 1;
        const std::string name = std::to_string(blocks.size());
        Block block{register_module("a" + name, std::make_shared<Normalized>(in, filters, 3, stride)),
                    register_module("b" + name, std::make_shared<Normalized>(filters, filters, 3, 1)),
                    nullptr};
        if (filters > in)
          block.shortcut = register_module("c" + name, std::make_shared<Normalized>(in, filters, 1, stride));
        blocks.push_back(block);
        in = filters;
      }
    last = register_module("last", torch::nn::Linear(in, 10));
  }
  Tensor features(Tensor x) override {
    x = torch::relu(stem->forward(x));
    for (const Block& block : blocks) {
      const Tensor y = block.second->forward(torch::relu(block.first->forward(x)));
      x = torch::relu(y + (block.shortcut ? block.shortcut->forward(x) : x));
    }
    return x;
  }
};

struct MobileNet : Deep {
  std::vector<std::shared_ptr<Normalized>> layers;
  explicit MobileNet(const contest::Task& task) : Deep(task) {
    const auto add = [&](long in, long out, long kernel, long stride, long groups) {
      layers.push_back(register_module("l" + std::to_string(layers.size()),
                                       std::make_shared<Normalized>(in, out, kernel, stride, groups)));
    };
    add(channels, 32, 3, 1, 1);
    long in = 32;
    const std::pair<long, long> stages[] = {{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}};
    for (const auto& [filters, stride] : stages) {
      add(in, in, 3, stride, in);
      add(in, filters, 1, 1, 1);
      in = filters;
    }
    last = register_module("last", torch::nn::Linear(256, 10));
  }
  Tensor features(Tensor x) override {
    for (const auto& layer : layers) x = torch::relu(layer->forward(x));
    return x;
  }
};

std::shared_ptr<Model> model_of(const contest::Task& task) {
  if (task.network == 'D') return std::make_shared<ResNet>(task, 16, 3);
  if (task.network == 'F') return std::make_shared<ResNet>(task, 64, 2);
  if (task.deep()) return std::make_shared<MobileNet>(task);
  return std::make_shared<Small>(task.network);
}

class Contender : public contest::Network {
 public:
  explicit Contender(const contest::Task& task) : task_(task), model_(model_of(task)) {
    at::set_num_threads(task.threads);
    _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
    _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_ON);
    const auto digits = contest::digit_floats(task);
    const auto count = static_cast<long>(digits.count);
    images_ = torch::from_blob(const_cast<float*>(digits.pixels.data()),
                               {count, static_cast<long>(task.image_size())})
                  .clone();
    labels_ = torch::empty({count}, torch::kLong);
    for (std::size_t i = 0; i < digits.count; ++i) labels_.data_ptr<long>()[i] = digits.labels[i];
    if (task.network == 'A')
      optimizer_ = std::make_unique<torch::optim::SGD>(model_->parameters(), 0.01);
    else
      optimizer_ = std::make_unique<torch::optim::Adam>(model_->parameters(), 1e-3);
    if (!task.training) pack();
  }
  void train(std::size_t images) override {
    const Tensor order = torch::randperm(static_cast<long>(images), torch::kLong);
    const auto batch = static_cast<long>(task_.batch);
    for (long first = 0; first < order.size(0); first += batch) {
      const Tensor indices = order.narrow(0, first, batch);
      const Tensor loss = torch::nn::functional::cross_entropy(
          model_->forward(images_.index_select(0, indices)), labels_.index_select(0, indices));
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
  void pack() {
    const c10::InferenceMode guard;
    for (const auto& parameter : model_->parameters())
      (parameter.dim() == 1 ? biases_ : weights_).push_back(parameter.to_mkldnn());
  }

  contest::Task task_;
  std::shared_ptr<Model> model_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_{};
  Tensor images_{}, labels_{};
  std::vector<Tensor> weights_{}, biases_{};
};

}  // namespace

int main(int argc, char** argv) {
  const auto make = [](const contest::Task& task) -> std::unique_ptr<contest::Network> {
    return std::make_unique<Contender>(task);
  };
  return contest::run(argc, argv, make, "ABCDEFG", "ABC");
}
