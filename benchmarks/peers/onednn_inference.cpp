// oneDNN's primitives called directly: inference of the deep networks, and of networks on bytes.
// Normalization is folded into kernels and biases, as every runtime does; the sum around a residual block and
// the ReLU come behind the product in the same primitive. Every primitive picks its own layouts
// (format_tag::any); bytes lie channels last. On bytes: uint8 behind a ReLU, int8 elsewhere, kernels in int8
// with a scale for each channel, the images converted from floats. Threads are OpenMP's.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <random>
#include <unordered_map>

#include "contest.hpp"
#include "onednn.hpp"

namespace {

struct Convolution {
  memory::dim filters, kernel = 3, stride = 1;
  bool relu = true, same = true, depthwise = false;
};

class Contender : public contest::Network {
 public:
  explicit Contender(const contest::Task& task) : task_(task), digits_(contest::digit_floats(task)) {
    omp_set_num_threads(task.threads);
    const auto batch = static_cast<memory::dim>(task.batch), side = static_cast<memory::dim>(task.side()),
               channels = static_cast<memory::dim>(task.channels());
    input_ = zeros({{batch, channels, side, side}, Type::f32, Tag::nhwc});
    dnnl::primitive_attr steps;
    if (task.on_bytes) steps.set_output_scales(0, {255});
    memory x = zeros({{batch, channels, side, side}, task.on_bytes ? Type::u8 : Type::f32, Tag::nhwc});
    if (task.on_bytes)
      add(dnnl::reorder(dnnl::reorder::primitive_desc(input_, x, steps)),
          {{DNNL_ARG_FROM, input_}, {DNNL_ARG_TO, x}});
    else
      x = input_;
    if (task.network == 'C')
      x = small(x);
    else if (task.network == 'D' || task.network == 'F')
      x = resnet(x, task.network == 'D' ? 3 : 2, task.network == 'D' ? 16 : 64);
    else
      x = mobilenet(x);
    output_ = x;
    probabilities_.resize(task.batch * 10);
    stream_.wait();
  }

  void train(std::size_t) override {}
  float predict(std::size_t first) override {
    std::copy_n(digits_.pixels.data() + first * task_.image_size(), task_.batch * task_.image_size(),
                static_cast<float*>(input_.get_data_handle()));
    for (Operation& operation : operations_) operation.primitive.execute(stream_, operation.arguments);
    stream_.wait();
    for (std::size_t i = 0; i < task_.batch; ++i) {
      const float* const logits = static_cast<const float*>(output_.get_data_handle()) + i * 10;
      const float largest = *std::max_element(logits, logits + 10);
      float* const probabilities = probabilities_.data() + i * 10;
      float sum = 0;
      for (std::size_t j = 0; j < 10; ++j) sum += probabilities[j] = std::exp(logits[j] - largest);
      for (std::size_t j = 0; j < 10; ++j) probabilities[j] /= sum;
    }
    return probabilities_[0];
  }

 private:
  struct Operation {
    dnnl::primitive primitive;
    std::unordered_map<int, memory> arguments;
  };

  memory small(memory x) {
    x = pooling(convolution(x, {.filters = 32, .same = false}), dnnl::algorithm::pooling_max, 2);
    x = pooling(convolution(x, {.filters = 64, .same = false}), dnnl::algorithm::pooling_max, 2);
    return dense(dense(x, 64, true), 10, false);
  }
  memory resnet(memory x, int blocks, memory::dim width) {
    x = convolution(x, {.filters = width});
    for (const memory::dim filters : {width, 2 * width, 4 * width})
      for (int i = 0; i < blocks; ++i) {
        const bool wider = filters != x.get_desc().dims()[1];
        const memory::dim stride = wider ? 2 : 1;
        const memory y = convolution(x, {.filters = filters, .stride = stride});
        if (wider) x = convolution(x, {.filters = filters, .kernel = 1, .stride = stride, .relu = false});
        x = convolution(y, {.filters = filters}, x);
      }
    return classes(x);
  }
  memory mobilenet(memory x) {
    x = convolution(x, {.filters = 32});
    const std::pair<memory::dim, memory::dim> stages[] = {{64, 1}, {128, 2}, {128, 1}, {256, 2}, {256, 1}};
    for (const auto& [filters, stride] : stages) {
      x = convolution(x, {.filters = x.get_desc().dims()[1], .stride = stride, .depthwise = true});
      x = convolution(x, {.filters = filters, .kernel = 1});
    }
    return classes(x);
  }
  memory classes(const memory& x) {
    return dense(pooling(x, dnnl::algorithm::pooling_avg_exclude_padding, x.get_desc().dims()[2]), 10, false);
  }

