// What the first layer of a network sees: its filters as pictures, and its feature maps, which are what it
// makes of one image.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/core/samples.hpp"
#include "digitnet/inspect/describe.hpp"
#include "digitnet/model/prefix.hpp"
#include "digitnet/report/image_grid.hpp"

namespace digitnet {

/// The filters of a kernel as a grid, red for positive weights and blue for negative ones, all on one scale.
/// Shapes (height, width, channels, filters), of which the first channel is shown, and (height * width,
/// units) of a square image are known; others give nothing. At most `most` filters are drawn, each at most
/// about `tile` pixels large.
inline std::optional<Picture> filter_picture(const std::vector<std::size_t>& shape,
                                             std::span<const float> kernel, std::size_t most = 32,
                                             std::size_t tile = 96) {
  std::size_t height = 0, width = 0;
  if (shape.size() == 4) {
    height = shape[0];
    width = shape[1];
  } else if (shape.size() == 2) {
    height = width = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(shape[0]))));
    if (height * width != shape[0]) return {};
  } else {
    return {};
  }
  const std::size_t filters = shape.back(), step = kernel.size() / (height * width);
  float largest = 0;
  for (std::size_t i = 0; i < height * width; ++i)
    for (std::size_t filter = 0; filter < std::min(filters, most); ++filter)
      largest = std::max(largest, std::abs(kernel[i * step + filter]));
  std::vector<GridCell> cells;
  for (std::size_t filter = 0; filter < std::min(filters, most); ++filter)
    cells.push_back({.picture = picture_of_weights(kernel.data() + filter, height, width, step, largest)});
  const std::size_t scale = std::clamp<std::size_t>(tile / std::max(height, width), 1, 24);
  return image_grid(cells, {.columns = 8, .scale = scale, .gap = 8, .frame = 0});
}

/// The answer of a convolution near the input to one image.
struct FeatureMaps {
  /// The layers whose result it is: "conv2d, re_lu"
  std::string layers{};
  std::size_t height = 0, width = 0, channels = 0;
  /// (height, width, channels)
  std::vector<float> values{};

  /// All channels as a grid; black for 0 and less, white for the largest value.
  Picture picture(std::size_t most = 32) const {
    const float largest = *std::max_element(values.begin(), values.end());
    std::vector<GridCell> cells;
    for (std::size_t channel = 0; channel < std::min(channels, most); ++channel)
      cells.push_back(
          {.picture = picture_of_activations(values.data() + channel, height, width, channels, largest)});
    const std::size_t scale = std::clamp<std::size_t>(96 / std::max(height, width), 1, 24);
    return image_grid(cells, {.columns = 8, .scale = scale, .gap = 8, .frame = 0});
  }
};

namespace detail {

// How far the layers that make the first feature maps go. `beyond`: past them.
enum class FirstMaps { before, convolved, complete, beyond };

// The state after a layer. Layers that only act in training, and Rescaling, may come before the convolution;
// normalization, and then a ReLU, belong to it.
template <class Layer>
constexpr FirstMaps after_layer(FirstMaps state) {
  constexpr std::string_view name = Layer::class_name;
  if (state == FirstMaps::before) {
    if (name == "Conv2D") return FirstMaps::convolved;
    const bool passes = name == "Rescaling" || name == "Identity" || name == "GaussianNoise" ||
                        name.starts_with("Random") || name == "Dropout" || name == "SpatialDropout2D";
    return passes ? state : FirstMaps::beyond;
  }
  if (state == FirstMaps::convolved && name == "BatchNormalization") return state;
  return state == FirstMaps::convolved && name == "ReLU" ? FirstMaps::complete : FirstMaps::beyond;
}
// The same, where the layer may be a chain of some.
template <class Layer>
struct AfterLayer {
  static constexpr std::size_t described = 1;
  static constexpr FirstMaps of(FirstMaps state) { return after_layer<Layer>(state); }
};
template <class... Layers>
struct AfterLayer<Sequential<Layers...>> {
  static constexpr std::size_t described = (std::size_t{0} + ... + AfterLayer<Layers>::described);
  static constexpr FirstMaps of(FirstMaps state) {
    ((state = AfterLayer<Layers>::of(state)), ...);
    return state;
  }
};

// The maps that the first `count` layers of a description make, without their values.
inline FeatureMaps maps_of(const ModelDescription& model, std::size_t count) {
  const std::vector<std::size_t>& output = model.layers[count - 1].output;
  FeatureMaps maps{.height = output[0], .width = output[1], .channels = output[2]};
  maps.values.resize(output[0] * output[1] * output[2]);
  bool convolved = false;
  for (const LayerDescription& layer : std::span(model.layers).first(count)) {
    convolved = convolved || (!layer.weights.empty() && layer.weights[0].shape.size() == 4);
    if (convolved) maps.layers += (maps.layers.empty() ? "" : ", ") + layer.name;
  }
  return maps;
}

}  // namespace detail

/// The first layer's kernel of a model, or nothing where it has none.
inline const WeightDescription* first_kernel(const ModelDescription& model) {
  for (const LayerDescription& layer : model.layers)
    for (const WeightDescription& weight : layer.weights)
      if (weight.name == "kernel") return &weight;
  return nullptr;
}

/// What the first convolution makes of the first of some images, after the normalization and the ReLU that
/// may follow it: the model's prefix says it. Nothing for a model that does not begin with a convolution.
template <std::size_t... Extents, class... Layers>
std::optional<FeatureMaps> first_feature_maps(const Sequential<Input<Extents...>, Layers...>& model,
                                              const Samples& images) {
  // How many layers make the maps, and how many a description has of them; 0: none do.
  constexpr std::pair<std::size_t, std::size_t> counts = [] {
    std::pair<std::size_t, std::size_t> now{}, maps{};
    auto state = detail::FirstMaps::before;
    ((state = detail::AfterLayer<Layers>::of(state), ++now.first,
      now.second += detail::AfterLayer<Layers>::described,
      maps = state == detail::FirstMaps::convolved || state == detail::FirstMaps::complete ? now : maps),
     ...);
    return maps;
  }();
  if constexpr (counts.first == 0) {
    return {};
  } else {
    if (images.count() == 0) return {};
    FeatureMaps maps = detail::maps_of(describe(model), counts.second);
    std::vector<float> image(images.size());
    images.copy(0, image.data());
    const std::span<const std::size_t> extents(images.extents());
    prefix<counts.first>(model).predict_packed(Samples(image.data(), 1, extents.subspan(1)), nullptr,
                                               maps.values.data());
    return maps;
  }
}

}  // namespace digitnet
