// The networks whose parameters other programs read.
#pragma once
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/dropout.hpp>
#include <digitnet/layers/pooling.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/layers/softmax.hpp>
#include <digitnet/model/sequential.hpp>

namespace program {

/// The CNN of models/mnist_cnn.safetensors, and with 128 units and more dropout the one that mnist_cnn
/// trains.
template <std::size_t units = 64>
auto cnn_with_dropout(digitnet::Seed seed, float dropout = 0.25f, float dropout_of_maps = 0.25f) {
  using namespace digitnet;
  return Sequential{seed,
                    Input<28, 28, 1>{},
                    Conv2D<32, 3>{},
                    ReLU{},
                    MaxPooling2D<2>{},
                    Conv2D<64, 3>{},
                    ReLU{},
                    MaxPooling2D<2>{},
                    Dropout{dropout_of_maps},
                    Flatten{},
                    Dense<units>{},
                    ReLU{},
                    Dropout{dropout},
                    Dense<10>{},
                    Softmax{}};
}

}  // namespace program