  void add(const dnnl::primitive& primitive, const std::unordered_map<int, memory>& arguments) {
    operations_.push_back({primitive, arguments});
  }
  memory in_layout(const memory& m, const Description& wanted) {
    if (m.get_desc() == wanted) return m;
    const memory result = zeros(wanted);
    add(dnnl::reorder(m, result), {{DNNL_ARG_FROM, m}, {DNNL_ARG_TO, result}});
    return result;
  }
  Description activations(const Dims& dims, Type on_bytes) const {
    if (!task_.on_bytes) return {dims, Type::f32, Tag::any};
    return {dims, on_bytes, dims.size() == 4 ? Tag::nhwc : Tag::ab};
  }
  Type kernel_type() const { return task_.on_bytes ? Type::s8 : Type::f32; }
  // Random numbers, reordered once; returned in the layout of a primitive.
  memory weights(const Dims& dims, memory::dim inputs, const Description& wanted) {
    constexpr Tag tags[] = {Tag::a, Tag::ab, Tag::abc, Tag::abcd, Tag::abcde};
    memory plain = zeros({dims, Type::f32, tags[dims.size() - 1]}), result = zeros(wanted);
    const float bound = task_.on_bytes ? 127 : std::sqrt(6.0f / static_cast<float>(inputs));
    std::uniform_real_distribution<float> uniform(-bound, bound);
    const std::size_t size = plain.get_desc().get_size() / sizeof(float);
    std::generate_n(static_cast<float*>(plain.get_data_handle()), size, [&] { return uniform(random_); });
    dnnl::reorder(plain, result).execute(stream_, plain, result);
    stream_.wait();
    return result;
  }
  dnnl::primitive_attr attributes(memory::dim outputs, memory::dim inputs, bool relu, Type added) const {
    dnnl::primitive_attr result;
    if (task_.on_bytes)
      result.set_output_scales(1 << 1, std::vector<float>(static_cast<std::size_t>(outputs),
                                                          1 / (50 * std::sqrt(static_cast<float>(inputs)))));
    dnnl::post_ops after;
    if (added != Type::undef) after.append_sum(1, added);
    if (relu) after.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
    result.set_post_ops(after);
    return result;
  }

  // A convolution, with `added` before the ReLU, whose memory the result takes.
  memory convolution(const memory& x, const Convolution& c, const memory& added = {}) {
    const Dims in = x.get_desc().dims();
    const memory::dim channels = in[1],
                      side = c.same ? (in[2] + c.stride - 1) / c.stride : in[2] - c.kernel + 1,
                      pad = c.same ? std::max<memory::dim>(0, (side - 1) * c.stride + c.kernel - in[2]) : 0,
                      inputs = c.kernel * c.kernel * (c.depthwise ? 1 : channels);
    const Dims w_dims = c.depthwise ? Dims{channels, 1, 1, c.kernel, c.kernel}
                                    : Dims{c.filters, channels, c.kernel, c.kernel},
               strides{c.stride, c.stride}, before{pad / 2, pad / 2}, behind{pad - pad / 2, pad - pad / 2};
    const bool relu = c.relu || added;
    const dnnl::convolution_forward::primitive_desc descriptor(
        {dnnl::prop_kind::forward_inference,
         dnnl::algorithm::convolution_auto,
         activations(in, x.get_desc().data_type()),
         {w_dims, kernel_type(), Tag::any},
         {{c.filters}, Type::f32, Tag::any},
         activations({in[0], c.filters, side, side}, relu ? Type::u8 : Type::s8),
         strides,
         before,
         behind},
        attributes(c.filters, inputs, relu, added ? added.get_desc().data_type() : Type::undef), engine());
    const memory x_here = in_layout(x, descriptor.src_desc()),
                 w = weights(w_dims, inputs, descriptor.weights_desc()), bias = zeros(descriptor.bias_desc());
    memory y;
    if (!added) {
      y = zeros(descriptor.dst_desc());
    } else if (task_.on_bytes) {
      // Bytes of either sign in the same layout.
      kept_.push_back(added);
      y = memory(descriptor.dst_desc(), engine(), added.get_data_handle());
    } else {
      y = in_layout(added, descriptor.dst_desc());
    }
    add(dnnl::convolution_forward(descriptor),
        {{DNNL_ARG_SRC, x_here}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, y}});
    return y;
  }
  // Windows side by side; an odd last row is no part of any.
  memory pooling(const memory& x, dnnl::algorithm algorithm, memory::dim window) {
    const Dims in = x.get_desc().dims(), windows{window, window}, none{0, 0},
               left_out{-(in[2] % window), -(in[3] % window)};
    const dnnl::pooling_forward::primitive_desc descriptor(
        {dnnl::prop_kind::forward_inference, algorithm, x.get_desc(),
         activations({in[0], in[1], in[2] / window, in[3] / window}, x.get_desc().data_type()), windows,
         windows, none, left_out},
        engine());
    const memory y = zeros(descriptor.dst_desc());
    add(dnnl::pooling_forward(descriptor), {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}});
    return y;
  }
  memory dense(const memory& x, memory::dim units, bool relu) {
    Dims w_dims = x.get_desc().dims();
    const Dims y_dims{w_dims[0], units};
    w_dims[0] = units;
    memory::dim inputs = 1;
    for (std::size_t i = 1; i < w_dims.size(); ++i) inputs *= w_dims[i];
    const dnnl::inner_product_forward::primitive_desc descriptor(
        {dnnl::prop_kind::forward_inference,
         x.get_desc(),
         {w_dims, kernel_type(), Tag::any},
         {{units}, Type::f32, Tag::any},
         {y_dims, task_.on_bytes && relu ? Type::u8 : Type::f32, Tag::ab}},
        attributes(units, inputs, relu, Type::undef), engine());
    const memory w = weights(w_dims, inputs, descriptor.weights_desc()), bias = zeros(descriptor.bias_desc()),
                 y = zeros(descriptor.dst_desc());
    add(dnnl::inner_product_forward(descriptor),
        {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, y}});
    return y;
  }

  contest::Task task_;
  contest::Digits<float> digits_;
  dnnl::stream stream_{engine()};
  std::mt19937 random_{1};
  std::vector<Operation> operations_{};
  std::vector<memory> kept_{};
  memory input_{}, output_{};
  std::vector<float> probabilities_{};
};

}  // namespace

int main(int argc, char** argv) {
  const auto make = [](const contest::Task& task) -> std::unique_ptr<contest::Network> {
    return std::make_unique<Contender>(task);
  };
  return contest::run(argc, argv, make, "", "CDEFG", "CDE");
}
