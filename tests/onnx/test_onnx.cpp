// Models with every layer of the library, written for onnxruntime.
#include "onnx/written.hpp"

using namespace digitnet;

TEST_CASE("every layer is written") {
  written::write(networks::every_layer(1), "every_layer");
  written::write(networks::pooled(2), "pooled");
  written::write(networks::branches(5), "branches");
  written::write(networks::combinators(6), "combinators");
  written::write(networks::ann(3), "ann");
}

TEST_CASE("nodes follow the layers; images have their channels first between convolutions") {
  const onnx::GraphProto graph = written::write(networks::cnn(4), "cnn");
  CHECK(written::nodes_of(graph) ==
        "Transpose Conv Relu MaxPool Conv Relu Transpose Flatten Gemm Softmax Identity");
  CHECK(graph.node(1).name() == "conv2d/Conv_1");
  CHECK(graph.node(1).input(1) == "conv2d/kernel");
  CHECK(graph.node(8).input(2) == "dense/bias");
}

TEST_CASE("a file that cannot be written leaves nothing behind") {
  const support::Folder folder;
  CHECK_ERROR("nowhere", save_onnx(networks::ann(3), folder / "nowhere/ann.onnx"));
  CHECK(folder.files().empty());
}
