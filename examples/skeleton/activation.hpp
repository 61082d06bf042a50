// An activation to copy: Swish, y = x sigmoid(beta x).
#pragma once
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/setting.hpp>
#include <string_view>
#include <tuple>

namespace digitnet::skeleton {

/// x sigmoid(beta x). Ramachandran, Zoph, Le: Searching for Activation Functions (2017).
struct Swish {
  static constexpr std::string_view class_name = "Swish";
  float beta = 1;
  // What decides the function, as data: summary, description, checkpoints and files follow from it.
  static constexpr auto settings = std::tuple{setting<"beta">(&Swish::beta)};

  // ElementwiseOfArgument: the derivative follows from x. ElementwiseOfResult: it follows from y, so that x
  // need not stay in memory.
  template <class In>
  struct On : detail::ElementwiseOfArgument<In> {};

  // V is a vector of float, or of double in gradient checks: a whole register of numbers at once.
  template <class V>
  V value(V x) const {
    return x * Sigmoid::value(V(beta) * x);
  }
  template <class V>
  V slope(V x) const {
    const V sigmoid = Sigmoid::value(V(beta) * x);
    return sigmoid * (V(1) + V(beta) * x * (V(1) - sigmoid));
  }
};

}  // namespace digitnet::skeleton
