// XNNPACK's part in the contest, the engine inside of TensorFlow Lite: inference, as one graph with the ReLU
// in the products and normalization folded into kernels and biases.
#include <pthreadpool.h>
#include <xnnpack.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>

#include "contest.hpp"

namespace {

void check(xnn_status status) {
  if (status != xnn_status_success) throw std::runtime_error("XNNPACK: status " + std::to_string(status));
}

constexpr float infinity = std::numeric_limits<float>::infinity();

// A tensor of the graph, channels last.
struct Value {
  std::uint32_t id;
  std::vector<std::size_t> shape;
};
struct Convolution {
  std::size_t filters;
  std::uint32_t kernel = 3, stride = 1;
  bool relu = true, same = true;
};

class Contender : public contest::Network {
 public:
  explicit Contender(const contest::Task& task)
      : task_(task), digits_(contest::digit_floats(task)), probabilities_(task.batch * 10) {
    check(xnn_initialize(nullptr));
    check(xnn_create_subgraph(2, 0, &graph_));
    const bool flat = task.network < 'C';
    Value x = flat ? tensor({task.batch, task.image_size()}, nullptr, 0, XNN_VALUE_FLAG_EXTERNAL_INPUT)
                   : tensor({task.batch, task.side(), task.side(), task.channels()}, nullptr, 0,
                            XNN_VALUE_FLAG_EXTERNAL_INPUT);
    x = logits(x);
    const Value y = tensor({task.batch, 10}, nullptr, 1, XNN_VALUE_FLAG_EXTERNAL_OUTPUT);
    check(xnn_define_softmax(graph_, x.id, y.id, 0));
    if (task.threads > 1) threads_.reset(pthreadpool_create(static_cast<std::size_t>(task.threads)));
    check(xnn_create_runtime_v2(graph_, threads_.get(), 0, &runtime_));
  }
  Contender(const Contender&) = delete;
  Contender& operator=(const Contender&) = delete;
  ~Contender() override {
    xnn_delete_runtime(runtime_);
    xnn_delete_subgraph(graph_);
  }
  void train(std::size_t) override {}
  float predict(std::size_t first) override {
    float* const x = digits_.pixels.data() + first * task_.image_size();
    if (const xnn_external_value values[] = {{0, x}, {1, probabilities_.data()}}; x != last_) {
      check(xnn_setup_runtime(runtime_, 2, values));
      last_ = x;
    }
    check(xnn_invoke_runtime(runtime_));
    return probabilities_[0];
  }

 private:
  Value logits(Value x) {
    switch (task_.network) {
      case 'A':
        return dense(dense(x, 100, true), 10, false);
      case 'B':
        return dense(dense(dense(x, 512, true), 512, true), 10, false);
      case 'C':
        x = pooling(convolution(x, {.filters = 32, .same = false}));
        x = pooling(convolution(x, {.filters = 64, .same = false}));
        return dense(dense(x, 64, true), 10, false);
      case 'D':
        return resnet(x, 3, 16);
      case 'F':
        return resnet(x, 2, 64);
      default:
        return mobilenet(x);
    }
  }
  Value resnet(Value x, int blocks, std::size_t width) {
    x = convolution(x, {.filters = width});
    for (const std::size_t filters : {width, 2 * width, 4 * width})
      for (int i = 0; i < blocks; ++i) {
        const bool wider = filters != x.shape[3];
        const std::uint32_t stride = wider ? 2 : 1;
        Value y = convolution(x, {.filters = filters, .stride = stride});
        y = convolution(y, {.filters = filters, .relu = false});
        if (wider) x = convolution(x, {.filters = filters, .kernel = 1, .stride = stride, .relu = false});
        const Value sum = tensor(y.shape);
        check(xnn_define_add2(graph_, 0, infinity, x.id, y.id, sum.id, 0));
        x = sum;
      }
    return classes(x);
  }
  Value mobilenet(Value x) {
    x = convolution(x, {.filters = 32});
    const std::pair<std::size_t, std::uint32_t> stages[] = {{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}};
    for (const auto& [filters, stride] : stages) {
      x = depthwise(x, stride);
      x = convolution(x, {.filters = filters, .kernel = 1});
    }
    return classes(x);
  }
  Value classes(const Value& x) {
    const Value mean = tensor({x.shape[0], 1, 1, x.shape[3]});
    check(xnn_define_global_average_pooling_2d(graph_, -infinity, infinity, x.id, mean.id, 0));
    return dense(mean, 10, false);
  }

