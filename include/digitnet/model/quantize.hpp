// quantize: makes a Quantized of a trained model, and refuses where that costs accuracy.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/graph/int8_calibration.hpp"
#include "digitnet/model/quantized.hpp"

namespace digitnet {

/// For quantize(). All have defaults.
struct QuantizeOptions {
  /// Where accuracy is measured; default: the data of the calibration, if it has targets.
  DataView accuracy_data{};
  /// By how much it may fall, in float32 and on bytes: 0.001 is 0.1 %.
  double allowed_loss = 0.001;
  /// Layers that stay in float32, such as "conv2d".
  std::vector<std::string> in_float{};
  /// So many samples of the calibration are looked at, from the first on.
  std::size_t samples = 1024;
  CalibrationRange range = CalibrationRange::least_error;
};

namespace detail {

inline std::vector<char> marked_in_float(const std::vector<std::string>& names,
                                         const std::vector<std::string>& wanted) {
  std::vector<char> result(names.size(), false);
  for (const std::string& name : wanted) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      std::string known;
      for (const std::string& one : names) known += (known.empty() ? "" : ", ") + one;
      fail("The model has no layer \"" + name + "\" that could stay in float32; it has " + known);
    }
    result[static_cast<std::size_t>(found - names.begin())] = true;
  }
  return result;
}

inline std::string percent_text(double part) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", 100 * part);
  return text;
}

}  // namespace detail

/// The model on bytes. `calibration` says which numbers its layers give: some hundred training samples, not
/// the test's. Where targets are known, accuracy is measured before and after; if it falls by more than
/// allowed, an Error names the layer that alone costs most.
template <class Model>
Quantized<Model> quantize(const Model& model, const DataView& calibration, QuantizeOptions options = {}) {
  using Body = typename Model::Body;
  using In = typename Model::InputShape;
  const detail::Int8Graph graph = Quantized<Model>::graph();
  const Samples& samples = calibration.samples;
  if (samples.count() == 0)
    fail("quantize() was given no samples to calibrate by: give it some hundred training samples");
  samples.check_shape(In::extents);
  const auto objects = detail::objects_of<In>(model.body());
  const float* const arena = model.parameters().data();
  const std::vector<std::string> names = detail::names_of(graph.facts.outline);
  const auto scales = detail::calibrate(graph, samples, std::min(samples.count(), options.samples),
                                        options.range, objects.data(), arena);
  const auto made = [&](const std::vector<char>& in_float) {
    return detail::quantize_numbers(graph, detail::steps_of(graph, in_float), scales, in_float,
                                    objects.data(), arena, names);
  };
  const std::vector<char> in_float = detail::marked_in_float(names, options.in_float);
  const detail::Int8Numbers numbers = made(in_float);
  const DataView& data = options.accuracy_data.count() > 0 ? options.accuracy_data : calibration;
  if (data.targets.count() == 0) return {model.body(), numbers};

  data.targets.check(Model::OutputShape::size);
  const Matrix exact = model.predict(data.samples);
  const auto fit = [&](const Matrix& answers) {
    return detail::fit_of(answers, data.targets, detail::half_of<Body>, Quantized<Model>::is_distribution,
                          &exact);
  };
  const double before = fit(exact).score;
  const Quantized<Model> result(model.body(), numbers, {before, 0});
  const double after = fit(result.predict(data.samples)).score;
  if (before - after <= options.allowed_loss) return {model.body(), numbers, {before, after}};

  std::string worst;
  detail::Fit cost;
  for (const detail::Int8Step& step : result.plan().steps().steps) {
    if (!step.is_product()) continue;
    std::vector<char> others(names.size(), true);
    others[step.node] = false;
    const detail::Fit alone = fit(Quantized<Model>(model.body(), made(others)).predict(data.samples));
    if (worst.empty() ||
        std::pair(before - alone.score, alone.difference) > std::pair(cost.score, cost.difference)) {
      worst = names[step.node];
      cost = {before - alone.score, alone.difference};
    }
  }
  fail("On bytes the model's accuracy falls from " + detail::percent_text(before) + " to " +
       detail::percent_text(after) + ", by more than the " + detail::percent_text(options.allowed_loss) +
       " that allowed_loss says. The layer \"" + worst + "\" costs most, alone " +
       detail::percent_text(cost.score) + ": keep it in float32 (.in_float = {\"" + worst +
       "\"}), calibrate with more samples, or allow more");
}
/// Without targets: nothing is measured.
template <class Model>
Quantized<Model> quantize(const Model& model, const Samples& calibration, QuantizeOptions options = {}) {
  DataView data;
  data.samples = calibration;
  return quantize(model, data, std::move(options));
}

}  // namespace digitnet
