// GroupNormalization of samples of every rank, written for onnxruntime.
#include "onnx/written.hpp"

using namespace digitnet;

TEST_CASE("groups are normalized as channels, in images between convolutions without turning them") {
  const auto graph =
      written::write(networks::with_random_parameters(
                         Sequential{Input<6, 5, 2>{}, Conv2D<6, 3>{}, GroupNormalization<3>{.epsilon = 0.02f},
                                    ReLU{}, Conv2D<4, 1>{}, GroupNormalization<4>{}, Flatten{}, Dense<6>{},
                                    BasicGroupNormalization<2, false, true>{}, Dense<3>{}},
                         11),
                     "group_normalization");
  CHECK(written::nodes_of(graph) ==
        "Transpose Conv Reshape InstanceNormalization Reshape Mul Add Relu Conv Reshape "
        "InstanceNormalization Reshape Mul Add Transpose Flatten Gemm Reshape InstanceNormalization Reshape "
        "Mul Gemm Identity");
}

TEST_CASE("samples that are no images are turned for it and back") {
  written::write(networks::with_random_parameters(
                     Sequential{Input<5, 4>{}, GroupNormalization<2>{},
                                BasicGroupNormalization<1, true, false>{}, Flatten{}, Dense<3>{}},
                     12),
                 "group_normalization_of_rows");
  written::write(networks::with_random_parameters(
                     Sequential{Input<3, 2, 4, 6>{}, GroupNormalization<3>{}, Flatten{}, Dense<3>{}}, 13),
                 "group_normalization_of_volumes");
}