  Value tensor(const std::vector<std::size_t>& shape, const float* numbers = nullptr,
               std::uint32_t external = XNN_INVALID_VALUE_ID, std::uint32_t flags = 0) {
    std::uint32_t id = 0;
    check(xnn_define_tensor_value(graph_, xnn_datatype_fp32, shape.size(), shape.data(), numbers, external,
                                  flags, &id));
    return {id, shape};
  }
  Value parameter(const std::vector<std::size_t>& shape, std::size_t inputs) {
    std::size_t size = 1;
    for (const std::size_t extent : shape) size *= extent;
    const float bound = inputs ? std::sqrt(6.0f / static_cast<float>(inputs)) : 0;
    std::uniform_real_distribution<float> uniform(-bound, bound);
    auto& numbers = parameters_.emplace_back(size);
    for (float& number : numbers) number = uniform(random_);
    return tensor(shape, numbers.data());
  }
  static std::size_t side(std::size_t in, std::uint32_t kernel, std::uint32_t stride, bool same) {
    return same ? (in + stride - 1) / stride : in - kernel + 1;
  }
  Value convolution(const Value& x, const Convolution& c) {
    const std::size_t channels = x.shape[3], out = side(x.shape[1], c.kernel, c.stride, c.same);
    const Value w = parameter({c.filters, c.kernel, c.kernel, channels}, c.kernel * c.kernel * channels);
    const Value b = parameter({c.filters}, 0), y = tensor({x.shape[0], out, out, c.filters});
    check(xnn_define_convolution_2d(graph_, 0, 0, 0, 0, c.kernel, c.kernel, c.stride, c.stride, 1, 1, 1,
                                    channels, c.filters, c.relu ? 0 : -infinity, infinity, x.id, w.id, b.id,
                                    y.id, c.same ? XNN_FLAG_TENSORFLOW_SAME_PADDING : 0));
    return y;
  }
  Value depthwise(const Value& x, std::uint32_t stride) {
    const std::size_t channels = x.shape[3], out = side(x.shape[1], 3, stride, true);
    const Value w = parameter({1, 3, 3, channels}, 9), b = parameter({channels}, 0),
                y = tensor({x.shape[0], out, out, channels});
    check(xnn_define_depthwise_convolution_2d(graph_, 0, 0, 0, 0, 3, 3, stride, stride, 1, 1, 1, channels, 0,
                                              infinity, x.id, w.id, b.id, y.id,
                                              XNN_FLAG_TENSORFLOW_SAME_PADDING));
    return y;
  }
  Value pooling(const Value& x) {
    const Value y = tensor({x.shape[0], x.shape[1] / 2, x.shape[2] / 2, x.shape[3]});
    check(
        xnn_define_max_pooling_2d(graph_, 0, 0, 0, 0, 2, 2, 2, 2, 1, 1, -infinity, infinity, x.id, y.id, 0));
    return y;
  }
  Value dense(const Value& x, std::size_t units, bool relu) {
    std::size_t inputs = 1;
    for (std::size_t i = 1; i < x.shape.size(); ++i) inputs *= x.shape[i];
    const Value w = parameter({units, inputs}, inputs), b = parameter({units}, 0),
                y = tensor({x.shape[0], units});
    check(xnn_define_fully_connected(graph_, relu ? 0 : -infinity, infinity, x.id, w.id, b.id, y.id,
                                     x.shape.size() > 2 ? XNN_FLAG_TENSORFLOW_RESHAPE_2D : 0));
    return y;
  }

  contest::Task task_;
  contest::Digits<float> digits_;
  std::mt19937 random_{1};
  std::vector<std::vector<float>> parameters_{};
  xnn_subgraph_t graph_ = nullptr;
  xnn_runtime_t runtime_ = nullptr;
  struct Destroy {
    void operator()(pthreadpool* pool) const { pthreadpool_destroy(pool); }
  };
  std::unique_ptr<pthreadpool, Destroy> threads_{};
  const float* last_ = nullptr;
  std::vector<float> probabilities_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto make = [](const contest::Task& task) -> std::unique_ptr<contest::Network> {
    return std::make_unique<Contender>(task);
  };
  return contest::run(argc, argv, make, "", "ABCDEFG");
}
