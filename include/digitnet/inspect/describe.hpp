// describe(model): a typed model as data. A layer of one's own takes part with an overload of attributes_of
// in its own namespace.
#pragma once
#include <array>
#include <span>

#include "digitnet/inspect/description.hpp"
#include "digitnet/layers/activations.hpp"
#include "digitnet/layers/batch_normalization.hpp"
#include "digitnet/layers/conv2d.hpp"
#include "digitnet/layers/dense.hpp"
#include "digitnet/layers/depthwise_conv2d.hpp"
#include "digitnet/layers/dropout.hpp"
#include "digitnet/layers/layer_normalization.hpp"
#include "digitnet/layers/pooling.hpp"
#include "digitnet/layers/random_image.hpp"
#include "digitnet/layers/rescaling.hpp"
#include "digitnet/layers/reshape.hpp"
#include "digitnet/layers/zero_padding.hpp"

namespace digitnet {

namespace detail {

// Templates only pass numbers on to these: code is made for them once, not for every layer.
inline std::int64_t whole(std::size_t number) { return static_cast<std::int64_t>(number); }
inline std::vector<std::int64_t> pair_of(Extent extent) {
  return {whole(extent.height), whole(extent.width)};
}
inline std::string word(Padding padding) { return padding == same ? "same" : "valid"; }
[[gnu::cold, gnu::noinline]] inline Attributes dense_attributes(std::size_t units, bool use_bias) {
  return {{"units", whole(units)}, {"use_bias", use_bias}};
}
[[gnu::cold, gnu::noinline]] inline Attributes convolution_attributes(std::size_t filters, Extent kernel,
                                                                      Extent strides, Padding padding,
                                                                      bool use_bias) {
  return {{"filters", whole(filters)},
          {"kernel_size", pair_of(kernel)},
          {"strides", pair_of(strides)},
          {"padding", word(padding)},
          {"use_bias", use_bias}};
}
[[gnu::cold, gnu::noinline]] inline Attributes depthwise_attributes(Extent kernel, Extent strides,
                                                                    Padding padding, std::size_t multiplier,
                                                                    bool use_bias) {
  return {{"kernel_size", pair_of(kernel)},
          {"strides", pair_of(strides)},
          {"padding", word(padding)},
          {"depth_multiplier", whole(multiplier)},
          {"use_bias", use_bias}};
}
inline std::string word(FillMode mode) {
  constexpr const char* words[] = {"constant", "nearest", "reflect", "wrap"};
  return words[static_cast<std::size_t>(mode)];
}
[[gnu::cold, gnu::noinline]] inline Attributes pooling_attributes(Extent size, Extent strides,
                                                                  Padding padding) {
  return {{"pool_size", pair_of(size)}, {"strides", pair_of(strides)}, {"padding", word(padding)}};
}
[[gnu::cold, gnu::noinline]] inline Attributes normalization_attributes(bool center, bool scale,
                                                                        double epsilon, double momentum) {
  return {{"center", center}, {"scale", scale}, {"epsilon", epsilon}, {"momentum", momentum}};
}
[[gnu::cold, gnu::noinline]] inline Attributes list_attribute(const char* name,
                                                              std::vector<std::int64_t> list) {
  return {{name, std::move(list)}};
}
[[gnu::cold, gnu::noinline]] inline Attributes number_attribute(const char* name, double number) {
  return {{name, number}};
}

// Adds layers and their weights to a description.
class Describer {
 public:
  [[gnu::cold]] explicit Describer(std::span<const std::size_t> input) {
    result.input.assign(input.begin(), input.end());
  }
  [[gnu::cold, gnu::noinline]] void add_layer(std::string_view class_name, const std::string& name,
                                              Attributes attributes, std::span<const std::size_t> input,
                                              std::span<const std::size_t> output) {
    const bool after_last = now_ == result.layers.size();
    result.layers.push_back(
        {.class_name = std::string(class_name),
         .name = name,
         .attributes = std::move(attributes),
         .input = {input.begin(), input.end()},
         .output = {output.begin(), output.end()},
         .weights = {},
         .sources = after_last ? std::vector<std::size_t>{} : std::vector<std::size_t>{now_}});
    now_ = result.layers.size();
  }
  [[gnu::cold, gnu::noinline]] void add_weight(std::string_view name, std::span<const std::size_t> shape,
                                               bool trainable, std::size_t offset,
                                               const Regularizer& regularizer) {
    result.layers.back().weights.push_back(
        {std::string(name), {shape.begin(), shape.end()}, trainable, offset, regularizer});
  }
  // Where branches part and meet.
  std::size_t now() const { return now_; }
  void go_to(std::size_t source) { now_ = source; }
  [[gnu::cold, gnu::noinline]] void merge(std::string_view class_name, const std::string& name,
                                          std::span<const std::size_t> ends,
                                          std::span<const std::size_t> input,
                                          std::span<const std::size_t> output) {
    add_layer(class_name, name, {}, input, output);
    result.layers.back().sources.assign(ends.begin(), ends.end());
  }
  ModelDescription result{};

 private:
  std::size_t now_ = 0;  // the source of the next layer
};

// Walks through a model's layers.
struct DescribingVisitor {
  Describer& describer;

