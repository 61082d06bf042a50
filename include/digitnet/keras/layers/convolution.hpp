// Conv2D, DepthwiseConv2D and SeparableConv2D in Keras' files.
#pragma once
#include "digitnet/keras/layer_entry.hpp"

namespace digitnet::keras::layers {

inline std::vector<LayerEntry> convolutions() {
  using Pair = std::vector<std::int64_t>;
  const Field filters = Field::count("filters"), kernel = Field::pair("kernel_size"),
              strides = Field::pair("strides", Pair{1, 1}), padding = Field::padding(),
              multiplier = Field::count("depth_multiplier", std::int64_t{1}),
              bias = Field::flag("use_bias", true);
  const Json written{
      {"data_format", "channels_last"}, {"dilation_rate", {1, 1}}, {"activity_regularizer", nullptr}};
  Json with_groups = written;
  with_groups["groups"] = 1;
  return {{.class_name = "Conv2D",
           .fields = {filters, kernel, strides, padding, bias},
           .written = with_groups,
           .required = {{"dilation_rate", 1}, {"groups", 1}},
           .weights = {{"kernel", "GlorotUniform"}, {"bias", "Zeros"}},
           .has_activation = true,
           .output = [](ShapeReader& shapes) -> Extents {
             if (!shapes.is_image()) return {};
             const Extents window = shapes.pair("kernel_size");
             const std::size_t channels = shapes.count("filters");
             shapes.add_weight("kernel", {window[0], window[1], shapes.last(), channels});
             shapes.add_weight("bias", {channels}, "use_bias");
             return shapes.windows(window, channels);
           }},
          {.class_name = "DepthwiseConv2D",
           .fields = {kernel, strides, padding, multiplier, bias},
           .written = written,
           .required = {{"dilation_rate", 1}},
           .weights = {{"depthwise", "GlorotUniform", "kernel"}, {"bias", "Zeros"}},
           .has_activation = true,
           .output = [](ShapeReader& shapes) -> Extents {
             if (!shapes.is_image()) return {};
             const Extents window = shapes.pair("kernel_size");
             const std::size_t multiple = shapes.count("depth_multiplier"), wide = shapes.last() * multiple;
             shapes.add_weight("kernel", {window[0], window[1], shapes.last(), multiple});
             shapes.add_weight("bias", {wide}, "use_bias");
             return shapes.windows(window, wide);
           }},
          {.class_name = "SeparableConv2D",
           .fields = {filters, kernel, strides, padding, multiplier, bias},
           .written = written,
           .required = {{"dilation_rate", 1}},
           .weights = {{"depthwise", "GlorotUniform", "depthwise_kernel"},
                       {"pointwise", "GlorotUniform", "pointwise_kernel"},
                       {"bias", "Zeros"}},
           .has_activation = true,
           .output = [](ShapeReader& shapes) -> Extents {
             if (!shapes.is_image()) return {};
             const Extents window = shapes.pair("kernel_size");
             const std::size_t multiple = shapes.count("depth_multiplier"),
                               channels = shapes.count("filters");
             shapes.add_weight("depthwise_kernel", {window[0], window[1], shapes.last(), multiple});
             shapes.add_weight("pointwise_kernel", {1, 1, shapes.last() * multiple, channels});
             shapes.add_weight("bias", {channels}, "use_bias");
             return shapes.windows(window, channels);
           }}};
}

}  // namespace digitnet::keras::layers
