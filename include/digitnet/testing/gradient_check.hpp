// Checks any layer against its contract: gradients by central differences in double, in buffers that are
// poisoned.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "digitnet/core/error.hpp"
#include "digitnet/core/for_each_index.hpp"
#include "digitnet/core/random.hpp"
#include "digitnet/core/sanitizers.hpp"
#include "digitnet/graph/executor.hpp"
#include "digitnet/layers/layer.hpp"
#include "digitnet/layers/stages.hpp"
#include "digitnet/model/parameter_info.hpp"
#include "digitnet/testing/poisoned.hpp"

namespace digitnet::testing {

/// Settings of check_gradients.
struct GradientCheck {
  std::size_t samples = 3;
  /// Of the differences.
  double step = 1e-5;
  /// Relative to the larger of both gradients, or to 1e-2 where both are smaller.
  double tolerance = 1e-6;
  /// Inputs are uniform in [-input_scale, input_scale].
  double input_scale = 1;
  Seed seed{1};
  /// One of so many derivatives is compared, and of each array the first. Sanitizers look at memory, all of
  /// which the first pass uses, and make the others slow.
#ifdef DIGITNET_SANITIZED
  std::size_t every = 11;
#else
  std::size_t every = 1;
#endif
};

namespace detail {

inline void check_intact(std::string_view layer, const char* when,
                         std::initializer_list<std::pair<bool, const char*>> buffers) {
  for (const auto& [intact, name] : buffers)
    if (!intact) fail(std::string(layer) + "'s " + when + " writes outside " + name + ": check its extents");
}

template <class Layer, class In, class T, Fusing fusing = Fusing::on>
struct Bench {
  using On = typename Layer::template On<In>;
  using Out = typename On::Output;
  using Parameters = typename On::Parameters;

  const Layer& layer;
  std::size_t samples;
  Poisoned<T> x{samples * In::size}, y{samples * Out::size}, dx{samples * In::size}, dy{samples * Out::size};
  Poisoned<T> parameters{Parameters::arena_size}, gradients{Parameters::arena_size};
  Poisoned<std::byte> cache{On::Cache::template bytes<T>(samples)};
  Poisoned<std::byte> scratch{On::template scratch_bytes<T>(samples)};
  Poisoned<std::byte> packed_forward{On::template packed_bytes<T, Purpose::forward>()};
  Poisoned<std::byte> packed_backward{On::template packed_bytes<T, Purpose::all_gradients>()};
  static constexpr T poison = std::numeric_limits<T>::quiet_NaN();
  std::vector<double> forward_sums = std::vector<double>(On::traits.statistics),
                      backward_sums = std::vector<double>(On::traits.statistics);

  // The batch is one micro-batch, whose sums are the batch's.
  BatchStatistics statistics(std::vector<double>& sums) const {
    return {.partial = sums.data(), .total = sums.data(), .batch = samples, .first_micro_batch = true};
  }

  auto cache_pointer() { return reinterpret_cast<typename On::Cache::template Pointer<T>>(cache.data()); }
  T* scratch_pointer() { return reinterpret_cast<T*>(scratch.data()); }

