// MobileNet for small images: convolutions of single channels, then across channels.
#pragma once
#include <algorithm>
#include <cstddef>

#include "digitnet/applications/stages.hpp"
#include "digitnet/layers/activations.hpp"
#include "digitnet/layers/batch_normalization.hpp"
#include "digitnet/layers/conv2d.hpp"
#include "digitnet/layers/dense.hpp"
#include "digitnet/layers/depthwise_conv2d.hpp"
#include "digitnet/layers/input.hpp"
#include "digitnet/layers/pooling.hpp"
#include "digitnet/layers/softmax.hpp"

namespace digitnet::applications {

/// A 3x3 convolution of each channel and one of 1x1, each normalized and rectified.
template <std::size_t Filters, std::size_t Strides = 1>
using DepthwiseSeparableStage = Stage<DepthwiseConv2D<3, Strides, same, 1, no_bias>, BatchNormalization, ReLU,
                                      Conv2D<Filters, 1, 1, valid, no_bias>, BatchNormalization, ReLU>;

/// A MobileNet (version 1) for images of some 28x28: a 3x3 convolution with 32 filters, five
/// depthwise-separable stages with 64, 128, 128, 256 and 256, of which the second and the fourth halve the
/// image, global pooling and a dense layer. WidthPercent, the paper's width multiplier in percent, scales all
/// filters. Howard and others: MobileNets (2017), without its last stages, which small images do not need,
/// and with ReLU for ReLU6.
template <class In = Input<28, 28, 1>, std::size_t WidthPercent = 100, std::size_t Classes = 10>
requires(WidthPercent >= 4) using MobileNet = Stacked<
    Stage<In, Conv2D<32 * WidthPercent / 100, 3, 1, same, no_bias>, BatchNormalization, ReLU>,
    DepthwiseSeparableStage<64 * WidthPercent / 100>, DepthwiseSeparableStage<128 * WidthPercent / 100, 2>,
    DepthwiseSeparableStage<128 * WidthPercent / 100>, DepthwiseSeparableStage<256 * WidthPercent / 100, 2>,
    DepthwiseSeparableStage<256 * WidthPercent / 100>,
    Stage<GlobalAveragePooling2D, Dense<Classes>, Softmax>>;

}  // namespace digitnet::applications
