// OnnxGraph: the graph of an ONNX file, opset 13, which is built node by node. It knows ONNX and no layers:
// what is in onnx/operators/ says which nodes a layer is. Needs protobuf and the schema of libonnx (CMake:
// digitnet::onnx).
#pragma once
#include <concepts>
#include <cstdint>
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

#include "digitnet/core/number_text.hpp"
#include "digitnet/inspect/description.hpp"

namespace digitnet {

/// A node that is in the graph, for its attributes: `graph.step("Elu").set("alpha", 0.5f)`.
class OnnxNode {
 public:
  explicit OnnxNode(onnx::NodeProto& node) : node_(&node) {}

  OnnxNode& set(const char* name, std::integral auto number) {
    add(name, onnx::AttributeProto::INT).set_i(static_cast<std::int64_t>(number));
    return *this;
  }
  OnnxNode& set(const char* name, std::floating_point auto number) {
    add(name, onnx::AttributeProto::FLOAT).set_f(static_cast<float>(number));
    return *this;
  }
  OnnxNode& set(const char* name, const std::vector<std::int64_t>& list) {
    onnx::AttributeProto& attribute = add(name, onnx::AttributeProto::INTS);
    for (const std::int64_t number : list) attribute.add_ints(number);
    return *this;
  }
  /// The name of the node's value.
  const std::string& output() const { return node_->output(0); }

 private:
  onnx::AttributeProto& add(const char* name, onnx::AttributeProto::AttributeType type) {
    onnx::AttributeProto& attribute = *node_->add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  }

  onnx::NodeProto* node_;
};

/// What a product on bytes has beside its kernel, whose values are then from -128 to 127: the scale of each
/// output, and the bias in steps of the input's scale times these.
struct OnnxInt8 {
  std::vector<float> scales{};
  float input_scale = 1;
  std::vector<std::int32_t> bias{};
};

/// The graph while it is built. It has a current value: what the layer gets, and at the end of the layer's
/// entry what the layer gives. An image is channels last where the model begins and ends and, between layers,
/// in the order that the layer before left: an entry whose nodes name axes begins with `channels_first()` or
/// `channels_last()`.
class OnnxGraph {
 public:
  /// A value of the graph, and whether it is an image with its channels first.
  struct Value {
    std::string name;
    bool channels_first = false;
  };

  /// The shape of one sample, and the memory in which the model's parameters lie.
  OnnxGraph(const std::vector<std::size_t>& input, std::span<const float> parameters)
      : parameters_(parameters) {
    file_.set_ir_version(7);
    file_.set_producer_name("digitnet");
    file_.add_opset_import()->set_version(13);
    graph_ = file_.mutable_graph();
    graph_->set_name("digitnet");
    describe_value(*graph_->add_input(), "input", input);
  }
  /// Begins a layer of that name; it gets these values. The first is the current one.
  void begin_layer(const std::string& name, std::vector<Value> sources) {
    layer_ = name;
    sources_ = std::move(sources);
    value_ = sources_.front();
    int8_ = {};
  }
  /// The layer's "kernel" and "bias" become whole numbers, each with a node that makes floats of them.
  void on_bytes(OnnxInt8 how) { int8_ = std::move(how); }
  /// The current value becomes bytes, and floats again.
  void round_to_bytes(float scale, std::uint8_t zero) {
    const std::vector<std::string> how{
        tensor("output_scale", {}, {&scale, 1}),
        constant("output_zero_point", {}, onnx::TensorProto::UINT8, std::span(&zero, 1))};
    step("QuantizeLinear", how);
    step("DequantizeLinear", how);
  }
  /// Makes the current value, for samples of that shape, the model's output, and gives the file's bytes.
  std::string finish(const std::vector<std::size_t>& output) {
    channels_last();
    add_node("Identity", {value_.name}, "output");
    describe_value(*graph_->add_output(), "output", output);
    return file_.SerializeAsString();
  }

  /// What the layer gets; several for a merge.
  const std::vector<Value>& sources() const { return sources_; }
  /// The name of the current value.
  const std::string& value() const { return value_.name; }
  /// The current value with its place among `sources`.
  const Value& current() const { return value_; }
  /// Makes another value the current one.
  void go_to(Value value) { value_ = std::move(value); }
  /// The same for the output of a node, in the same order of axes.
  void go_to(const OnnxNode& node) { value_.name = node.output(); }
  /// The current value has its channels in their usual place, or is no image any more.
  void forget_channels_first() { value_.channels_first = false; }

