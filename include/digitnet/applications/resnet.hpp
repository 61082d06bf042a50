// ResNet for small images: three stages of residual blocks.
#pragma once
#include <cstddef>
#include <utility>

#include "digitnet/applications/stages.hpp"
#include "digitnet/layers/activations.hpp"
#include "digitnet/layers/batch_normalization.hpp"
#include "digitnet/layers/conv2d.hpp"
#include "digitnet/layers/dense.hpp"
#include "digitnet/layers/input.hpp"
#include "digitnet/layers/pooling.hpp"
#include "digitnet/layers/softmax.hpp"
#include "digitnet/model/parallel.hpp"

namespace digitnet::applications {

/// Two 3x3 convolutions, each normalized, around which the input goes.
template <std::size_t Filters, std::size_t Strides = 1>
using ResidualBlock = Residual<Conv2D<Filters, 3, Strides, same, no_bias>, BatchNormalization, ReLU,
                               Conv2D<Filters, 3, 1, same, no_bias>, BatchNormalization>;

namespace detail {

// The first of the blocks has the stride.
template <std::size_t Filters, std::size_t Strides, class Indices>
struct ResidualStage;
template <std::size_t Filters, std::size_t Strides, std::size_t... Block>
struct ResidualStage<Filters, Strides, std::index_sequence<Block...>> {
  using Type = Stacked<Stage<ResidualBlock<Filters, Block == 0 ? Strides : 1>, ReLU>...>;
};
template <std::size_t Filters, std::size_t Strides, std::size_t Blocks>
using ResidualStageOf = typename ResidualStage<Filters, Strides, std::make_index_sequence<Blocks>>::Type;

}  // namespace detail

/// The ResNet of the paper's section 4.2: a 3x3 convolution, three stages of (Depth - 2) / 6 residual blocks
/// with Width, 2 Width and 4 Width filters, of which the second and the third halve the image, global pooling
/// and a dense layer. Shortcuts that change the shape are projections (option B). ResNet<> for 28x28 images
/// is ResNet-20. He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (2015).
template <class In = Input<28, 28, 1>, std::size_t Depth = 20, std::size_t Width = 16,
          std::size_t Classes = 10>
requires(Depth >= 8 && Depth % 6 == 2) using ResNet =
    Stacked<Stage<In, Conv2D<Width, 3, 1, same, no_bias>, BatchNormalization, ReLU>,
            detail::ResidualStageOf<Width, 1, (Depth - 2) / 6>,
            detail::ResidualStageOf<2 * Width, 2, (Depth - 2) / 6>,
            detail::ResidualStageOf<4 * Width, 2, (Depth - 2) / 6>,
            Stage<GlobalAveragePooling2D, Dense<Classes>, Softmax>>;

}  // namespace digitnet::applications