  template <Purpose purpose>
  const T* pack(Poisoned<std::byte>& memory) {
    T* const packed = reinterpret_cast<T*>(memory.data());
    if constexpr (On::template packed_bytes<T, purpose>() > 0)
      On::template pack<T, purpose>(layer, {parameters.data()}, packed);
    return packed;
  }
  void forward(RandomKey key) {
    y.refresh();
    cache.refresh();
    scratch.refresh();
    const T* const packed = pack<Purpose::forward>(packed_forward);
    const ForwardIo<T, Layer, In> io{.layer = layer,
                                     .x = {x.data(), samples},
                                     .y = {y.data(), samples},
                                     .parameters = {parameters.data()},
                                     .packed = packed,
                                     .cache = cache_pointer(),
                                     .scratch = scratch_pointer(),
                                     .mode = Mode::training,
                                     .random = key,
                                     .first_sample = 0,
                                     .statistics = statistics(forward_sums)};
    const std::vector<T> input(x.data(), x.data() + x.size());
    for_each_index<On::traits.barriers + 1>([&]<std::size_t stage>() {
      scratch.fill(std::byte{0xff});
      if (On::traits.reads_x_once && stage > 0) x.fill(poison);
      run_forward_stage<On, stage>(io);
    });
    if constexpr (On::traits.rematerializes_y) {
      y.fill(poison);
      run_forward_stage<On, On::traits.barriers>(io);
    }
    std::copy(input.begin(), input.end(), x.data());
  }
  void backward() {
    if (!On::traits.backward_reads_x) x.fill(poison);
    if (!On::traits.backward_reads_y) y.fill(poison);
    dx.refresh();
    scratch.refresh();
    const T* const packed = pack<Purpose::all_gradients>(packed_backward);
    const BackwardIo<T, Layer, In, true> io{.layer = layer,
                                            .x = {x.data(), samples},
                                            .y = {y.data(), samples},
                                            .dx = {dx.data(), samples},
                                            .dy = {dy.data(), samples},
                                            .parameters = {parameters.data()},
                                            .gradients = {gradients.data()},
                                            .packed = packed,
                                            .cache = cache_pointer(),
                                            .scratch = scratch_pointer(),
                                            .statistics = statistics(backward_sums),
                                            .forward_totals = forward_sums.data()};
    const std::vector<T> input(x.data(), x.data() + x.size());
    for_each_index<On::traits.barriers + 1>([&]<std::size_t stage>() {
      scratch.fill(std::byte{0xff});
      if (On::traits.reads_x_once && stage < On::traits.barriers)
        x.fill(poison);
      else
        std::copy(input.begin(), input.end(), x.data());
      run_backward_stage<On, stage>(io);
    });
  }
  void check_guards(const char* when) const {
    check_intact(Layer::class_name, when,
                 {{x.intact(), "x"},
                  {y.intact(), "y"},
                  {dx.intact(), "dx"},
                  {dy.intact(), "dy"},
                  {parameters.intact(), "parameters"},
                  {gradients.intact(), "gradients"},
                  {cache.intact(), "cache"},
                  {scratch.intact(), "scratch"},
                  {packed_forward.intact(), "packed"},
                  {packed_backward.intact(), "packed"}});
  }
};

// A layer made of layers runs as a graph does.
template <class Layer, class In, class T, Fusing fusing>
requires requires { typename Layer::template On<In>::Nodes; }
struct Bench<Layer, In, T, fusing> {
  using On = typename Layer::template On<In>;
  using Graph = digitnet::detail::Graph<Layer, In, 0, true, fusing>;

  const Layer& layer;
  std::size_t samples;
  digitnet::detail::Executor<T> executor{
      Graph::template facts<T>(),
      {Graph::template forward<T>, Graph::template backward<T>, digitnet::detail::add_to<T>},
      Mode::training,
      samples};
  Poisoned<T> x{samples * In::size}, y{samples * On::Output::size}, dx{samples * In::size},
      dy{samples * On::Output::size};
  Poisoned<T> parameters{On::Parameters::arena_size}, gradients{On::Parameters::arena_size};
  Poisoned<std::byte> lasting{executor.plan().lasting_bytes}, passing{executor.plan().passing_bytes};
  Poisoned<T> packed_forward{executor.packed_forward()}, packed_backward{executor.packed_backward()};
  std::vector<double> partial = std::vector<double>(2 * executor.statistics()),
                      total = std::vector<double>(2 * executor.statistics());

