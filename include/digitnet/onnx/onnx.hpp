// ONNX export, for the runtimes that read it. Needs protobuf and the schema of libonnx (CMake:
// digitnet::onnx).
#pragma once
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wshadow"
#endif
#include <onnx/onnx_pb.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include "digitnet/core/atomic_file.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/core/shape.hpp"
#include "digitnet/inspect/describe.hpp"

namespace digitnet {

namespace detail {

// Builds the graph. Images are channels first inside, as ONNX has them, and channels last where the model
// begins, is flattened, and ends.
class OnnxGraph {
 public:
  explicit OnnxGraph(const ModelDescription& model, std::span<const float> parameters)
      : parameters_(parameters) {
    file_.set_ir_version(7);
    file_.set_producer_name("digitnet");
    file_.add_opset_import()->set_version(13);
    graph_ = file_.mutable_graph();
    graph_->set_name("digitnet");
    describe_value(*graph_->add_input(), "input", model.input);
    results_.push_back({"input", false});
    for (std::size_t i = 0; i < model.layers.size(); ++i) {
      const std::vector<std::size_t> sources = model.sources(i);
      go_to(results_[sources.front()]);
      if (sources.size() > 1)
        merge(model.layers[i], sources);
      else
        add(model.layers[i]);
      results_.push_back({now_, channels_first_});
    }
    go_to(results_.back());
    channels_last();
    node("Identity", {now_}, "output");
    describe_value(*graph_->add_output(), "output",
                   model.layers.empty() ? model.input : model.layers.back().output);
  }
  std::string bytes() const { return file_.SerializeAsString(); }

 private:
  static void describe_value(onnx::ValueInfoProto& value, const std::string& name,
                             const std::vector<std::size_t>& shape) {
    value.set_name(name);
    auto* const tensor = value.mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(onnx::TensorProto::FLOAT);
    tensor->mutable_shape()->add_dim()->set_dim_param("batch");
    for (const std::size_t extent : shape)
      tensor->mutable_shape()->add_dim()->set_dim_value(static_cast<std::int64_t>(extent));
  }

  onnx::NodeProto& node(const std::string& type, const std::vector<std::string>& inputs,
                        const std::string& output = "") {
    onnx::NodeProto& result = *graph_->add_node();
    result.set_op_type(type);
    result.set_name(layer_ + "/" + type + "_" + to_text(count_));
    for (const std::string& input : inputs) result.add_input(input);
    last_ = output.empty() ? "value_" + to_text(count_) : output;
    ++count_;
    result.add_output(last_);
    return result;
  }
  // The same, and its result is the chain's.
  onnx::NodeProto& step(const std::string& type, const std::vector<std::string>& more = {}) {
    std::vector<std::string> inputs{now_};
    inputs.insert(inputs.end(), more.begin(), more.end());
    onnx::NodeProto& result = node(type, inputs);
    now_ = last_;
    return result;
  }
  static void put(onnx::NodeProto& node, const char* name, std::int64_t number) {
    auto* const attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(number);
  }
  static void put(onnx::NodeProto& node, const char* name, float number) {
    auto* const attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::FLOAT);
    attribute->set_f(number);
  }
  static void put(onnx::NodeProto& node, const char* name, const std::vector<std::int64_t>& list) {
    auto* const attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t number : list) attribute->add_ints(number);
  }

