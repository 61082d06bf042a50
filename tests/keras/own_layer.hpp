// A layer of a user's own, with settings of each kind and a parameter, as imported models include it.
#pragma once
#include <algorithm>
#include <any>
#include <digitnet/digitnet.hpp>
#include <digitnet/keras/keras.hpp>
#include <vector>

namespace mine {

enum class Side { left, right };
constexpr const char* setting_word(Side side) { return side == Side::left ? "left" : "right"; }

/// y = strength * (gain x), repeated `Times` times along the last axis.
template <std::size_t Times>
struct Repeat {
  static constexpr std::string_view class_name = "Repeat";
  float strength = 1;
  Side side = Side::left;
  static constexpr auto settings =
      std::tuple{digitnet::setting<"times">(Times), digitnet::setting<"strength">(&Repeat::strength),
                 digitnet::setting<"side">(&Repeat::side)};
  digitnet::Initializer gain_initializer = digitnet::Ones{};

  template <class In>
  struct On : digitnet::LayerDefaults {
    using Output = digitnet::Shape<In::size * Times>;
    using Parameters = digitnet::ParameterList<digitnet::Parameter<"gain", In, &Repeat::gain_initializer>>;
    static constexpr digitnet::LayerTraits traits{.backward_reads_y = false};

    static void forward(const auto& io) {
      const auto* const gain = digitnet::get<"gain">(io.parameters).data;
      for (std::size_t i = 0; i < io.samples(); ++i)
        for (std::size_t j = 0; j < In::size * Times; ++j)
          io.y.sample(i)[j] = io.layer.strength * gain[j % In::size] * io.x.sample(i)[j % In::size];
    }
    static void backward(const auto& io) {
      const auto* const gain = digitnet::get<"gain">(io.parameters).data;
      auto* const d_gain = digitnet::get<"gain">(io.gradients).data;
      for (std::size_t i = 0; i < io.samples(); ++i) {
        if constexpr (std::decay_t<decltype(io)>::wants_dx) std::fill_n(io.dx.sample(i), In::size, 0);
        for (std::size_t j = 0; j < In::size * Times; ++j) {
          const auto dy = io.layer.strength * io.dy.sample(i)[j];
          d_gain[j % In::size] += dy * io.x.sample(i)[j % In::size];
          if constexpr (std::decay_t<decltype(io)>::wants_dx)
            io.dx.sample(i)[j % In::size] += dy * gain[j % In::size];
        }
      }
    }
  };
};

/// How Keras' files have it.
inline digitnet::keras::LayerEntry repeat_entry() {
  return digitnet::keras::own_layer<Repeat<1>>("mine", "keras/own_layer.hpp",
                                               [](digitnet::keras::ShapeReader& shapes) {
                                                 digitnet::keras::Extents output = shapes.input();
                                                 output.back() *= shapes.count("times");
                                                 return output;
                                               });
}
template <std::size_t Times>
std::vector<std::any> file_entries(const Repeat<Times>&) {
  return {repeat_entry()};
}

}  // namespace mine
