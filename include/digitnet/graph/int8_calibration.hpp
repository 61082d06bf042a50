// Calibration: which range of numbers the bytes of each value should span, by what samples show.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "digitnet/core/samples.hpp"
#include "digitnet/graph/int8_numbers.hpp"

namespace digitnet {

/// How a value's range follows from what samples show. `least_error`: of ranges around zero from all of it
/// down to a fifth, the one whose squared error is least, of rounding inside and of cutting off outside.
/// `all`: from the smallest to the largest number that was seen, so that one outlier decides the steps of
/// all others.
enum class CalibrationRange { least_error, all };

namespace detail {

inline namespace DIGITNET_PROCESSOR {

/// A histogram of one value between ends that are known.
struct ValueHistogram {
  static constexpr std::size_t bins = 2048;
  double low = 0, high = 0;
  bool is_finite = true;
  std::vector<double> counts{};

  void widen(const float* x, std::size_t size) {
    float least = static_cast<float>(low), largest = static_cast<float>(high);
    for (std::size_t i = 0; i < size; ++i) {
      least = std::min(least, x[i]);
      largest = std::max(largest, x[i]);
      is_finite = is_finite && std::isfinite(x[i]);
    }
    low = least;
    high = largest;
  }
  void count(const float* x, std::size_t size) {
    counts.resize(bins);
    const double per_step = high > low ? bins / (high - low) : 0;
    for (std::size_t i = 0; i < size; ++i)
      ++counts[std::min(bins - 1, static_cast<std::size_t>((double{x[i]} - low) * per_step))];
  }
  double center(std::size_t bin) const {
    return low + (high - low) * (static_cast<double>(bin) + 0.5) / static_cast<double>(bins);
  }
  /// Of a range that is `part` of all.
  double squared_error(double part) const {
    const double first = low * part, last = high * part, step = (last - first) / 255;
    double sum = 0;
    for (std::size_t bin = 0; bin < bins; ++bin) {
      const double x = center(bin), outside = std::max({first - x, x - last, 0.0});
      // Zero is a byte: what is zero has no error.
      if (counts[bin] > 0 && !(low == 0 && bin == 0))
        sum += counts[bin] * (outside > 0 ? outside * outside : step * step / 12);
    }
    return sum;
  }
  kernels::ByteScale scale(CalibrationRange range) const {
    double best = 1;
    if (range == CalibrationRange::least_error && high > low) {
      double least = squared_error(1);
      for (int percent = 99; percent >= 20; --percent)
        if (const double error = squared_error(percent / 100.0); error < least) {
          least = error;
          best = percent / 100.0;
        }
    }
    return scale_of_range(low * best, high * best);
  }
};

/// Calls visit(value, numbers, count) for each value of each of the first `count` samples, as the model has
/// them in float32.
template <class Visit>
void visit_values(const Int8Graph& graph, const Samples& samples, std::size_t count,
                  const void* const* layers, const float* arena, const Visit& visit) {
  constexpr std::size_t chunk = 16;
  std::vector<Arena<float>> values;
  for (std::size_t value = 0; value <= graph.size(); ++value)
    values.emplace_back(chunk * graph.value_size(value));
  for (std::size_t first = 0; first < count; first += chunk) {
    const std::size_t here = std::min(chunk, count - first);
    for (std::size_t i = 0; i < here; ++i)
      samples.copy(first + i, values[0].data() + i * graph.value_size(0));
    visit(std::size_t{0}, values[0].data(), here * graph.value_size(0));
    for (std::size_t node = 0; node < graph.size(); ++node) {
      const OperationFacts& facts = *graph.facts.nodes[node];
      std::vector<const float*> x;
      for (const std::size_t input : graph.inputs(node)) x.push_back(values[input].data());
      Arena<std::byte> scratch(facts.scratch_bytes(here));
      const OperationIo<float> io{.samples = here,
                                  .layers = layers + node,
                                  .x = x.data(),
                                  .y = values[node + 1].data(),
                                  .parameters = arena + graph.facts.outline.nodes[node].parameters,
                                  .scratch = reinterpret_cast<float*>(scratch.data())};
      for (std::size_t stage = 0; stage <= facts.traits.barriers; ++stage) graph.run[node](stage, io);
      visit(node + 1, values[node + 1].data(), here * graph.value_size(node + 1));
    }
  }
}

/// The scale of each value. Bytes, and floats from 0 to 1, keep the steps of 1/255 that images have.
inline std::vector<kernels::ByteScale> calibrate(const Int8Graph& graph, const Samples& samples,
                                                 std::size_t count, CalibrationRange range,
                                                 const void* const* layers, const float* arena) {
  std::vector<ValueHistogram> seen(graph.size() + 1);
  samples.check_finite(0, count);
  visit_values(graph, samples, count, layers, arena,
               [&](std::size_t value, const float* x, std::size_t size) { seen[value].widen(x, size); });
  for (const ValueHistogram& value : seen)
    if (!value.is_finite)
      fail(
          "The model gives numbers that are not finite to the calibration's samples: train it anew before it "
          "is quantized");
  visit_values(graph, samples, count, layers, arena,
               [&](std::size_t value, const float* x, std::size_t size) { seen[value].count(x, size); });
  std::vector<kernels::ByteScale> result;
  for (const ValueHistogram& value : seen) result.push_back(value.scale(range));
  if (seen[0].low >= 0 && seen[0].high <= 1) result[0] = {1.0f / 255.0f, 0};
  return result;
}

}  // namespace DIGITNET_PROCESSOR

}  // namespace detail

}  // namespace digitnet
