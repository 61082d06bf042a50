// oneDNN's primitives called directly, with no framework around them: what the vendor's kernels reach. Every
// primitive picks its own layouts (format_tag::any) and computes the ReLU after it; weights live in the plain
// layout that the optimizer steps and are reordered once a step, in bfloat16 where that is asked for. Threads
// are OpenMP's.
#include "onednn.hpp"

#include <omp.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <random>
#include <unordered_map>

#include "contest.hpp"

namespace {

Description any(const Dims& dims, Type type) { return {dims, type, Tag::any}; }
Description plain(const Dims& dims, Type type = Type::f32) {
  constexpr Tag tags[] = {Tag::a, Tag::ab, Tag::abc, Tag::abcd};
  return {dims, type, tags[dims.size() - 1]};
}
float* floats(const memory& m) { return static_cast<float*>(m.get_data_handle()); }

class Contender : public contest::Network {
 public:
  explicit Contender(const contest::Task& task)
      : task_(task),
        batch_(static_cast<memory::dim>(task.batch)),
        training_(task.training),
        type_(task.bfloat16() ? Type::bf16 : Type::f32) {
    const char network = task.letter();
    omp_set_num_threads(task.threads);
    digits_ = contest::digit_floats(task);
    memory x;
    if (network == 'C') {
      input_ = zeros(plain({batch_, 1, 28, 28}));
      x = in_layout(input_, plain({batch_, 1, 28, 28}, type_), forward_);
      x = max_pooling(convolution(x, 1, 32, 28), 32, 26);
      x = max_pooling(convolution(x, 32, 64, 13), 64, 11);
      x = dense(x, {batch_, 64, 5, 5}, 64, true);
      x = dense(x, {batch_, 64}, 10, false);
    } else {
      const memory::dim hidden = network == 'A' ? 100 : 512;
      input_ = zeros(plain({batch_, 784}));
      x = dense(in_layout(input_, plain({batch_, 784}, type_), forward_), {batch_, 784}, hidden, true);
      if (network == 'B') x = dense(x, {batch_, hidden}, hidden, true);
      x = dense(x, {batch_, hidden}, 10, false);
    }
    output_ = in_layout(x, plain({batch_, 10}), forward_);
    if (training_) {
      output_gradient_ = zeros(plain({batch_, 10}));
      memory gradient = output_gradient_;
      for (std::size_t i = gradients_.size(); i-- > 0;) gradient = gradients_[i](gradient);
    }
    probabilities_.resize(task.batch * 10);
    execute(prepare_);
  }

  void train(std::size_t images) override {
    const auto order = contest::shuffled(images);
    std::vector<std::uint8_t> labels(task_.batch);
    for (std::size_t first = 0; first < order.size(); first += task_.batch) {
      for (std::size_t i = 0; i < task_.batch; ++i) {
        std::copy_n(digits_.pixels.data() + order[first + i] * task_.image_size(), task_.image_size(),
                    floats(input_) + i * task_.image_size());
        labels[i] = digits_.labels[order[first + i]];
      }
      execute(forward_);
      softmax(floats(output_gradient_));
      for (std::size_t i = 0; i < task_.batch; ++i) floats(output_gradient_)[i * 10 + labels[i]] -= 1;
      for (std::size_t i = 0; i < task_.batch * 10; ++i)
        floats(output_gradient_)[i] /= static_cast<float>(task_.batch);
      execute(backward_);
      step();
      execute(prepare_);
    }
  }
  float predict(std::size_t first) override {
    std::copy_n(digits_.pixels.data() + first * task_.image_size(), task_.batch * task_.image_size(),
                floats(input_));
    execute(forward_);
    softmax(probabilities_.data());
    return probabilities_[0];
  }

 private:
  struct Operation {
    dnnl::primitive primitive;
    std::unordered_map<int, memory> arguments;
  };
  struct Parameter {
    memory value, gradient, mean, variance;
  };

