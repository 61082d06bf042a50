// Combinators: layers side by side whose results are merged, as layers.
#pragma once
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "digitnet/layers/activations.hpp"
#include "digitnet/layers/batch_normalization.hpp"
#include "digitnet/layers/conv2d.hpp"
#include "digitnet/layers/dense.hpp"
#include "digitnet/layers/identity.hpp"
#include "digitnet/layers/merge.hpp"
#include "digitnet/layers/pooling.hpp"
#include "digitnet/layers/reshape.hpp"
#include "digitnet/model/sequential.hpp"

namespace digitnet {

/// Branches (layers, or Sequentials of them) that get the same input, and their results merged by Add,
/// Multiply or Concatenate: `Parallel<Concatenate, Conv2D<8, 1>, Sequential<Conv2D<8, 3, 1, same>, ReLU>>`.
/// Parameters are named "parallel/conv2d/kernel", "parallel/sequential/conv2d/kernel".
template <class MergeType, class... Branches>
struct Parallel {
  static constexpr std::string_view class_name = "Parallel";

  std::tuple<Branches...> branches;

  constexpr Parallel() = default;
  constexpr explicit Parallel(Branches... values) requires(sizeof...(Branches) > 0)
      : branches(std::move(values)...) {}

  using Merge = MergeType;
  template <class In>
  using BranchList = TypeList<Branches...>;
  template <class In>
  struct On : LayersOn<Parallel, In> {};

  template <std::size_t I, class In>
  constexpr const auto& branch() const {
    return std::get<I>(branches);
  }
  static constexpr std::array<BranchName, sizeof...(Branches)> branch_names{
      BranchName{Branches::class_name, true}...};
};

/// In front of a Residual's layers: what its shortcut is made of.
template <class... Layers>
struct Shortcut {};

namespace detail {

// Stands in where a shortcut was refused, so that the refusal is the only error.
template <class Out>
struct NoShortcut {
  static constexpr std::string_view class_name = "NoShortcut";
  template <class In>
  struct On : LayerDefaults {
    using Output = Out;
    template <class Io>
    static void forward(const Io&) {}
    template <class Io>
    static void backward(const Io&) {}
  };
};

// The shortcut from In to Out: the input itself, or a projection with the fewest parameters.
template <class In, class Out>
struct ShortcutOf {
  static constexpr bool flat = In::rank == 1 && Out::rank == 1;
  static constexpr bool images = In::rank == 3 && Out::rank == 3 && Out::size > 0;
  static constexpr Extent strides{images ? (In::height + Out::height - 1) / Out::height : 1,
                                  images ? (In::width + Out::width - 1) / Out::width : 1};
  static constexpr bool fits = flat || (images && (In::height - 1) / strides.height + 1 == Out::height &&
                                        (In::width - 1) / strides.width + 1 == Out::width);
  using Projection =
      std::conditional_t<flat, Sequential<Dense<Out::last, no_bias>, BatchNormalization>,
                         Sequential<Conv2D<Out::channels, 1, strides, valid, no_bias>, BatchNormalization>>;
  using Type = std::conditional_t<std::is_same_v<In, Out>, Identity,
                                  std::conditional_t<fits, Projection, NoShortcut<Out>>>;
  static_assert(
      std::is_same_v<In, Out> || fits,
      "Residual's layers change the shape in a way that no projection follows: use padding same, or "
      "write Residual<Shortcut<...>, ...>");
};

template <class... Body>
struct ResidualLayers {
  using BodyLayer = Sequential<Body...>;
  template <class In>
  using ShortcutLayer = typename ShortcutOf<In, typename BodyLayer::template On<In>::Output>::Type;
};
template <class... ShortcutLayers, class... Body>
struct ResidualLayers<Shortcut<ShortcutLayers...>, Body...> {
  using BodyLayer = Sequential<Body...>;
  template <class In>
  using ShortcutLayer = Sequential<ShortcutLayers...>;
};

}  // namespace detail

/// layers(x) + shortcut(x). The shortcut is x itself or, where the layers change the shape, a projection:
/// a 1x1 convolution with their stride and BatchNormalization (option B of the paper); or what
/// `Residual<Shortcut<...>, ...>` says. He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition
/// (2015). Parameters are named "residual/conv2d/kernel", "residual/shortcut/conv2d/kernel".
template <class... Layers>
struct Residual {
  static constexpr std::string_view class_name = "Residual";
  using Kinds = detail::ResidualLayers<Layers...>;

  typename Kinds::BodyLayer body;

  constexpr Residual() = default;
  template <class... Values>
  requires(std::is_same_v<Sequential<Values...>, typename Kinds::BodyLayer> &&
           sizeof...(Values) > 0) constexpr explicit Residual(Values... layers)
      : body(std::move(layers)...) {}

  using Merge = Add;
  template <class In>
  using BranchList = TypeList<typename Kinds::BodyLayer, typename Kinds::template ShortcutLayer<In>>;
  template <class In>
  struct On : LayersOn<Residual, In> {};

  template <std::size_t I, class In>
  const auto& branch() const {
    if constexpr (I == 0) {
      return body;
    } else {
      static const typename Kinds::template ShortcutLayer<In> shortcut{};
      return shortcut;
    }
  }
  static constexpr std::array<BranchName, 2> branch_names{BranchName{"", false}, {"shortcut", false}};
};
template <class... Values>
Residual(Values...) -> Residual<Values...>;

/// Scales each channel by a number between 0 and 1 that depends on the means of all channels: global pooling,
/// Dense<channels / Reduction>, ReLU, Dense<channels>, Sigmoid. Hu, Shen, Sun: Squeeze-and-Excitation
/// Networks (2017). Parameters are named "squeeze_excite/dense/kernel", "squeeze_excite/dense_1/kernel".
template <std::size_t Reduction = 4>
struct SqueezeExcite {
  static constexpr std::string_view class_name = "SqueezeExcite";
  static_assert(Reduction > 0, "SqueezeExcite's reduction must be at least 1");

  template <class In>
  using Gate = Sequential<GlobalAveragePooling2D,
                          Dense<(In::channels / (Reduction > 0 ? Reduction : 1) > 0
                                     ? In::channels / (Reduction > 0 ? Reduction : 1)
                                     : 1)>,
                          ReLU, Dense<In::channels>, Sigmoid, Reshape<1, 1, In::channels>>;

  using Merge = Multiply;
  template <class In>
  using BranchList = TypeList<Identity, Gate<In>>;
  template <class In>
  struct On : LayersOn<SqueezeExcite, In> {};

  template <std::size_t I, class In>
  const auto& branch() const {
    static const std::conditional_t<I == 0, Identity, Gate<In>> layer{};
    return layer;
  }
  static constexpr std::array<BranchName, 2> branch_names{BranchName{"identity", false}, {"", false}};
};

}  // namespace digitnet
