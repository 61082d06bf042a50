// The shapes of a file's layers, and of their weights.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/core/shape.hpp"
#include "digitnet/io/keras_read_layer.hpp"

namespace digitnet::keras::detail {

inline std::size_t windows(std::size_t input, std::int64_t window, std::int64_t stride,
                           const std::string& padding, const std::string& name) {
  if (window < 1 || stride < 1) refuse(name, "its windows or strides are not positive");
  const Sliding sliding(input, static_cast<std::size_t>(window), static_cast<std::size_t>(stride),
                        padding == "same" ? Padding::same : Padding::valid);
  if (sliding.output == 0) refuse(name, "its window is larger than its input");
  return sliding.output;
}

// The shape of merged results.
inline std::vector<std::size_t> merged_shape(const LayerDescription& layer,
                                             const std::vector<std::vector<std::size_t>>& shapes) {
  std::vector<std::size_t> result = shapes.front();
  for (std::size_t i = 1; i < shapes.size(); ++i) {
    std::vector<std::size_t> other = shapes[i];
    const auto refuse_shape = [&] {
      refuse(layer.name, "its inputs " + shape_text(shapes.front()) + " and " + shape_text(shapes[i]) +
                             " do not go together here");
    };
    if (layer.class_name == "Concatenate") {
      if (other.size() != result.size()) refuse_shape();
      other.back() = result.back();
      if (other != result) refuse_shape();
      result.back() += shapes[i].back();
      continue;
    }
    if (other == result) continue;
    // A number for each channel times an image, in either order.
    const auto by_channel = [](const std::vector<std::size_t>& a, const std::vector<std::size_t>& image) {
      return a.size() == 3 && image.size() == 3 && a[0] == 1 && a[1] == 1 && a[2] == image[2];
    };
    if (layer.class_name != "Multiply" || shapes.size() != 2 ||
        (!by_channel(other, result) && !by_channel(result, other)))
      refuse_shape();
    if (by_channel(result, other)) result = other;
  }
  return result;
}

// Fills in shapes and weights, layer by layer.
inline void infer_shapes(FileModel& model) {
  if (model.input.empty()) fail("The model's configuration does not say the shape of its input");
  std::vector<std::vector<std::size_t>> results{model.input};
  for (FileLayer& layer : model.layers) {
    LayerDescription& d = layer.description;
    const std::string& name = d.name;
    std::vector<std::vector<std::size_t>> given;
    for (const std::size_t source :
         d.sources.empty() ? std::vector<std::size_t>{results.size() - 1} : d.sources)
      given.push_back(results[source]);
    const bool merges = d.class_name == "Add" || d.class_name == "Multiply" || d.class_name == "Concatenate";
    if (given.size() > 1 && !merges)
      refuse(name, "it has several inputs, but only Add, Multiply and Concatenate may here");
    std::vector<std::size_t> shape = given.front();
    d.input = shape;
    const auto image = [&] {
      if (shape.size() != 3)
        refuse(name, "it needs an image (height, width, channels), but gets " + shape_text(shape));
    };
    const auto pair = [&](const char* key) { return d.attribute<std::vector<std::int64_t>>(key, {1, 1}); };
    const auto padding = d.attribute<std::string>("padding");
    std::size_t size = 1;
    for (const std::size_t extent : shape) size *= extent;
    const std::size_t last = shape.back();
    if (d.class_name == "Dense") {
      if (shape.size() != 1) refuse(name, "Dense needs a flat input here, but gets " + shape_text(shape));
      const auto units = static_cast<std::size_t>(d.attribute<std::int64_t>("units"));
      d.weights = {{"kernel", {last, units}}};
      if (d.attribute<bool>("use_bias")) d.weights.push_back({"bias", {units}});
      shape = {units};
    } else if (d.class_name == "Conv2D") {
      image();
      const auto filters = static_cast<std::size_t>(d.attribute<std::int64_t>("filters"));
      const auto kernel = pair("kernel_size"), strides = pair("strides");
      const std::size_t rows = windows(shape[0], kernel[0], strides[0], padding, name),
                        columns = windows(shape[1], kernel[1], strides[1], padding, name);
      d.weights = {
          {"kernel",
           {static_cast<std::size_t>(kernel[0]), static_cast<std::size_t>(kernel[1]), last, filters}}};
      if (d.attribute<bool>("use_bias")) d.weights.push_back({"bias", {filters}});
      shape = {rows, columns, filters};
    } else if (d.class_name == "DepthwiseConv2D" || d.class_name == "SeparableConv2D") {
      image();
      const auto multiplier = static_cast<std::size_t>(d.attribute<std::int64_t>("depth_multiplier"));
      const auto kernel = pair("kernel_size"), strides = pair("strides");
      const std::size_t rows = windows(shape[0], kernel[0], strides[0], padding, name),
                        columns = windows(shape[1], kernel[1], strides[1], padding, name);
      const bool separable = d.class_name == "SeparableConv2D";
      std::size_t channels = last * multiplier;
      d.weights = {
          {separable ? "depthwise_kernel" : "kernel",
           {static_cast<std::size_t>(kernel[0]), static_cast<std::size_t>(kernel[1]), last, multiplier}}};
      if (separable) {
        const auto filters = static_cast<std::size_t>(d.attribute<std::int64_t>("filters"));
        d.weights.push_back({"pointwise_kernel", {1, 1, channels, filters}});
        channels = filters;
      }
      if (d.attribute<bool>("use_bias")) d.weights.push_back({"bias", {channels}});
      shape = {rows, columns, channels};
    } else if (d.class_name == "LayerNormalization") {
      if (d.attribute<bool>("scale")) d.weights.push_back({"gamma", {last}});
      if (d.attribute<bool>("center")) d.weights.push_back({"beta", {last}});
    } else if (d.class_name == "MaxPooling2D" || d.class_name == "AveragePooling2D") {
      image();
      const auto pool = pair("pool_size"), strides = pair("strides");
      shape = {windows(shape[0], pool[0], strides[0], padding, name),
               windows(shape[1], pool[1], strides[1], padding, name), last};
    } else if (d.class_name == "GlobalAveragePooling2D") {
      image();
      shape = {last};
    } else if (d.class_name == "BatchNormalization") {
      const auto axis = d.attribute<std::int64_t>("axis");
      d.attributes.pop_back();
      if (axis != -1 && axis != static_cast<std::int64_t>(shape.size()))
        refuse(name,
               "its axis is " + std::to_string(axis) + ", but only the last one can be normalized here");
      if (d.attribute<bool>("scale")) d.weights.push_back({"gamma", {last}});
      if (d.attribute<bool>("center")) d.weights.push_back({"beta", {last}});
      d.weights.push_back({"moving_mean", {last}, false});
      d.weights.push_back({"moving_variance", {last}, false});
    } else if (d.class_name == "Flatten") {
      shape = {size};
    } else if (d.class_name == "Reshape") {
      const auto target = d.attribute<std::vector<std::int64_t>>("target_shape");
      std::size_t target_size = 1;
      for (const std::int64_t extent : target) target_size *= static_cast<std::size_t>(extent);
      if (target_size != size)
        refuse(name, "its target_shape " + shape_text({target.begin(), target.end()}) +
                         " has another size than its input " + shape_text(shape));
      shape.assign(target.begin(), target.end());
    } else if (d.class_name == "ZeroPadding2D") {
      image();
      const auto frame = pair("padding");
      shape = {shape[0] + 2 * static_cast<std::size_t>(frame[0]),
               shape[1] + 2 * static_cast<std::size_t>(frame[1]), last};
    }
    if (merges) shape = merged_shape(d, given);
    d.output = shape;
    results.push_back(shape);
  }
}

}  // namespace digitnet::keras::detail