  std::string tensor(const std::string& name, const std::vector<std::size_t>& shape,
                     std::span<const float> values) {
    onnx::TensorProto& result = *graph_->add_initializer();
    result.set_name(layer_ + "/" + name + (name.empty() ? to_text(count_++) : ""));
    result.set_data_type(onnx::TensorProto::FLOAT);
    for (const std::size_t extent : shape) result.add_dims(static_cast<std::int64_t>(extent));
    result.set_raw_data(values.data(), values.size_bytes());
    return result.name();
  }
  std::string number(double value) {
    const auto single = static_cast<float>(value);
    return tensor("", {}, {&single, 1});
  }
  std::string list(const std::vector<std::int64_t>& values) {
    onnx::TensorProto& result = *graph_->add_initializer();
    result.set_name(layer_ + "/list_" + to_text(count_++));
    result.set_data_type(onnx::TensorProto::INT64);
    result.add_dims(static_cast<std::int64_t>(values.size()));
    for (const std::int64_t value : values) result.add_int64_data(value);
    return result.name();
  }
  std::span<const float> values(const WeightDescription& weight) const {
    return parameters_.subspan(weight.offset, weight.size());
  }
  std::string weight(const LayerDescription& layer, std::size_t i) {
    return tensor(layer.weights[i].name, layer.weights[i].shape, values(layer.weights[i]));
  }

  void channels_first() {
    if (channels_first_) return;
    put(step("Transpose"), "perm", std::vector<std::int64_t>{0, 3, 1, 2});
    channels_first_ = true;
  }
  void channels_last() {
    if (!channels_first_) return;
    put(step("Transpose"), "perm", std::vector<std::int64_t>{0, 2, 3, 1});
    channels_first_ = false;
  }

  // Kernel, strides and explicit padding of a window.
  void put_window(onnx::NodeProto& node, const LayerDescription& layer,
                  const std::vector<std::int64_t>& window) {
    const auto strides = layer.attribute<std::vector<std::int64_t>>("strides", {1, 1});
    const Padding padding =
        layer.attribute<std::string>("padding") == "same" ? Padding::same : Padding::valid;
    std::vector<std::int64_t> before, after;
    for (std::size_t axis = 0; axis < 2; ++axis) {
      const auto extent = static_cast<std::size_t>(window[axis]);
      const Sliding sliding(layer.input[axis], extent, static_cast<std::size_t>(strides[axis]), padding);
      const std::size_t total = padding == Padding::same ? sliding.padded - layer.input[axis] : 0;
      before.push_back(static_cast<std::int64_t>(sliding.before));
      after.push_back(static_cast<std::int64_t>(total - (padding == Padding::same ? sliding.before : 0)));
    }
    put(node, "kernel_shape", window);
    put(node, "strides", strides);
    put(node, "pads", {before[0], before[1], after[0], after[1]});
  }

  // A value of the graph, and whether it is an image with its channels first.
  struct Result {
    std::string name;
    bool channels_first;
  };
  void go_to(const Result& result) {
    now_ = result.name;
    channels_first_ = result.channels_first;
  }

  void merge(const LayerDescription& layer, const std::vector<std::size_t>& sources) {
    layer_ = layer.name;
    const bool is_image = layer.output.size() == 3;
    std::vector<std::string> inputs;
    for (const std::size_t source : sources) {
      go_to(results_[source]);
      if (is_image) channels_first();
      inputs.push_back(now_);
    }
    const std::string& type = layer.class_name;
    onnx::NodeProto& merged = node(type == "Multiply" ? "Mul" : type == "Add" ? "Sum" : "Concat", inputs);
    if (type == "Concatenate") put(merged, "axis", std::int64_t{is_image ? 1 : -1});
    now_ = last_;
  }

  // A convolution by a kernel (height, width, channels, filters), or of each channel by itself, (height,
  // width, channels, multiplier).
  void convolution(const LayerDescription& layer, std::size_t kernel_at, bool by_channel, bool with_bias,
                   bool slides) {
    const auto& shape = layer.weights[kernel_at].shape;
    const std::span<const float> kernel = values(layer.weights[kernel_at]);
    const std::size_t taps = shape[0] * shape[1];
    std::vector<float> turned(kernel.size());
    for (std::size_t tap = 0; tap < taps; ++tap)
      for (std::size_t c = 0; c < shape[2]; ++c)
        for (std::size_t f = 0; f < shape[3]; ++f) {
          const std::size_t row = by_channel ? c * shape[3] + f : f * shape[2] + c;
          turned[row * taps + tap] = kernel[(tap * shape[2] + c) * shape[3] + f];
        }
    const std::vector<std::size_t> order =
        by_channel ? std::vector<std::size_t>{shape[2] * shape[3], 1, shape[0], shape[1]}
                   : std::vector<std::size_t>{shape[3], shape[2], shape[0], shape[1]};
    std::vector<std::string> more{tensor(layer.weights[kernel_at].name, order, turned)};
    if (with_bias) more.push_back(weight(layer, layer.weights.size() - 1));
    onnx::NodeProto& result = step("Conv", more);
    if (slides) put_window(result, layer, layer.attribute<std::vector<std::int64_t>>("kernel_size"));
    if (by_channel) put(result, "group", static_cast<std::int64_t>(shape[2]));
  }