  auto objects() const { return digitnet::detail::objects_of<In>(layer); }
  digitnet::detail::MicroBatch<T> micro_batch(RandomKey key) {
    return {.samples = samples,
            .lasting = lasting.data(),
            .passing = passing.data(),
            .x = x.data(),
            .dx = dx.data(),
            .parameters = parameters.data(),
            .gradients = gradients.data(),
            .packed_forward = packed_forward.data(),
            .packed_backward = packed_backward.data(),
            .random = key,
            .forward_statistics = {partial.data(), total.data(), samples, true},
            .backward_statistics = {partial.data() + executor.statistics(),
                                    total.data() + executor.statistics(), samples, true}};
  }
  void forward(RandomKey key) {
    y.refresh();
    lasting.refresh();
    const auto here = micro_batch(key);
    for (std::size_t i = 0; i < Graph::count; ++i) {
      executor.pack_forward(i, Graph::template packs<T, Purpose::forward>, objects().data(),
                            parameters.data(), packed_forward.data());
      executor.pack_backward(i, Graph::template packs<T, Purpose::weight_gradients>, objects().data(),
                             parameters.data(), packed_backward.data());
    }
    for (std::size_t segment = 0; segment < executor.forward_segments(); ++segment) {
      passing.refresh();
      executor.forward(segment, objects().data(), here);
      if (segment + 1 < executor.forward_segments())
        executor.merge(segment, {total.data(), partial.data(), 0, samples});
    }
    std::copy_n(executor.output(here), y.size(), y.data());
  }
  // The first segment goes on where forward's last ended.
  void backward() {
    dx.refresh();
    const auto here = micro_batch(RandomKey{});
    std::copy_n(dy.data(), dy.size(), executor.output_gradient(here));
    for (std::size_t segment = 0; segment < executor.backward_segments(); ++segment) {
      if (segment > 0) passing.refresh();
      if (segment > 0)
        std::copy_n(partial.data() + executor.statistics(), executor.statistics(),
                    total.data() + executor.statistics());
      executor.backward(segment, objects().data(), here);
    }
  }
  void check_guards(const char* when) const {
    check_intact(Layer::class_name, when,
                 {{x.intact(), "x"},
                  {y.intact(), "y"},
                  {dx.intact(), "dx"},
                  {dy.intact(), "dy"},
                  {parameters.intact(), "parameters"},
                  {gradients.intact(), "gradients"},
                  {lasting.intact(), "what lasts"},
                  {passing.intact(), "scratch"},
                  {packed_forward.intact(), "packed"},
                  {packed_backward.intact(), "packed"}});
  }
};

}  // namespace detail

/// Checks forward and backward of a layer on inputs of shape In, in double: every element of y and dx is
/// assigned, gradients are added to what is there, nothing outside is written, padding stays, what the layer
/// says it does not read may be destroyed, and all derivatives of a random weighting of y equal central
/// differences. Returns the largest relative error; throws an Error if it is above the tolerance or the
/// contract is broken.
template <class Layer, class In>
double check_gradients(const Layer& layer = {}, GradientCheck settings = {}) {
  detail::Bench<Layer, In, double> bench{.layer = layer, .samples = settings.samples};
  const std::string name(Layer::class_name);
  Random random(settings.seed);
  const RandomKey key = RandomKey(settings.seed).child(7);
  const auto fill = [&](double* values, std::size_t count, double scale) {
    for (std::size_t i = 0; i < count; ++i) values[i] = random.uniform(-scale, scale);
  };

  std::vector<double> x(bench.x.size()), weights(bench.y.size()), parameters(bench.parameters.size());
  fill(x.data(), x.size(), settings.input_scale);
  fill(weights.data(), weights.size(), 1);
  std::vector<std::size_t> used, trained;  // places in the arena that are parameters, not padding
  const auto use = [&](std::size_t offset, std::size_t count, bool trainable) {
    for (std::size_t i = 0; i < count; ++i) {
      used.push_back(offset + i);
      if (trainable) trained.push_back(offset + i);
    }
  };
  for (const ParameterInfo& info : digitnet::detail::parameters_of<In>(layer))
    use(info.offset, info.size(), info.trainable);
  for (const std::size_t i : used) parameters[i] = random.uniform(-0.5, 0.5);

  const auto restore = [&] {
    std::copy(x.begin(), x.end(), bench.x.data());
    std::copy(parameters.begin(), parameters.end(), bench.parameters.data());
  };
  const auto value = [&] {
    bench.forward(key);
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * bench.y.data()[i];
    return sum;
  };

  restore();
  bench.forward(key);
  bench.check_guards("forward");
  for (std::size_t i = 0; i < bench.y.size(); ++i)
    if (!std::isfinite(bench.y.data()[i]))
      fail(name + "'s forward leaves element " + std::to_string(i) + " of y unassigned or NaN");
  std::copy(weights.begin(), weights.end(), bench.dy.data());
  constexpr double before = 0.125;  // gradients are added to what is there
  bench.gradients.fill(0);
  for (const std::size_t i : used) bench.gradients.data()[i] = before;
  bench.backward();
  bench.check_guards("backward");
  for (std::size_t i = 0; i < bench.dx.size(); ++i)
    if (!std::isfinite(bench.dx.data()[i]))
      fail(name + "'s backward leaves element " + std::to_string(i) + " of dx unassigned or NaN");
  const std::vector<double> dx(bench.dx.data(), bench.dx.data() + bench.dx.size());
  const std::vector<double> gradients(bench.gradients.data(),
                                      bench.gradients.data() + bench.gradients.size());
  std::vector<bool> is_used(gradients.size());
  for (const std::size_t i : used) is_used[i] = true;
  for (std::size_t i = 0; i < gradients.size(); ++i)
    if (!is_used[i] && gradients[i] != 0)
      fail(name + "'s backward writes padding of its gradients at " + std::to_string(i));

  double largest = 0;
  const auto compare = [&](double* place, double found, const std::string& what) {
    const double middle = *place;
    *place = middle + settings.step;
    const double above = value();
    *place = middle - settings.step;
    const double below = value();
    *place = middle;
    const double wanted = (above - below) / (2 * settings.step);
    const double error = std::abs(found - wanted) / std::max({std::abs(found), std::abs(wanted), 1e-2});
    largest = std::max(largest, error);
    if (!(error <= settings.tolerance))
      fail(name + "'s gradient of " + what + " is " + std::to_string(found) + ", but differences give " +
           std::to_string(wanted));
  };
  restore();
  for (std::size_t i = 0; i < dx.size(); i += settings.every)
    compare(bench.x.data() + i, dx[i], "input element " + std::to_string(i));
  for (std::size_t at = 0; at < trained.size(); at += settings.every) {
    const std::size_t i = trained[at];
    compare(bench.parameters.data() + i, gradients[i] - before, "parameter element " + std::to_string(i));
  }
  return largest;
}

}  // namespace digitnet::testing
