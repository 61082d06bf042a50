// A quantized model that runs: its steps in order, and where their values lie.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "digitnet/core/samples.hpp"
#include "digitnet/graph/int8_run.hpp"
#include "digitnet/graph/memory_layout.hpp"

namespace digitnet::detail {

inline namespace DIGITNET_PROCESSOR {

class Int8Plan {
 public:
  Int8Plan(const Int8Graph& graph, const Int8Numbers& numbers)
      : graph_(graph),
        how_(steps_of(graph, numbers.in_float)),
        scales_(numbers.scales),
        parameters_(numbers.parameters) {
    for (const Int8Step& step : how_.steps) steps_.emplace_back(graph_, how_, numbers, step);
    for (std::size_t value = 0; value < scales_.size(); ++value)
      scales_[value] = numbers.scales[how_.scale_of[value]];
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const float number = static_cast<float>(byte) * (1.0f / 255.0f);
      kernels::quantize_bytes(1, &number, scales_[0], &from_byte_[byte]);
    }
    one_ = lay_out_for(1);
    // So many samples that what they are on the way stays in the cache.
    constexpr std::size_t cached = 256 * 1024, most = 64;
    many_ = lay_out_for(std::clamp<std::size_t>(cached / std::max<std::size_t>(one_.bytes, 1), 1, most));
  }

  /// Samples that are computed together, at most.
  std::size_t micro_batch() const { return many_.samples; }
  const Int8Steps& steps() const { return how_; }
  std::size_t outputs() const { return graph_.value_size(how_.output()); }
  /// Bytes of memory that `run` needs for so many samples.
  std::size_t bytes(std::size_t samples) const { return layout(samples).bytes; }
  /// Bytes of the weights as they are packed, and of what stays in float32.
  std::size_t weight_bytes() const {
    std::size_t sum = 0;
    for (const PackedInt8Step& step : steps_)
      sum += step.weights.size() + 2 * step.channel_weights.size() + 4 * step.bias.size() +
             4 * step.factors.size();
    for (const Arena<float>& parameters : parameters_) sum += 4 * parameters.size();
    return sum;
  }

  /// result (count, outputs) of samples from `first` on.
  void run(const Samples& samples, std::size_t first, std::size_t count, const void* const* layers,
           std::byte* memory, float* result) const {
    const Layout& layout = this->layout(count);
    read(samples, first, count, layout, memory);
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      const PackedInt8Step& packed = steps_[i];
      run_step(packed, layout, count, layers, memory, memory + layout.scratch[i]);
      convert(packed.step, layout, count, memory);
    }
    std::copy_n(floats(layout, memory, how_.output()), count * outputs(), result);
  }

 private:
  struct Layout {
    std::size_t samples = 0, bytes = 0;
    /// By value, and by step.
    std::vector<std::size_t> as_bytes{}, as_floats{}, scratch{};
  };
  const Layout& layout(std::size_t samples) const { return samples == 1 ? one_ : many_; }

  Layout lay_out_for(std::size_t samples) const {
    const std::size_t values = graph_.size() + 1, steps = how_.steps.size();
    std::vector<PlannedBuffer> buffers(2 * values + steps);
    for (std::size_t value = 0; value < values; ++value) {
      const std::size_t size = samples * graph_.value_size(value);
      if (how_.as_bytes[value]) buffers[value].bytes = size;
      if (how_.as_floats[value]) buffers[values + value].bytes = size * sizeof(float);
    }
    for (std::size_t i = 0; i < steps; ++i) {
      const Int8Step& step = how_.steps[i];
      for (const std::size_t of : {step.result, values + step.result})
        buffers[of].birth = buffers[of].death = i;
      for (const std::size_t input : steps_[i].inputs)
        buffers[input].death = buffers[values + input].death = i;
      buffers[2 * values + i] = {.bytes = steps_[i].scratch_bytes(graph_, samples), .birth = i, .death = i};
    }
    buffers[values + how_.output()].death = steps;
    Layout result{.samples = samples, .bytes = detail::lay_out(buffers, false)};
    for (std::size_t i = 0; i < buffers.size(); ++i)
      (i < values       ? result.as_bytes
       : i < 2 * values ? result.as_floats
                        : result.scratch)
          .push_back(buffers[i].offset);
    return result;
  }

  std::uint8_t* bytes(const Layout& layout, std::byte* memory, std::size_t value) const {
    return reinterpret_cast<std::uint8_t*>(memory + layout.as_bytes[value]);
  }
  float* floats(const Layout& layout, std::byte* memory, std::size_t value) const {
    return reinterpret_cast<float*>(memory + layout.as_floats[value]);
  }

  void read(const Samples& samples, std::size_t first, std::size_t count, const Layout& layout,
            std::byte* memory) const {
    samples.check_finite(first, count);
    const std::size_t size = graph_.value_size(0);
    const std::byte* const from = samples.memory().data();
    const bool given_as_bytes = samples.memory().size() == samples.count() * size;
    if (how_.as_floats[0])
      for (std::size_t i = 0; i < count; ++i) samples.copy(first + i, floats(layout, memory, 0) + i * size);
    if (!how_.as_bytes[0]) return;
    std::uint8_t* const to = bytes(layout, memory, 0);
    if (!given_as_bytes)
      return kernels::quantize_bytes(count * size, reinterpret_cast<const float*>(from) + first * size,
                                     scales_[0], to);
    for (std::size_t i = 0; i < count * size; ++i)
      to[i] = from_byte_[std::to_integer<std::size_t>(from[first * size + i])];
  }

