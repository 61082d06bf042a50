// Quantized models as ONNX: which nodes there are, and what onnxruntime, which is run afterwards, may differ
// by.
#include <digitnet/model/quantize.hpp>
#include <digitnet/onnx/quantized.hpp>

#include "onnx/written.hpp"

using namespace digitnet;

namespace {

// onnxruntime's own products of bytes move answers by this much at most; see check_onnx.mjs.
template <class Model>
onnx::GraphProto write(const Model& model, const std::string& name, const char* tolerance) {
  const std::string path = std::string(DIGITNET_WRITTEN) + "/" + name;
  const Matrix x = networks::samples_for(model, 50);
  const auto quantized = quantize(model, Samples(x));
  written::write_floats(path + ".input", x);
  written::write_floats(path + ".output", quantized.predict(x));
  std::ofstream(path + ".tolerance") << tolerance;
  save_onnx(quantized, path + ".onnx");
  std::ifstream file(path + ".onnx", std::ios::binary);
  onnx::ModelProto read;
  REQUIRE(read.ParseFromIstream(&file));
  return read.graph();
}

}  // namespace

TEST_CASE("bytes stand between QuantizeLinear and DequantizeLinear") {
  const auto graph = write(networks::ann(1), "int8_ann", "0.01");
  CHECK(written::nodes_of(graph) ==
        "QuantizeLinear DequantizeLinear DequantizeLinear DequantizeLinear Gemm Relu QuantizeLinear "
        "DequantizeLinear DequantizeLinear DequantizeLinear Gemm Softmax Identity");
  std::string types;
  for (const onnx::TensorProto& tensor : graph.initializer())
    types += tensor.name() + " " + onnx::TensorProto::DataType_Name(tensor.data_type()) + ", ";
  CHECK(support::contains(
      types, "dense/kernel INT8, dense/kernel_scale FLOAT, dense/bias INT32, dense/bias_scale FLOAT"));
  CHECK(support::contains(types, "input/output_scale FLOAT, input/output_zero_point UINT8"));
}

TEST_CASE("networks of every kind") {
  write(networks::cnn(1), "int8_cnn", "0.1");
  write(networks::pooled(2), "int8_pooled", "0.02");
  // A normalization that is folded gives its convolution a bias.
  const auto folded =
      write(networks::with_random_parameters(
                Sequential{Input<8, 8, 3>{}, Conv2D<6, 3, 2, same, no_bias>{}, BatchNormalization{}, ReLU{},
                           Residual{DepthwiseConv2D<3, 1, same, 1, no_bias>{}, BatchNormalization{}, ReLU{},
                                    Conv2D<6, 1>{}},
                           ReLU{}, MaxPooling2D<2>{}, Parallel<Concatenate, Identity, Conv2D<3, 1>>{},
                           Flatten{}, Dense<5>{}, Softmax{}},
                3),
            "int8_folded", "0.02");
  CHECK(!support::contains(written::nodes_of(folded), "BatchNormalization"));
  write(networks::every_layer(4), "int8_every_layer", "0.02");
  write(networks::branches(5), "int8_branches", "0.02");
}