  void execute(std::vector<Operation>& operations) {
    for (Operation& operation : operations) operation.primitive.execute(stream_, operation.arguments);
    stream_.wait();
  }
  // The same numbers in another layout, brought there by an operation added to `where`.
  memory in_layout(const memory& m, const Description& wanted, std::vector<Operation>& where) {
    if (m.get_desc() == wanted) return m;
    const memory result = zeros(wanted);
    where.push_back({dnnl::reorder(m, result), {{DNNL_ARG_FROM, m}, {DNNL_ARG_TO, result}}});
    return result;
  }
  const Parameter& parameter(const Dims& dims, double bound) {
    const Description description = plain(dims);
    const Parameter p{zeros(description), zeros(description), zeros(description), zeros(description)};
    std::uniform_real_distribution<float> uniform(static_cast<float>(-bound), static_cast<float>(bound));
    for (std::size_t i = 0; bound > 0 && i < description.get_size() / sizeof(float); ++i)
      floats(p.value)[i] = uniform(random_);
    parameters_.push_back(std::make_unique<Parameter>(p));
    return *parameters_.back();
  }
  dnnl::prop_kind kind() const {
    return training_ ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  }
  static dnnl::primitive_attr with_relu(bool on) {
    dnnl::primitive_attr attributes;
    dnnl::post_ops after;
    if (on) after.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
    attributes.set_post_ops(after);
    return attributes;
  }
  memory relu_gradient(const memory& y, memory dy) {
    constexpr auto relu = dnnl::algorithm::eltwise_relu_use_dst_for_bwd;
    dy = in_layout(dy, y.get_desc(), backward_);
    const dnnl::eltwise_forward::primitive_desc hint(
        {dnnl::prop_kind::forward_training, relu, y.get_desc(), 0.f, 0.f}, engine());
    const dnnl::eltwise_backward::primitive_desc descriptor({relu, y.get_desc(), y.get_desc(), 0.f, 0.f},
                                                            engine(), hint);
    const memory dx = zeros(descriptor.diff_src_desc());
    backward_.push_back({dnnl::eltwise_backward(descriptor),
                         {{DNNL_ARG_DST, y}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DIFF_SRC, dx}}});
    return dx;
  }
  // Runs a primitive that computes the gradients of a layer's parameters, whose own layout the optimizer
  // wants.
  template <class Primitive>
  void weight_gradient(const typename Primitive::primitive_desc& descriptor, const memory& x,
                       const memory& dy, const Parameter& weights, const Parameter& bias) {
    const memory x_here = in_layout(x, descriptor.src_desc(), backward_);
    const memory dy_here = in_layout(dy, descriptor.diff_dst_desc(), backward_);
    const bool same = descriptor.diff_weights_desc() == weights.gradient.get_desc();
    const memory dw = same ? weights.gradient : zeros(descriptor.diff_weights_desc());
    backward_.push_back({Primitive(descriptor),
                         {{DNNL_ARG_SRC, x_here},
                          {DNNL_ARG_DIFF_DST, dy_here},
                          {DNNL_ARG_DIFF_WEIGHTS, dw},
                          {DNNL_ARG_DIFF_BIAS, bias.gradient}}});
    if (!same)
      backward_.push_back(
          {dnnl::reorder(dw, weights.gradient), {{DNNL_ARG_FROM, dw}, {DNNL_ARG_TO, weights.gradient}}});
  }
  template <class Primitive>
  memory input_gradient(const typename Primitive::primitive_desc& descriptor, const memory& dy,
                        const Parameter& weights) {
    const memory w = in_layout(weights.value, descriptor.weights_desc(), prepare_);
    const memory dy_here = in_layout(dy, descriptor.diff_dst_desc(), backward_);
    const memory dx = zeros(descriptor.diff_src_desc());
    backward_.push_back({Primitive(descriptor),
                         {{DNNL_ARG_DIFF_DST, dy_here}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DIFF_SRC, dx}}});
    return dx;
  }

  memory convolution(const memory& x, memory::dim channels, memory::dim filters, memory::dim side) {
    const bool first = gradients_.empty();
    const Dims x_dims{batch_, channels, side, side}, w_dims{filters, channels, 3, 3},
        y_dims{batch_, filters, side - 2, side - 2}, one{1, 1}, none{0, 0};
    constexpr auto direct = dnnl::algorithm::convolution_direct;
    const Description x_description = first ? x.get_desc() : any(x_dims, type_);
    const Parameter& weights = parameter(w_dims, std::sqrt(6.0 / static_cast<double>(9 * channels)));
    const Parameter& bias = parameter({filters}, 0);
    const dnnl::convolution_forward::primitive_desc descriptor(
        {kind(), direct, x_description, any(w_dims, type_), any({filters}, Type::f32), any(y_dims, type_),
         one, none, none},
        with_relu(true), engine());
    const memory x_here = in_layout(x, descriptor.src_desc(), forward_),
                 w = in_layout(weights.value, descriptor.weights_desc(), prepare_),
                 y = zeros(descriptor.dst_desc());
    forward_.push_back(
        {dnnl::convolution_forward(descriptor),
         {{DNNL_ARG_SRC, x_here}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, bias.value}, {DNNL_ARG_DST, y}}});
    if (training_)
      gradients_.emplace_back([=, this, &weights, &bias](memory dy) {
        dy = relu_gradient(y, dy);
        weight_gradient<dnnl::convolution_backward_weights>(
            {{direct, x_description, any(w_dims, Type::f32), any({filters}, Type::f32), any(y_dims, type_),
              one, none, none},
             engine(),
             descriptor},
            x_here, dy, weights, bias);
        if (first) return memory();
        return input_gradient<dnnl::convolution_backward_data>(
            {{direct, any(x_dims, type_), any(w_dims, type_), any(y_dims, type_), one, none, none},
             engine(),
             descriptor},
            dy, weights);
      });
    return y;
  }
  memory max_pooling(const memory& x, memory::dim channels, memory::dim side) {
    const Dims y_dims{batch_, channels, side / 2, side / 2}, two{2, 2}, none{0, 0},
        left_out{-(side % 2), -(side % 2)};  // an odd last row is no part of any window
    constexpr auto maximum = dnnl::algorithm::pooling_max;
    const dnnl::pooling_forward::primitive_desc descriptor(
        {kind(), maximum, x.get_desc(), any(y_dims, type_), two, two, none, left_out}, engine());
    const memory y = zeros(descriptor.dst_desc());
    std::unordered_map<int, memory> arguments{{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}};
    memory argmaxes;
    if (training_) arguments[DNNL_ARG_WORKSPACE] = argmaxes = zeros(descriptor.workspace_desc());
    forward_.push_back({dnnl::pooling_forward(descriptor), arguments});
    if (training_)
      gradients_.emplace_back([=, this](memory dy) {
        const dnnl::pooling_backward::primitive_desc back(
            {maximum, x.get_desc(), any(y_dims, type_), two, two, none, left_out}, engine(), descriptor);
        dy = in_layout(dy, back.diff_dst_desc(), backward_);
        const memory dx = zeros(back.diff_src_desc());
        backward_.push_back(
            {dnnl::pooling_backward(back),
             {{DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_WORKSPACE, argmaxes}, {DNNL_ARG_DIFF_SRC, dx}}});
        return dx;
      });
    return y;
  }
  memory dense(const memory& x, const Dims& x_dims, memory::dim units, bool relu) {
    const bool first = gradients_.empty();
    Dims w_dims = x_dims;
    w_dims[0] = units;
    const Dims y_dims{batch_, units};
    double inputs = 1;
    for (std::size_t i = 1; i < x_dims.size(); ++i) inputs *= static_cast<double>(x_dims[i]);
    const Parameter& weights = parameter(w_dims, std::sqrt(6.0 / inputs));
    const Parameter& bias = parameter({units}, 0);
    const dnnl::inner_product_forward::primitive_desc descriptor(
        {kind(), x.get_desc(), any(w_dims, type_), any({units}, Type::f32), any(y_dims, type_)},
        with_relu(relu), engine());
    const memory w = in_layout(weights.value, descriptor.weights_desc(), prepare_),
                 y = zeros(descriptor.dst_desc());
    forward_.push_back(
        {dnnl::inner_product_forward(descriptor),
         {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, bias.value}, {DNNL_ARG_DST, y}}});
    if (training_)
      gradients_.emplace_back([=, this, &weights, &bias](memory dy) {
        if (relu) dy = relu_gradient(y, dy);
        weight_gradient<dnnl::inner_product_backward_weights>(
            {{x.get_desc(), any(w_dims, Type::f32), any({units}, Type::f32), any(y_dims, type_)},
             engine(),
             descriptor},
            x, dy, weights, bias);
        if (first) return memory();
        return input_gradient<dnnl::inner_product_backward_data>(
            {{x.get_desc(), any(w_dims, type_), any(y_dims, type_)}, engine(), descriptor}, dy, weights);
      });
    return y;
  }

  void softmax(float* probabilities) const {
    for (std::size_t i = 0; i < task_.batch; ++i) {
      const float* const logits = floats(output_) + i * 10;
      const float largest = *std::max_element(logits, logits + 10);
      float sum = 0;
      for (std::size_t j = 0; j < 10; ++j) sum += probabilities[i * 10 + j] = std::exp(logits[j] - largest);
      for (std::size_t j = 0; j < 10; ++j) probabilities[i * 10 + j] /= sum;
    }
  }
  void step() {
    ++steps_;
    const auto steps = static_cast<float>(steps_);
    const bool adam = task_.letter() != 'A';
    const float rate =
        adam ? 1e-3f * std::sqrt(1 - std::pow(0.999f, steps)) / (1 - std::pow(0.9f, steps)) : 0.01f;
    for (const auto& p : parameters_) {
      float *const w = floats(p->value), *const g = floats(p->gradient), *const m = floats(p->mean),
                   *const v = floats(p->variance);
      const auto size = static_cast<long>(p->value.get_desc().get_size() / sizeof(float));
#pragma omp parallel for simd if (size > 20000)
      for (long i = 0; i < size; ++i) {
        if (!adam) {
          w[i] -= rate * g[i];
          continue;
        }
        m[i] += 0.1f * (g[i] - m[i]);
        v[i] += 0.001f * (g[i] * g[i] - v[i]);
        w[i] -= rate * m[i] / (std::sqrt(v[i]) + 1e-8f);
      }
    }
  }

  contest::Task task_;
  memory::dim batch_;
  bool training_;
  // Of activations, of their gradients, and of weights in products; sums and parameters are float32.
  Type type_;
  contest::Digits<float> digits_{};
  dnnl::stream stream_{engine()};
  std::mt19937 random_{1};
  std::vector<std::unique_ptr<Parameter>> parameters_{};
  std::vector<Operation> prepare_{}, forward_{}, backward_{};
  // From a layer's output gradient to its input gradient; appends the operations.
  std::vector<std::function<memory(memory)>> gradients_{};
  memory input_{}, output_{}, output_gradient_{};
  std::vector<float> probabilities_{};
  std::size_t steps_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const auto make = [](const contest::Task& task) -> std::unique_ptr<contest::Network> {
    return std::make_unique<Contender>(task);
  };
  return contest::run(argc, argv, make, "ABCabc", "ABCabc");
}
