// What a node can compute on bytes: which layers have such a form, and what it needs to know of them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "digitnet/graph/graph.hpp"
#include "digitnet/kernels/int8_values.hpp"
#include "digitnet/layers/batch_normalization.hpp"
#include "digitnet/layers/bfloat16.hpp"
#include "digitnet/layers/conv2d.hpp"
#include "digitnet/layers/dense.hpp"
#include "digitnet/layers/depthwise_conv2d.hpp"
#include "digitnet/layers/dropout.hpp"
#include "digitnet/layers/merge.hpp"
#include "digitnet/layers/pooling.hpp"
#include "digitnet/layers/random_image.hpp"
#include "digitnet/layers/zero_padding.hpp"

namespace digitnet::detail {

inline namespace DIGITNET_PROCESSOR {

/// `in_float`: it has no form on bytes. `view`: it gives what it gets.
enum class Int8Kind {
  in_float,
  product,
  depthwise,
  max_pooling,
  average_pooling,
  add,
  concatenate,
  relu,
  padding,
  view
};

struct Int8Facts {
  Int8Kind kind = Int8Kind::in_float;
  /// Of what slides over an image. A matrix product slides with a window of 1 over an image of one place.
  kernels::ByteWindows windows{};
  /// The image with its border.
  Extent padded = 1;
  std::size_t outputs = 0;
  /// Where the bias stands behind the kernel, in elements; 0: there is none.
  std::size_t bias = 0;
  /// Of a normalization: in inference y = factor x + offset, for each channel.
  void (*normalization)(const void* layer, const float* parameters, double* factors,
                        double* offsets) = nullptr;

  bool is_product() const { return kind == Int8Kind::product || kind == Int8Kind::depthwise; }
  bool has_border() const { return padded.height != windows.height || padded.width != windows.width; }
  /// Products that one output adds up.
  std::size_t depth() const {
    return windows.window.height * windows.window.width *
           (kind == Int8Kind::depthwise ? 1 : windows.channels);
  }
};

template <class Extents>
constexpr kernels::ByteWindows windows_of(const Extents& e, Extent window) {
  return {e.height, e.width, e.channels, window, e.stride, e.before, e.out_height, e.out_width};
}

template <class Layer, class In>
struct Int8Form {
  static constexpr Int8Facts value = [] {
    Int8Facts result;
    if constexpr (Layer::template On<In>::traits.is_view ||
                  std::is_base_of_v<RandomImageOn<In>, typename Layer::template On<In>>)
      result.kind = Int8Kind::view;
    return result;
  }();
};
template <class Layer>
struct Int8View {
  static constexpr Int8Facts value{.kind = Int8Kind::view};
};
// What acts in training only.
template <class In>
struct Int8Form<Dropout, In> : Int8View<Dropout> {};
template <class In>
struct Int8Form<SpatialDropout2D, In> : Int8View<SpatialDropout2D> {};
template <class In>
struct Int8Form<GaussianNoise, In> : Int8View<GaussianNoise> {};

template <class On>
constexpr std::size_t bias_offset() {
  return On::Parameters::count > 1 ? On::Parameters::offset(1) : 0;
}
template <std::size_t Units, bool UseBias, class In>
struct Int8Form<Dense<Units, UseBias>, In> {
  static constexpr Int8Facts value{.kind = Int8Kind::product,
                                   .windows = {.channels = In::size},
                                   .outputs = Units,
                                   .bias = bias_offset<typename Dense<Units, UseBias>::template On<In>>()};
};
template <std::size_t Filters, Extent Kernel, Extent Strides, Padding Border, bool UseBias, class In>
struct Int8Form<Conv2D<Filters, Kernel, Strides, Border, UseBias>, In> {
  using On = typename Conv2D<Filters, Kernel, Strides, Border, UseBias>::template On<In>;
  static constexpr Int8Facts value{.kind = Int8Kind::product,
                                   .windows = windows_of(On::extents, On::extents.kernel),
                                   .padded = On::extents.padded,
                                   .outputs = Filters,
                                   .bias = bias_offset<On>()};
};
template <Extent Kernel, Extent Strides, Padding Border, bool UseBias, class In>
struct Int8Form<DepthwiseConv2D<Kernel, Strides, Border, 1, UseBias>, In> {
  using On = typename DepthwiseConv2D<Kernel, Strides, Border, 1, UseBias>::template On<In>;
  static constexpr kernels::Conv2DExtents extents{In::height, In::width, In::channels, In::channels,
                                                  Kernel,     Strides,   Border};
  static constexpr Int8Facts value{.kind = Int8Kind::depthwise,
                                   .windows = windows_of(extents, Kernel),
                                   .padded = extents.padded,
                                   .outputs = In::channels,
                                   .bias = bias_offset<On>()};
};
template <class Layer, class In>
struct Int8Form<Bfloat16<Layer>, In> : Int8Form<Layer, In> {};
template <Extent Pool, Extent Strides, Padding Border, class In>
struct Int8Form<MaxPooling2D<Pool, Strides, Border>, In> {
  using On = typename MaxPooling2D<Pool, Strides, Border>::template On<In>;
  static constexpr Int8Facts value{.kind = Int8Kind::max_pooling,
                                   .windows = windows_of(On::extents, On::extents.window)};
};
template <Extent Pool, Extent Strides, Padding Border, class In>
struct Int8Form<AveragePooling2D<Pool, Strides, Border>, In> {
  using On = typename AveragePooling2D<Pool, Strides, Border>::template On<In>;
  static constexpr Int8Facts value{.kind = Int8Kind::average_pooling,
                                   .windows = windows_of(On::extents, On::extents.window)};
};
template <class In>
struct Int8Form<GlobalAveragePooling2D, In> {
  static constexpr Extent whole{In::height, In::width};
  static constexpr Int8Facts value{.kind = Int8Kind::average_pooling,
                                   .windows = {In::height, In::width, In::channels, whole, whole}};
};
template <class In>
struct Int8Form<ReLU, In> {
  static constexpr Int8Facts value{.kind = Int8Kind::relu};
};
template <Extent Border, class In>
struct Int8Form<ZeroPadding2D<Border>, In> {
  static constexpr Int8Facts value{.kind = Int8Kind::padding,
                                   .windows = {In::height, In::width, In::channels, 1, 1, Border},
                                   .padded = {In::height + 2 * Border.height, In::width + 2 * Border.width}};
};
template <bool Center, bool Scale, class In>
struct Int8Form<BasicBatchNormalization<Center, Scale>, In> {
  using Layer = BasicBatchNormalization<Center, Scale>;
  using On = typename Layer::template On<In>;
  static void channels(const void* layer, const float* parameters, double* factors, double* offsets) {
    for (std::size_t c = 0; c < On::channels; ++c) {
      const auto map = On::template inference_map<float>(*static_cast<const Layer*>(layer), {parameters}, c);
      factors[c] = map.factor;
      offsets[c] = map.offset - double{map.factor} * map.mean;
    }
  }
  static constexpr Int8Facts value{.normalization = channels};
};

template <class Node>
struct Int8FormOf : Int8Form<typename Node::Layer, typename Node::Input> {};
template <class In>
struct Int8FormOf<MergeNode<Add, In, In>> {
  static constexpr Int8Facts value{.kind = Int8Kind::add};
};
template <class... In>
struct Int8FormOf<MergeNode<Concatenate, In...>> {
  static constexpr Int8Facts value{.kind = Int8Kind::concatenate};
};
template <class Merge, class... In>
struct Int8FormOf<MergeNode<Merge, In...>> {
  static constexpr Int8Facts value{};
};

/// A model as its nodes, one by one: their forms on bytes, and how they run in float32.
struct Int8Graph {
  GraphFacts facts;
  std::span<const Int8Facts> forms;
  std::span<const RunOperation<float>> run;
  /// Extents along the last axis.
  std::span<const std::size_t> last;

  std::size_t size() const { return forms.size(); }
  std::size_t value_size(std::size_t value) const {
    return value == 0 ? facts.input : facts.nodes[value - 1]->output;
  }
  /// As facts.outline has it; a constant of the model's type.
  std::span<const std::size_t> inputs(std::size_t node) const { return facts.outline.inputs(node); }
};

template <class Body, class In>
struct Int8GraphOf {
  using Nodes = Graph<Body, In, 0, false, Fusing::off>;
  static constexpr auto forms = []<class... Node>(TypeList<Node...>) {
    return std::array<Int8Facts, sizeof...(Node)>{Int8FormOf<Node>::value...};
  }(typename Nodes::Nodes{});
  static constexpr auto last = []<class... Node>(TypeList<Node...>) {
    return std::array<std::size_t, sizeof...(Node) + 1>{In::last, Node::Output::last...};
  }(typename Nodes::Nodes{});
  static Int8Graph value() {
    return {Nodes::template facts<float>(), forms, Nodes::template forward<float>, last};
  }
};

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::detail
