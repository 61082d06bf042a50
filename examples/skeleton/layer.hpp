// A layer with parameters to copy: LayerScale multiplies each channel by a factor that it learns.
#pragma once
#include <cstddef>
#include <digitnet/layers/layer.hpp>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace digitnet::skeleton {

/// y = gamma x, with a gamma for each channel. Input and output (..., channels), as an image is. Parameter
/// "gamma" (channels).
/// Touvron and others: Going deeper with Image Transformers (2021).
struct LayerScale {
  static constexpr std::string_view class_name = "LayerScale";
  // It has no settings. A template argument or a member that decides something stands here as
  // setting<"units">(Units) or setting<"rate">(&Dropout::rate).
  static constexpr auto settings = std::tuple{};
  Initializer gamma_initializer = Constant(1e-5f);

  template <class In>
  struct On : LayerDefaults {
    static_assert(In::rank >= 2, "LayerScale needs channels: put Reshape before it");
    using Output = In;
    using Parameters = ParameterList<Parameter<"gamma", Shape<In::last>, &LayerScale::gamma_initializer>>;
    // Promises for speed; without this line there are none.
    static constexpr LayerTraits traits{.backward_reads_y = false, .multiply_adds = In::size};

    // Assigns every element of y.
    static void forward(const auto& io) {
      const auto* const gamma = get<"gamma">(io.parameters).data;
      for (std::size_t i = 0; i < io.x.size(); ++i) io.y.data[i] = gamma[i % In::last] * io.x.data[i];
    }
    // Assigns every element of dx, and adds to the gradients of the parameters.
    static void backward(const auto& io) {
      const auto* const gamma = get<"gamma">(io.parameters).data;
      auto* const gradient = get<"gamma">(io.gradients).data;
      for (std::size_t i = 0; i < io.x.size(); ++i) {
        gradient[i % In::last] += io.x.data[i] * io.dy.data[i];
        if constexpr (std::decay_t<decltype(io)>::wants_dx)
          io.dx.data[i] = gamma[i % In::last] * io.dy.data[i];
      }
    }
  };
};

}  // namespace digitnet::skeleton