  template <class Step>
  void operator()(std::type_identity<Step>, const auto& layer, const std::string& name,
                  std::size_t first) const;
  std::size_t fork() const { return describer.now(); }
  void branch(std::size_t source) const { describer.go_to(source); }
  template <std::size_t N>
  void merge(std::string_view class_name, const std::string& name, const std::array<std::size_t, N>& ends,
             std::span<const std::size_t> input, std::span<const std::size_t> output) const {
    describer.merge(class_name, name, ends, input, output);
  }
};

}  // namespace detail

/// What decides a layer's mathematics, in Keras' words; nothing for layers without choices.
inline Attributes attributes_of(const auto&) { return {}; }

template <std::size_t Units, bool UseBias>
Attributes attributes_of(const Dense<Units, UseBias>&) {
  return detail::dense_attributes(Units, UseBias);
}
template <std::size_t Filters, Extent KernelSize, Extent Strides, Padding Border, bool UseBias>
Attributes attributes_of(const Conv2D<Filters, KernelSize, Strides, Border, UseBias>&) {
  return detail::convolution_attributes(Filters, KernelSize, Strides, Border, UseBias);
}
template <Extent PoolSize, Extent Strides, Padding Border>
Attributes attributes_of(const MaxPooling2D<PoolSize, Strides, Border>&) {
  return detail::pooling_attributes(PoolSize, Strides, Border);
}
template <Extent PoolSize, Extent Strides, Padding Border>
Attributes attributes_of(const AveragePooling2D<PoolSize, Strides, Border>&) {
  return detail::pooling_attributes(PoolSize, Strides, Border);
}
template <bool Center, bool Scale>
Attributes attributes_of(const BasicBatchNormalization<Center, Scale>& layer) {
  return detail::normalization_attributes(Center, Scale, layer.epsilon, layer.momentum);
}
template <bool Center, bool Scale>
Attributes attributes_of(const BasicLayerNormalization<Center, Scale>& layer) {
  return {{"center", Center}, {"scale", Scale}, {"epsilon", double{layer.epsilon}}};
}
template <Extent Kernel, Extent Strides, Padding Border, std::size_t Multiplier, bool UseBias>
Attributes attributes_of(const DepthwiseConv2D<Kernel, Strides, Border, Multiplier, UseBias>&) {
  return detail::depthwise_attributes(Kernel, Strides, Border, Multiplier, UseBias);
}
template <std::size_t Filters, Extent Kernel, Extent Strides, Padding Border, std::size_t Multiplier,
          bool UseBias>
Attributes attributes_of(const SeparableConv2D<Filters, Kernel, Strides, Border, Multiplier, UseBias>&) {
  Attributes result = detail::depthwise_attributes(Kernel, Strides, Border, Multiplier, UseBias);
  result.insert(result.begin(), {"filters", detail::whole(Filters)});
  return result;
}
template <std::size_t... Extents>
Attributes attributes_of(const Reshape<Extents...>&) {
  return detail::list_attribute("target_shape", {detail::whole(Extents)...});
}
template <Extent Frame>
Attributes attributes_of(const ZeroPadding2D<Frame>&) {
  return detail::list_attribute("padding", detail::pair_of(Frame));
}
inline Attributes attributes_of(const Dropout& layer) { return detail::number_attribute("rate", layer.rate); }
inline Attributes attributes_of(const SpatialDropout2D& layer) {
  return detail::number_attribute("rate", layer.rate);
}
inline Attributes attributes_of(const GaussianNoise& layer) {
  return detail::number_attribute("stddev", layer.stddev);
}
[[gnu::cold]] inline Attributes attributes_of(const RandomFlip& layer) {
  constexpr const char* words[] = {"horizontal", "vertical", "horizontal_and_vertical"};
  return {{"mode", std::string(words[static_cast<std::size_t>(layer.mode)])}};
}
[[gnu::cold]] inline Attributes attributes_of(const RandomRotation& layer) {
  return {{"factor", double{layer.factor}}, {"fill_mode", detail::word(layer.fill_mode)}};
}
[[gnu::cold]] inline Attributes attributes_of(const RandomTranslation& layer) {
  return {{"height_factor", double{layer.height_factor}},
          {"width_factor", double{layer.width_factor}},
          {"fill_mode", detail::word(layer.fill_mode)}};
}
[[gnu::cold]] inline Attributes attributes_of(const RandomZoom& layer) {
  return {{"height_factor", double{layer.height_factor}}, {"fill_mode", detail::word(layer.fill_mode)}};
}
inline Attributes attributes_of(const LeakyReLU& layer) {
  return detail::number_attribute("negative_slope", layer.negative_slope);
}
inline Attributes attributes_of(const ELU& layer) { return detail::number_attribute("alpha", layer.alpha); }
[[gnu::cold]] inline Attributes attributes_of(const GELU& layer) {
  return {{"approximate", layer.approximate}};
}
[[gnu::cold]] inline Attributes attributes_of(const Rescaling& layer) {
  return {{"scale", double{layer.scale}}, {"offset", double{layer.offset}}};
}

template <class Step>
void detail::DescribingVisitor::operator()(std::type_identity<Step>, const auto& layer,
                                           const std::string& name, std::size_t first) const {
  describer.add_layer(Step::Layer::class_name, name, attributes_of(layer), Step::Input::extents,
                      Step::Output::extents);
  Step::On::Parameters::for_each([&]<class P>(std::size_t offset) {
    describer.add_weight(P::name.view(), P::Shape::extents, P::trainable, first + offset,
                         regularizer_of<P>(layer));
  });
}

/// The model's layers as data.
template <class Model>
[[gnu::cold, gnu::noinline]] ModelDescription describe(const Model& model) {
  detail::Describer describer(Model::InputShape::extents);
  Model::On::for_each_layer(model.body(), "", 0, detail::DescribingVisitor{describer});
  return std::move(describer.result);
}

}  // namespace digitnet