  /// Adds a node that reads these values, and leaves the current value as it is.
  OnnxNode node(const std::string& type, const std::vector<std::string>& inputs) {
    return add_node(type, inputs, "value_" + to_text(count_));
  }
  /// Adds a node that reads the current value and `more`; what it gives is then the current value.
  OnnxNode step(const std::string& type, const std::vector<std::string>& more = {}) {
    std::vector<std::string> inputs{value_.name};
    inputs.insert(inputs.end(), more.begin(), more.end());
    const OnnxNode result = node(type, inputs);
    go_to(result);
    return result;
  }
  /// Turns an image into (batch, channels, height, width), where it is not.
  void channels_first() {
    if (value_.channels_first) return;
    step("Transpose").set("perm", {0, 3, 1, 2});
    value_.channels_first = true;
  }
  /// Turns an image into (batch, height, width, channels), where it is not.
  void channels_last() {
    if (!value_.channels_first) return;
    step("Transpose").set("perm", {0, 2, 3, 1});
    value_.channels_first = false;
  }

  /// Adds a constant of the file and gives its name.
  std::string tensor(const std::string& name, const std::vector<std::size_t>& shape,
                     std::span<const float> values) {
    const std::size_t outputs = int8_.scales.size();
    if (outputs > 0 && name == "kernel") {
      std::vector<std::int8_t> bytes;
      for (const float value : values) bytes.push_back(static_cast<std::int8_t>(value));
      return from_whole(constant(name, shape, onnx::TensorProto::INT8, std::span(bytes)), int8_.scales,
                        shape.front() == outputs && shape.size() > 2 ? 0 : shape.size() - 1);
    }
    if (outputs > 0 && name == "bias") {
      std::vector<float> scales = int8_.scales;
      for (float& scale : scales) scale *= int8_.input_scale;
      return from_whole(constant(name, shape, onnx::TensorProto::INT32, std::span(int8_.bias)), scales, 0);
    }
    return constant(name, shape, onnx::TensorProto::FLOAT, values);
  }
  /// The same for one number.
  std::string number(double value) {
    const auto single = static_cast<float>(value);
    return tensor("", {}, {&single, 1});
  }
  /// The same for whole numbers, such as a shape.
  std::string list(const std::vector<std::int64_t>& values) {
    onnx::TensorProto& result = *graph_->add_initializer();
    result.set_name(layer_ + "/list_" + to_text(count_++));
    result.set_data_type(onnx::TensorProto::INT64);
    result.add_dims(static_cast<std::int64_t>(values.size()));
    for (const std::int64_t value : values) result.add_int64_data(value);
    return result.name();
  }
  /// The same for a layer's parameter.
  std::string weight(const WeightDescription& weight) {
    return tensor(weight.name, weight.shape, values(weight));
  }
  /// The numbers of a layer's parameter.
  std::span<const float> values(const WeightDescription& weight) const {
    return parameters_.subspan(weight.offset, weight.size());
  }

 private:
  template <class T>
  std::string constant(const std::string& name, const std::vector<std::size_t>& shape,
                       onnx::TensorProto::DataType type, std::span<T> values) {
    onnx::TensorProto& result = *graph_->add_initializer();
    result.set_name(layer_ + "/" + name + (name.empty() ? to_text(count_++) : ""));
    result.set_data_type(type);
    for (const std::size_t extent : shape) result.add_dims(static_cast<std::int64_t>(extent));
    result.set_raw_data(values.data(), values.size_bytes());
    return result.name();
  }
  // The value of whole numbers of which each has the scale of its place along an axis.
  std::string from_whole(const std::string& name, std::span<const float> scales, std::size_t axis) {
    const std::string scale = constant(name.substr(layer_.size() + 1) + "_scale", {scales.size()},
                                       onnx::TensorProto::FLOAT, scales);
    OnnxNode result = node("DequantizeLinear", {name, scale});
    return result.set("axis", axis).output();
  }
  static void describe_value(onnx::ValueInfoProto& value, const std::string& name,
                             const std::vector<std::size_t>& shape) {
    value.set_name(name);
    auto* const tensor = value.mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(onnx::TensorProto::FLOAT);
    tensor->mutable_shape()->add_dim()->set_dim_param("batch");
    for (const std::size_t extent : shape)
      tensor->mutable_shape()->add_dim()->set_dim_value(static_cast<std::int64_t>(extent));
  }
  OnnxNode add_node(const std::string& type, const std::vector<std::string>& inputs,
                    const std::string& output) {
    onnx::NodeProto& result = *graph_->add_node();
    result.set_op_type(type);
    result.set_name(layer_ + "/" + type + "_" + to_text(count_++));
    for (const std::string& input : inputs) result.add_input(input);
    result.add_output(output);
    return OnnxNode(result);
  }

  std::span<const float> parameters_;
  onnx::ModelProto file_;
  onnx::GraphProto* graph_ = nullptr;
  std::string layer_ = "model";
  std::vector<Value> sources_{};
  OnnxInt8 int8_{};
  Value value_{"input"};
  std::size_t count_ = 0;
};

}  // namespace digitnet
