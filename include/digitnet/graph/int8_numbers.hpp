// The numbers of a quantized model: the scale of each value, the weights as bytes, and the parameters of the
// layers that stay in float32. With the model's type they are all there is of it.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/graph/int8_steps.hpp"

namespace digitnet::detail {

inline namespace DIGITNET_PROCESSOR {

/// A product's kernel (depth, outputs), each output with a scale of its own and without a zero point: w is
/// scale * kernel. The bias counts in steps of the input's scale times that.
struct Int8Weights {
  std::vector<std::int8_t> kernel{};
  std::vector<float> scales{};
  std::vector<std::int32_t> bias{};
};

struct Int8Numbers {
  /// [node]: whether its user keeps it in float32.
  std::vector<char> in_float{};
  /// [value]
  std::vector<kernels::ByteScale> scales{};
  /// [node]: of a product on bytes, and of what runs in float32.
  std::vector<Int8Weights> weights{};
  std::vector<Arena<float>> parameters{};
};

/// The scale of bytes for numbers from low to high, in which 0 is a byte.
inline kernels::ByteScale scale_of_range(double low, double high) {
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  // So that it, its inverse and what is made of it with others are normal numbers.
  const double scale = std::clamp((high - low) / 255, 1e-12, 1e12);
  return {static_cast<float>(scale),
          static_cast<std::uint8_t>(std::clamp(std::lround(-low / scale), 0L, 255L))};
}

/// A product's weights, with the normalization after it, for an input of that scale.
inline Int8Weights quantize_weights(const Int8Graph& graph, const Int8Step& step, float input_scale,
                                    const void* const* layers, const float* arena, const std::string& name) {
  constexpr double largest_bias = 1 << 30;
  const Int8Facts& form = graph.forms[step.node];
  const std::size_t outputs = form.outputs, depth = form.depth();
  const auto place = [&](std::size_t node) { return arena + graph.facts.outline.nodes[node].parameters; };
  const float* const kernel = place(step.node);
  std::vector<double> factors(outputs, 1.0), bias(outputs, 0.0);
  if (step.normalization != Int8Step::none)
    graph.forms[step.normalization].normalization(layers[step.normalization], place(step.normalization),
                                                  factors.data(), bias.data());
  Int8Weights result{std::vector<std::int8_t>(depth * outputs), std::vector<float>(outputs),
                     std::vector<std::int32_t>(outputs)};
  for (std::size_t output = 0; output < outputs; ++output) {
    if (form.bias > 0) bias[output] += factors[output] * double{kernel[form.bias + output]};
    double largest = 0;
    for (std::size_t k = 0; k < depth; ++k)
      largest = std::max(largest, std::abs(factors[output] * double{kernel[k * outputs + output]}));
    // A bias far above all products makes the steps larger.
    const double scale =
        std::max({largest / 127, std::abs(bias[output]) / (largest_bias * input_scale), 1e-12});
    if (!(scale < 1e12))
      fail("The layer \"" + name + "\" cannot be quantized: it has weights that are not finite, or beyond " +
           "any that a training gives: train the model anew");
    result.scales[output] = static_cast<float>(scale);
    const double exact = result.scales[output];
    for (std::size_t k = 0; k < depth; ++k)
      result.kernel[k * outputs + output] = static_cast<std::int8_t>(std::clamp(
          std::lround(factors[output] * double{kernel[k * outputs + output]} / exact), -127L, 127L));
    result.bias[output] = static_cast<std::int32_t>(
        std::clamp(std::round(bias[output] / (exact * input_scale)), -largest_bias, largest_bias));
  }
  return result;
}

/// All numbers, for scales that are known.
inline Int8Numbers quantize_numbers(const Int8Graph& graph, const Int8Steps& steps,
                                    std::vector<kernels::ByteScale> scales, std::vector<char> in_float,
                                    const void* const* layers, const float* arena,
                                    const std::vector<std::string>& names) {
  Int8Numbers result{std::move(in_float), std::move(scales), std::vector<Int8Weights>(graph.size()),
                     std::vector<Arena<float>>(graph.size())};
  for (const Int8Step& step : steps.steps) {
    if (step.is_product()) {
      const float scale = result.scales[steps.scale_of[steps.input(graph, step)]].scale;
      result.weights[step.node] = quantize_weights(graph, step, scale, layers, arena, names[step.node]);
    } else if (const std::size_t size = graph.facts.nodes[step.node]->parameters; size > 0) {
      result.parameters[step.node] = Arena<float>(size);
      std::copy_n(arena + graph.facts.outline.nodes[step.node].parameters, size,
                  result.parameters[step.node].data());
    }
  }
  return result;
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::detail