  void layer_normalization(const LayerDescription& layer) {
    channels_last();
    const auto mean = [&] { put(step("ReduceMean"), "axes", std::vector<std::int64_t>{-1}); };
    const std::string x = now_;
    mean();
    node("Sub", {x, now_});
    const std::string centred = last_;
    node("Mul", {centred, centred});
    now_ = last_;
    mean();
    step("Add", {number(layer.attribute<double>("epsilon"))});
    step("Sqrt");
    node("Div", {centred, now_});
    now_ = last_;
    for (std::size_t i = 0; i < layer.weights.size(); ++i)
      step(layer.weights[i].name == "gamma" ? "Mul" : "Add", {weight(layer, i)});
  }

  void add(const LayerDescription& layer) {
    layer_ = layer.name;
    const std::string& type = layer.class_name;
    const bool is_image = layer.input.size() == 3;
    const auto real = [&](const char* name) { return static_cast<float>(layer.attribute<double>(name)); };
    if (type == "Dense") {
      std::vector<std::string> more{weight(layer, 0)};
      if (layer.weights.size() > 1) more.push_back(weight(layer, 1));
      step("Gemm", more);
    } else if (type == "Conv2D") {
      channels_first();
      convolution(layer, 0, false, layer.attribute<bool>("use_bias"), true);
    } else if (type == "DepthwiseConv2D") {
      channels_first();
      convolution(layer, 0, true, layer.attribute<bool>("use_bias"), true);
    } else if (type == "SeparableConv2D") {
      channels_first();
      convolution(layer, 0, true, false, true);
      convolution(layer, 1, false, layer.attribute<bool>("use_bias"), false);
    } else if (type == "LayerNormalization") {
      layer_normalization(layer);
    } else if (type == "MaxPooling2D" || type == "AveragePooling2D") {
      channels_first();
      put_window(step(type == "MaxPooling2D" ? "MaxPool" : "AveragePool"), layer,
                 layer.attribute<std::vector<std::int64_t>>("pool_size"));
    } else if (type == "GlobalAveragePooling2D") {
      channels_first();
      put(step("ReduceMean"), "axes", std::vector<std::int64_t>{2, 3});
      put(*graph_->mutable_node(graph_->node_size() - 1), "keepdims", std::int64_t{0});
      channels_first_ = false;
    } else if (type == "BatchNormalization") {
      batch_normalization(layer, is_image, real("epsilon"));
    } else if (type == "Flatten") {
      channels_last();
      put(step("Flatten"), "axis", std::int64_t{1});
    } else if (type == "Reshape") {
      channels_last();
      std::vector<std::int64_t> shape{-1};
      for (const std::size_t extent : layer.output) shape.push_back(static_cast<std::int64_t>(extent));
      step("Reshape", {list(shape)});
    } else if (type == "ZeroPadding2D") {
      channels_last();
      const auto frame = layer.attribute<std::vector<std::int64_t>>("padding");
      step("Pad", {list({0, frame[0], frame[1], 0, 0, frame[0], frame[1], 0})});
    } else if (type == "Dropout" || type == "SpatialDropout2D" || type == "GaussianNoise" ||
               type.starts_with("Random") || type == "Identity") {
      // Acts in training only.
    } else if (type == "Rescaling") {
      step("Mul", {number(layer.attribute<double>("scale"))});
      step("Add", {number(layer.attribute<double>("offset"))});
    } else if (type == "Softmax") {
      channels_last();
      put(step("Softmax"), "axis", std::int64_t{-1});
    } else if (type == "ReLU" || type == "Sigmoid" || type == "Tanh" || type == "Softplus") {
      step(type == "ReLU" ? "Relu" : type);
    } else if (type == "LeakyReLU") {
      put(step("LeakyRelu"), "alpha", real("negative_slope"));
    } else if (type == "ELU") {
      put(step("Elu"), "alpha", real("alpha"));
    } else if (type == "SiLU") {
      const std::string x = now_;
      step("Sigmoid");
      step("Mul", {x});
    } else if (type == "HardSwish") {
      const std::string x = now_;
      onnx::NodeProto& sigmoid = step("HardSigmoid");
      put(sigmoid, "alpha", 1.0f / 6);
      put(sigmoid, "beta", 0.5f);
      step("Mul", {x});
    } else if (type == "GELU") {
      gelu(layer.attribute<bool>("approximate"));
    } else {
      fail("The layer \"" + layer.name + "\" cannot be written as ONNX: there is no rule for " +
           layer.text());
    }
  }

