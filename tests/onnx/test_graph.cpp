// The graph of an ONNX file, built by hand and read back.
#include "onnx/written.hpp"

using namespace digitnet;

namespace {

onnx::ModelProto parsed(const std::string& bytes) {
  onnx::ModelProto model;
  REQUIRE(model.ParseFromString(bytes));
  return model;
}

}  // namespace

TEST_CASE("nodes are chained, and named by their layer and number") {
  OnnxGraph graph({5}, {});
  graph.begin_layer("act", {graph.current()});
  graph.step("Elu").set("alpha", 0.5).set("axis", -1).set("list", {3, 4});
  const std::string elu = graph.value();
  const std::string aside = graph.node("Sigmoid", {elu}).output();
  CHECK(graph.value() == elu);
  graph.step("Mul", {aside});
  const onnx::ModelProto model = parsed(graph.finish({5}));
  CHECK(model.opset_import(0).version() == 13);
  CHECK(written::nodes_of(model.graph()) == "Elu Sigmoid Mul Identity");
  const onnx::NodeProto &first = model.graph().node(0), &third = model.graph().node(2);
  CHECK(first.name() == "act/Elu_0");
  CHECK(first.input(0) == "input");
  CHECK(first.attribute(0).f() == 0.5f);
  CHECK(first.attribute(1).i() == -1);
  CHECK(first.attribute(2).ints(1) == 4);
  CHECK(third.input(0) == first.output(0));
  CHECK(third.input(1) == model.graph().node(1).output(0));
  CHECK(model.graph().node(3).output(0) == "output");
}

TEST_CASE("inputs and outputs have a batch in front of a sample's shape") {
  const onnx::ModelProto model = parsed(OnnxGraph({4, 3, 2}, {}).finish({7}));
  const auto& input = model.graph().input(0).type().tensor_type().shape();
  REQUIRE(input.dim_size() == 4);
  CHECK(input.dim(0).dim_param() == "batch");
  CHECK(input.dim(1).dim_value() == 4);
  CHECK(input.dim(3).dim_value() == 2);
  const auto& output = model.graph().output(0).type().tensor_type().shape();
  REQUIRE(output.dim_size() == 2);
  CHECK(output.dim(1).dim_value() == 7);
}

TEST_CASE("axes are turned where they must be and back at the end") {
  OnnxGraph graph({4, 3, 2}, {});
  graph.begin_layer("a", {graph.current()});
  graph.channels_last();
  graph.channels_first();
  graph.channels_first();
  const auto model = parsed(graph.finish({4, 3, 2}));
  CHECK(written::nodes_of(model.graph()) == "Transpose Transpose Identity");
  CHECK(model.graph().node(0).attribute(0).ints(1) == 3);
  CHECK(model.graph().node(1).attribute(0).ints(1) == 2);
}

TEST_CASE("constants lie in the file under their layer's name") {
  const std::vector<float> parameters{9, 9, 1, 2, 3, 4, 5, 6};
  OnnxGraph graph({3}, parameters);
  graph.begin_layer("d", {graph.current()});
  CHECK(graph.weight({.name = "kernel", .shape = {3, 2}, .offset = 2}) == "d/kernel");
  const std::string number = graph.number(0.5), list = graph.list({-1, 6});
  const auto model = parsed(graph.finish({3}));
  const onnx::TensorProto& kernel = model.graph().initializer(0);
  REQUIRE(kernel.dims_size() == 2);
  CHECK(kernel.dims(0) == 3);
  const std::string bytes(reinterpret_cast<const char*>(parameters.data() + 2), 6 * sizeof(float));
  CHECK(kernel.raw_data() == bytes);
  CHECK(model.graph().initializer(1).name() == number);
  CHECK(model.graph().initializer(1).dims_size() == 0);
  CHECK(model.graph().initializer(2).name() == list);
  CHECK(model.graph().initializer(2).int64_data(0) == -1);
}
