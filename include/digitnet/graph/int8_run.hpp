// How one step of a quantized model runs: what it reads, made ready once, and the call of its kernel.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "digitnet/graph/int8_numbers.hpp"
#include "digitnet/kernels/int8_product.hpp"
#include "digitnet/kernels/int8_values.hpp"

namespace digitnet::detail {

inline namespace DIGITNET_PROCESSOR {

/// A step with its weights packed for this processor.
struct PackedInt8Step {
  Int8Step step;
  std::vector<std::size_t> inputs{};
  Arena<std::int8_t> weights{};
  Arena<std::int16_t> channel_weights{};
  Arena<std::int32_t> bias{};
  Arena<float> factors{};
  kernels::ByteRange range{};
  /// Of each position, or of each of a pooling's windows in turn its four: the first byte in the image. Empty
  /// where positions follow upon each other.
  std::vector<std::size_t> offsets{};
  /// From there to each group of four bytes, or, of a depthwise convolution, to each tap.
  std::vector<std::size_t> taps{};

  PackedInt8Step(const Int8Graph& graph, const Int8Steps& steps, const Int8Numbers& numbers,
                 const Int8Step& one)
      : step(one) {
    for (const std::size_t value : graph.inputs(step.node)) inputs.push_back(steps.root[value]);
    if (step.is_product()) pack(graph.forms[step.node], steps, numbers);
  }

  /// Bytes of a list of the inputs' places, for what runs in float32.
  std::size_t list_bytes() const { return round_up(inputs.size() * sizeof(void*), alignment_bytes); }
  /// Bytes that the step may overwrite.
  std::size_t scratch_bytes(const Int8Graph& graph, std::size_t samples) const {
    const Int8Facts& form = graph.forms[step.node];
    if (step.kind == Int8Kind::in_float)
      return list_bytes() + graph.facts.nodes[step.node]->scratch_bytes(samples);
    if (step.kind == Int8Kind::average_pooling) return form.windows.channels * sizeof(std::int32_t);
    return step.is_product() && form.has_border()
               ? form.padded.height * form.padded.width * form.windows.channels
               : 0;
  }

  /// The product of `samples` images.
  template <class Out>
  void multiply(const Int8Facts& form, std::uint8_t zero, std::size_t samples, const std::uint8_t* x,
                std::uint8_t* frame, Out* y) const {
    const kernels::ByteWindows& w = form.windows;
    const std::size_t image = w.height * w.width * w.channels;
    const kernels::Int8Product product{.groups = taps,
                                       .outputs = form.outputs,
                                       .weights = weights.data(),
                                       .bias = bias.data(),
                                       .factors = factors.data(),
                                       .range = range};
    if (offsets.empty())
      return kernels::int8_product(
          product, samples * w.height * w.width,
          [&](std::size_t position) { return x + position * w.channels; }, y);
    const std::size_t results = offsets.size() / (step.pooled ? 4 : 1) * form.outputs;
    for (std::size_t i = 0; i < samples; ++i, y += results) {
      const std::uint8_t* from = x + i * image;
      if (form.has_border()) {
        kernels::pad_bytes(w.height, w.width * w.channels, w.channels, w.before, form.padded, zero, from,
                           frame);
        from = frame;
      }
      const auto at = [&](std::size_t position) { return from + offsets[position]; };
      if (step.kind == Int8Kind::depthwise)
        kernels::int8_depthwise({.taps = taps.size(),
                                 .channels = w.channels,
                                 .offsets = taps.data(),
                                 .weights = channel_weights.data(),
                                 .bias = bias.data(),
                                 .factors = factors.data(),
                                 .range = range},
                                offsets.size(), at, y);
      else if (step.pooled)
        kernels::int8_product<4>(product, offsets.size(), at, y);
      else
        kernels::int8_product(product, offsets.size(), at, y);
    }
  }

 private:
  void pack(const Int8Facts& form, const Int8Steps& steps, const Int8Numbers& numbers) {
    const Int8Weights& from = numbers.weights[step.node];
    const kernels::ByteWindows& w = form.windows;
    const std::size_t outputs = form.outputs, depth = form.depth();
    // To whole vectors of any length.
    const std::size_t padded = round_up(outputs, alignment_elements);
    bias = Arena<std::int32_t>(padded);
    factors = Arena<float>(padded);
    const kernels::ByteScale in = numbers.scales[steps.scale_of[inputs[0]]],
                             out = numbers.scales[steps.scale_of[step.result]];
    for (std::size_t output = 0; output < outputs; ++output) {
      std::int32_t sum = 0;
      for (std::size_t k = 0; k < depth; ++k) sum += from.kernel[k * outputs + output];
      bias.data()[output] = from.bias[output] - sum * in.zero;
      // In the order of operations that other runtimes have.
      const float factor = in.scale * from.scales[output];
      factors.data()[output] = step.to_floats ? factor : factor / out.scale;
    }
    range = out.range();
    if (step.relu) range.low = 0;
    const std::size_t line = form.padded.width * w.channels;
    if (step.kind == Int8Kind::depthwise) {
      channel_weights = kernels::pack_int8_depthwise(depth, outputs, from.kernel.data());
      for (std::size_t row = 0; row < w.window.height; ++row)
        for (std::size_t column = 0; column < w.window.width; ++column)
          taps.push_back(row * line + column * w.channels);
    } else {
      taps = kernels::int8_groups(w.window.height, w.window.width * w.channels, line);
      weights = kernels::pack_int8(w.window.height, w.window.width * w.channels, outputs, from.kernel.data());
      if (w.window == Extent{1} && w.stride == Extent{1} && !form.has_border() && !step.pooled) return;
    }
    const auto add = [&](std::size_t row, std::size_t column) {
      offsets.push_back(row * w.stride.height * line + column * w.stride.width * w.channels);
    };
    if (!step.pooled) {
      for (std::size_t row = 0; row < w.out_height; ++row)
        for (std::size_t column = 0; column < w.out_width; ++column) add(row, column);
      return;
    }
    for (std::size_t row = 0; row + 1 < w.out_height; row += 2)
      for (std::size_t column = 0; column + 1 < w.out_width; column += 2)
        for (std::size_t i = 0; i < 4; ++i) add(row + i / 2, column + i % 2);
  }
};

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::detail
