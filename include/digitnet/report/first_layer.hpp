// What the first layer with a kernel looks at: its filters as pictures, and its answer to one image.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "digitnet/inspect/description.hpp"
#include "digitnet/report/image_grid.hpp"

namespace digitnet {

/// The filters of a kernel as a grid, red for positive weights and blue for negative ones, all on one scale.
/// Shapes (height, width, channels, filters), of which the first channel is shown, and (height * width,
/// units) of a square image are known; others give nothing. At most `most` filters are drawn, each at most
/// about `tile` pixels large.
[[gnu::cold]] inline std::optional<Picture> filter_picture(const std::vector<std::size_t>& shape,
                                                           std::span<const float> kernel,
                                                           std::size_t most = 32, std::size_t tile = 96) {
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
  std::string layers;  ///< whose result it is: "conv2d, re_lu"
  std::size_t height = 0, width = 0, channels = 0;
  std::vector<float> values{};  ///< (height, width, channels)

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

[[gnu::cold]] inline FeatureMaps convolved(const LayerDescription& layer, std::span<const float> parameters,
                                           const std::vector<float>& image) {
  const auto pair = [&](const char* name) {
    const auto list = layer.attribute<std::vector<std::int64_t>>(name, {1, 1});
    return std::array{static_cast<std::size_t>(list[0]), static_cast<std::size_t>(list[1])};
  };
  const auto strides = pair("strides");
  const std::vector<std::size_t>&in = layer.input, &out = layer.output, &kernel = layer.weights[0].shape;
  FeatureMaps maps{.layers = layer.name, .height = out[0], .width = out[1], .channels = out[2]};
  maps.values.resize(out[0] * out[1] * out[2]);
  // Keras' "same" puts the odd row or column of padding at the end.
  const auto before = [&](std::size_t axis) {
    const std::size_t needed = (out[axis] - 1) * strides[axis] + kernel[axis];
    return needed > in[axis] ? (needed - in[axis]) / 2 : 0;
  };
  const std::array frame{before(0), before(1)};
  const float* const weights = parameters.data() + layer.weights[0].offset;
  for (std::size_t y = 0; y < out[0]; ++y)
    for (std::size_t x = 0; x < out[1]; ++x) {
      float* const to = &maps.values[(y * out[1] + x) * out[2]];
      if (layer.weights.size() > 1) std::copy_n(parameters.data() + layer.weights[1].offset, out[2], to);
      for (std::size_t i = 0; i < kernel[0] * kernel[1]; ++i) {
        const std::size_t row = y * strides[0] + i / kernel[1], column = x * strides[1] + i % kernel[1];
        if (row < frame[0] || column < frame[1] || row - frame[0] >= in[0] || column - frame[1] >= in[1])
          continue;
        for (std::size_t c = 0; c < in[2]; ++c) {
          const float value = image[((row - frame[0]) * in[1] + column - frame[1]) * in[2] + c];
          for (std::size_t f = 0; f < out[2]; ++f) to[f] += value * weights[(i * in[2] + c) * out[2] + f];
        }
      }
    }
  return maps;
}

// BatchNormalization with its moving statistics. Weights that are not there are 1 (gamma) and 0 (beta).
[[gnu::cold]] inline void normalize(const LayerDescription& layer, std::span<const float> parameters,
                                    FeatureMaps& maps) {
  const auto weight = [&](std::string_view name, std::size_t channel, float otherwise) {
    for (const WeightDescription& known : layer.weights)
      if (known.name == name) return parameters[known.offset + channel];
    return otherwise;
  };
  for (std::size_t i = 0; i < maps.values.size(); ++i) {
    const std::size_t c = i % maps.channels;
    const float deviation = std::sqrt(weight("moving_variance", c, 1) +
                                      static_cast<float>(layer.attribute<double>("epsilon", 1e-3)));
    maps.values[i] = (maps.values[i] - weight("moving_mean", c, 0)) / deviation * weight("gamma", c, 1) +
                     weight("beta", c, 0);
  }
}

}  // namespace detail

/// The first layer's kernel of a model, or nothing where it has none.
[[gnu::cold]] inline const WeightDescription* first_kernel(const ModelDescription& model) {
  for (const LayerDescription& layer : model.layers)
    for (const WeightDescription& weight : layer.weights)
      if (weight.name == "kernel") return &weight;
  return nullptr;
}

/// What the first convolution makes of an image (values of the model's input shape), after the normalization
/// and the ReLU that may follow it. Nothing for a model that does not begin with a convolution; layers that
/// only act in training, and Rescaling, may come before.
[[gnu::cold]] inline std::optional<FeatureMaps> first_feature_maps(const ModelDescription& model,
                                                                   std::span<const float> parameters,
                                                                   std::vector<float> image) {
  std::size_t i = 0;
  for (; i < model.layers.size(); ++i) {
    const LayerDescription& layer = model.layers[i];
    const std::string_view name = layer.class_name;
    if (name == "Rescaling")
      for (float& value : image)
        value = static_cast<float>(layer.attribute<double>("scale", 1)) * value +
                static_cast<float>(layer.attribute<double>("offset", 0));
    else if (!name.starts_with("Random") && !name.ends_with("Dropout") && name != "SpatialDropout2D" &&
             name != "GaussianNoise" && name != "Identity")
      break;
  }
  if (i == model.layers.size() || model.layers[i].class_name != "Conv2D") return {};
  FeatureMaps maps = detail::convolved(model.layers[i], parameters, image);
  for (++i; i < model.layers.size() && model.sources(i) == std::vector<std::size_t>{i}; ++i) {
    const LayerDescription& layer = model.layers[i];
    if (layer.class_name == "BatchNormalization")
      detail::normalize(layer, parameters, maps);
    else if (layer.class_name == "ReLU")
      for (float& value : maps.values) value = std::max(value, 0.0f);
    else
      break;
    maps.layers += ", " + layer.name;
    if (layer.class_name == "ReLU") break;
  }
  return maps;
}

}  // namespace digitnet