  // What is wanted in the form that a step does not give.
  void convert(const Int8Step& step, const Layout& layout, std::size_t count, std::byte* memory) const {
    const std::size_t value = step.result, size = count * graph_.value_size(value);
    const bool gives_floats = step.kind == Int8Kind::in_float || step.to_floats;
    if (gives_floats && how_.as_bytes[value])
      kernels::quantize_bytes(size, floats(layout, memory, value), scales_[value],
                              bytes(layout, memory, value));
    if (!gives_floats && how_.as_floats[value])
      kernels::dequantize_bytes(size, bytes(layout, memory, value), scales_[value],
                                floats(layout, memory, value));
  }

  void run_step(const PackedInt8Step& packed, const Layout& layout, std::size_t count,
                const void* const* layers, std::byte* memory, std::byte* scratch) const {
    const Int8Step& step = packed.step;
    const Int8Facts& form = graph_.forms[step.node];
    if (step.kind == Int8Kind::in_float) return run_in_float(packed, layout, count, layers, memory, scratch);
    const kernels::ByteScale from = scales_[packed.inputs[0]], to = scales_[step.result];
    const std::uint8_t* const x = bytes(layout, memory, packed.inputs[0]);
    std::uint8_t* const y = step.to_floats ? nullptr : bytes(layout, memory, step.result);
    const std::size_t in = graph_.value_size(packed.inputs[0]), out = graph_.value_size(step.result);
    auto* const frame = reinterpret_cast<std::uint8_t*>(scratch);
    switch (step.kind) {
      case Int8Kind::product:
      case Int8Kind::depthwise:
        if (step.to_floats)
          packed.multiply(form, from.zero, count, x, frame, floats(layout, memory, step.result));
        else
          packed.multiply(form, from.zero, count, x, frame, y);
        return;
      case Int8Kind::max_pooling:
        for (std::size_t i = 0; i < count; ++i)
          kernels::max_pool_bytes(form.windows, x + i * in, y + i * out);
        return;
      case Int8Kind::average_pooling:
        for (std::size_t i = 0; i < count; ++i)
          kernels::average_pool_bytes(form.windows, from, to, x + i * in,
                                      reinterpret_cast<std::int32_t*>(scratch), y + i * out);
        return;
      case Int8Kind::add: {
        const kernels::ByteScale other = scales_[packed.inputs[1]];
        kernels::add_bytes(count * out, x, bytes(layout, memory, packed.inputs[1]),
                           kernels::Rescale(from, &other, to, step.relu), y);
        return;
      }
      case Int8Kind::concatenate:
        concatenate(packed, layout, count, memory, y);
        return;
      case Int8Kind::relu:
        for (std::size_t i = 0; i < count * out; ++i) y[i] = std::max(x[i], from.zero);
        return;
      case Int8Kind::padding:
        for (std::size_t i = 0; i < count; ++i)
          kernels::pad_bytes(form.windows.height, form.windows.width * form.windows.channels,
                             form.windows.channels, form.windows.before, form.padded, from.zero, x + i * in,
                             y + i * out);
        return;
      case Int8Kind::in_float:
      case Int8Kind::view:
        return;
    }
  }

  void concatenate(const PackedInt8Step& packed, const Layout& layout, std::size_t count, std::byte* memory,
                   std::uint8_t* y) const {
    const auto inputs = graph_.inputs(packed.step.node);
    const std::size_t row = graph_.last[packed.step.node + 1],
                      rows = count * graph_.value_size(packed.step.result) / row;
    std::size_t before = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      // A view may have given it another last axis.
      const std::size_t width = graph_.last[inputs[i]];
      const kernels::Rescale how(scales_[packed.inputs[i]], nullptr, scales_[packed.step.result]);
      const std::uint8_t* const x = bytes(layout, memory, packed.inputs[i]);
      for (std::size_t r = 0; r < rows; ++r)
        kernels::rescale_bytes(width, x + r * width, how, y + r * row + before);
      before += width;
    }
  }

  void run_in_float(const PackedInt8Step& packed, const Layout& layout, std::size_t count,
                    const void* const* layers, std::byte* memory, std::byte* scratch) const {
    const std::size_t node = packed.step.node;
    auto* const x = reinterpret_cast<const float**>(scratch);
    for (std::size_t i = 0; i < packed.inputs.size(); ++i) x[i] = floats(layout, memory, packed.inputs[i]);
    const OperationIo<float> io{.samples = count,
                                .layers = layers + node,
                                .x = x,
                                .y = floats(layout, memory, packed.step.result),
                                .parameters = parameters_[node].data(),
                                .scratch = reinterpret_cast<float*>(scratch + packed.list_bytes())};
    for (std::size_t stage = 0; stage <= graph_.facts.nodes[node]->traits.barriers; ++stage)
      graph_.run[node](stage, io);
  }

  Int8Graph graph_;
  Int8Steps how_;
  std::vector<kernels::ByteScale> scales_;
  std::vector<Arena<float>> parameters_;
  std::vector<PackedInt8Step> steps_{};
  std::array<std::uint8_t, 256> from_byte_{};
  Layout one_{}, many_{};
};

}  // namespace DIGITNET_PROCESSOR

}  // namespace digitnet::detail
