// Networks with every layer, and parameters that no initializer would give.
#pragma once
#include <digitnet/digitnet.hpp>

namespace networks {

using namespace digitnet;

template <class Model>
Model with_random_parameters(Model model, std::uint64_t seed) {
  Random random(Seed{seed});
  model.for_each_parameter([&](const ParameterInfo& info) {
    const bool variance = info.name.ends_with("variance");
    for (std::size_t i = 0; i < info.size(); ++i)
      model.parameters()[info.offset + i] =
          static_cast<float>(variance ? random.uniform(0.5, 2) : random.uniform(-0.6, 0.7));
  });
  return model;
}

inline auto every_layer(std::uint64_t seed) {
  return with_random_parameters(Sequential{Input<9, 8, 2>{},
                                           Rescaling{.scale = 0.5f, .offset = -0.25f},
                                           ZeroPadding2D<Extent{1, 2}>{},
                                           Conv2D<4, 3>{},
                                           ReLU{},
                                           Conv2D<5, Extent{2, 3}, Extent{2, 1}, same, no_bias>{},
                                           BatchNormalization{.epsilon = 0.01f},
                                           LeakyReLU{.negative_slope = 0.2f},
                                           MaxPooling2D<2, 1, same>{},
                                           AveragePooling2D<2>{},
                                           BasicBatchNormalization<false, true>{},
                                           SiLU{},
                                           Conv2D<6, 1>{},
                                           Softmax{},
                                           Reshape<5, 2, 6>{},
                                           Softplus{},
                                           Dropout{0.125f},
                                           Flatten{},
                                           Dense<7>{},
                                           ELU{},
                                           Dense<9, no_bias>{},
                                           BatchNormalization{},
                                           GELU{},
                                           HardSwish{},
                                           Sequential{Dense<6>{}, Sigmoid{}, Dense<5>{}},
                                           Tanh{},
                                           ELU{.alpha = 0.5f},
                                           Softmax{}},
                                seed);
}

inline auto pooled(std::uint64_t seed) {
  return with_random_parameters(
      Sequential{Input<7, 6, 3>{}, AveragePooling2D<3, 2, same>{}, Conv2D<8, 3, 1, same>{}, Tanh{},
                 GlobalAveragePooling2D{}, BasicBatchNormalization<true, false>{}, Dense<4>{}, Softmax{}},
      seed);
}

/// Branches, and the layers that networks with branches are made of.
inline auto branches(std::uint64_t seed) {
  return with_random_parameters(
      Sequential{Input<9, 8, 2>{},
                 RandomFlip{FlipMode::horizontal},
                 RandomRotation{0.05f, FillMode::nearest},
                 RandomTranslation{0.1f, 0.2f},
                 RandomZoom{0.1f},
                 Conv2D<4, 3, 1, same, no_bias>{},
                 BatchNormalization{},
                 ReLU{},
                 Residual{DepthwiseConv2D<3, 2, same>{}, BatchNormalization{.epsilon = 0.01f}, ReLU{},
                          Conv2D<6, 1>{}, BatchNormalization{}},
                 ReLU{},
                 SpatialDropout2D{0.25f},
                 SqueezeExcite<2>{},
                 Parallel<Concatenate, Conv2D<2, 1>, Sequential<SeparableConv2D<3, 3, 1, same, 2>, ReLU>>{},
                 LayerNormalization{.epsilon = 0.002f},
                 DepthwiseConv2D<Extent{2, 1}, 1, valid, 2, no_bias>{},
                 GaussianNoise{0.5f},
                 Residual<Conv2D<10, 3, 1, same>, Tanh, SeparableConv2D<10, 2, 1, same, 1, no_bias>>{},
                 GlobalAveragePooling2D{},
                 Residual<Dense<7>, Tanh>{},
                 BasicLayerNormalization<false, true>{},
                 Parallel<Multiply, Sequential<Dense<5>, Sigmoid>, Dense<5>>{},
                 Dense<4>{},
                 Softmax{}},
      seed);
}

/// Combinators in each other, first, last, and of three branches.
inline auto combinators(std::uint64_t seed) {
  return with_random_parameters(
      Sequential{Input<6, 5, 2>{},
                 Parallel<Concatenate, Identity, Conv2D<3, 3, 1, same>, Sequential<Tanh, Conv2D<1, 1>>>{},
                 Residual<Residual<Conv2D<6, 1>, Tanh>, Parallel<Add, Identity, ReLU, Conv2D<6, 1>>>{},
                 Residual<Shortcut<Conv2D<4, 1, 2, same>>, Conv2D<4, 3, 2, same>, ReLU>{}, SqueezeExcite<2>{},
                 RandomFlip{FlipMode::vertical}, RandomRotation{0.1f, FillMode::wrap},
                 RandomZoom{0.1f, FillMode::constant}, RandomFlip{FlipMode::horizontal_and_vertical},
                 Flatten{},
                 Parallel<Multiply, Sequential<Dense<6>, Sigmoid>, Parallel<Add, Dense<6>, Dense<6>>>{},
                 Parallel<Concatenate, Dense<3>, Sequential<Dense<2>, Softmax>>{}},
      seed);
}

/// Normalization by groups: of images, of flat samples, without beta, without gamma.
inline auto grouped(std::uint64_t seed) {
  return with_random_parameters(
      Sequential{Input<6, 5, 2>{}, Conv2D<6, 3>{}, GroupNormalization<3>{.epsilon = 0.02f}, ReLU{},
                 BasicGroupNormalization<6, true, false>{}, Flatten{}, Dense<8>{},
                 BasicGroupNormalization<2, false, true>{}, Dense<32>{}, GroupNormalization<>{}, Dense<3>{}},
      seed);
}

inline auto ann(std::uint64_t seed) {
  return with_random_parameters(
      Sequential{Input<20>{}, Dense<16>{}, ReLU{}, Dropout{0.2f}, Dense<10>{}, Softmax{}}, seed);
}

inline auto cnn(std::uint64_t seed) {
  return with_random_parameters(Sequential{Input<12, 12, 1>{}, Conv2D<8, 3>{}, ReLU{}, MaxPooling2D<2>{},
                                           Conv2D<16, 3>{}, ReLU{}, Flatten{}, Dense<10>{}, Softmax{}},
                                seed);
}

/// Samples that fit a model.
template <class Model>
Matrix samples_for(const Model&, std::size_t count) {
  Matrix x = Matrix::from_shape({count, Model::InputShape::size});
  Random random(Seed{99});
  for (float& value : x) value = static_cast<float>(random.uniform(-1, 1));
  return x;
}

template <class Model>
std::vector<float> parameters(const Model& model) {
  return {model.parameters().begin(), model.parameters().end()};
}

}  // namespace networks
