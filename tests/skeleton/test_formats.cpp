// The skeleton's layers in files of other programs.
#include "onnx/written.hpp"
#include "skeleton/formats.hpp"

using namespace digitnet;
using namespace digitnet::skeleton;

TEST_CASE("ONNX has the nodes that the entries say") {
  const auto graph = written::write(
      networks::with_random_parameters(Sequential{Input<6, 6, 1>{}, Conv2D<3, 3>{}, LayerScale{},
                                                  Swish{.beta = 1.5f}, Flatten{}, Dense<4>{}, Softmax{}},
                                       5),
      "skeleton");
  CHECK(written::nodes_of(graph) ==
        "Transpose Conv Transpose Mul Mul Sigmoid Mul Flatten Gemm Softmax Identity");
}