  void batch_normalization(const LayerDescription& layer, bool is_image, float epsilon) {
    if (is_image)
      channels_first();
    else if (layer.input.size() != 1)
      fail("The layer \"" + layer.name +
           "\" cannot be written as ONNX: it normalizes neither images nor flat samples");
    const std::size_t channels = layer.input.back();
    std::vector<float> gamma(channels, 1.0f), beta(channels, 0.0f);
    std::string names[4];
    for (std::size_t i = 0; i < layer.weights.size(); ++i) {
      const std::string& name = layer.weights[i].name;
      const std::size_t place = name == "gamma" ? 0 : name == "beta" ? 1 : name == "moving_mean" ? 2 : 3;
      names[place] = weight(layer, i);
    }
    if (names[0].empty()) names[0] = tensor("gamma", {channels}, gamma);
    if (names[1].empty()) names[1] = tensor("beta", {channels}, beta);
    put(step("BatchNormalization", {names[0], names[1], names[2], names[3]}), "epsilon", epsilon);
  }

  void gelu(bool approximate) {
    const std::string x = now_;
    if (approximate) {  // tanh(sqrt(2 / pi) (x + 0.044715 x^3))
      step("Mul", {x});
      step("Mul", {number(0.044715)});
      step("Add", {number(1)});
      step("Mul", {x});
      step("Mul", {number(std::sqrt(2 * std::numbers::inv_pi))});
      step("Tanh");
    } else {
      step("Mul", {number(std::numbers::sqrt2 / 2)});
      step("Erf");
    }
    step("Add", {number(1)});
    step("Mul", {x});
    step("Mul", {number(0.5)});
  }

  std::span<const float> parameters_;
  onnx::ModelProto file_;
  onnx::GraphProto* graph_ = nullptr;
  std::string layer_ = "model", now_, last_;
  bool channels_first_ = false;
  std::vector<Result> results_;  // the input's, and each layer's
  std::size_t count_ = 0;
};

}  // namespace detail

/// Writes a model for inference as ONNX, opset 13: "input" (batch, ...input shape), channels last, to
/// "output" (batch, ...). Layers that act in training only are left out. Throws an Error for a layer without
/// a counterpart, by name; the file appears whole or not at all.
[[gnu::cold]] inline void save_onnx(const ModelDescription& model, std::span<const float> parameters,
                                    const std::string& path) {
  const std::string bytes = detail::OnnxGraph(model, parameters).bytes();
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}
template <class Model>
void save_onnx(const Model& model, const std::string& path) {
  save_onnx(describe(model), model.parameters(), path);
}

}  // namespace digitnet
