// LeNet-5, the first convolutional network that read digits in earnest.
#pragma once
#include <cstddef>

#include "digitnet/layers/activations.hpp"
#include "digitnet/layers/conv2d.hpp"
#include "digitnet/layers/dense.hpp"
#include "digitnet/layers/input.hpp"
#include "digitnet/layers/pooling.hpp"
#include "digitnet/layers/reshape.hpp"
#include "digitnet/layers/softmax.hpp"
#include "digitnet/model/sequential.hpp"

namespace digitnet::applications {

/// Two convolutions with mean pooling and three dense layers, with tanh between them: 61,706 parameters for
/// 28x28 images. The paper's connection table and radial basis outputs are left out, as is usual. LeCun,
/// Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition (1998).
template <class In = Input<28, 28, 1>, std::size_t Classes = 10>
using LeNet5 =
    Sequential<In, Conv2D<6, 5, 1, same>, Tanh, AveragePooling2D<2>, Conv2D<16, 5>, Tanh, AveragePooling2D<2>,
               Flatten, Dense<120>, Tanh, Dense<84>, Tanh, Dense<Classes>, Softmax>;

}  // namespace digitnet::applications
