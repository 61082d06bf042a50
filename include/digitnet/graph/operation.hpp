// An operation as data: what the memory plan and the executor know of it, and the functions that run it.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "digitnet/core/for_each_index.hpp"
#include "digitnet/core/simd.hpp"
#include "digitnet/graph/lower.hpp"
#include "digitnet/layers/stages.hpp"

namespace digitnet::detail {

/// What an operation gets. The executor makes it; the functions below make of it what the layer's contract
/// says.
template <class T>
struct OperationIo {
  std::size_t samples = 0;
  /// The objects of its nodes, what it reads, and where the gradients of that go (null: nobody wants one).
  const void* const* layers = nullptr;
  const T* const* x = nullptr;
  T* const* dx = nullptr;
  T* y = nullptr;
  T* dy = nullptr;
  const T* parameters = nullptr;
  T* gradients = nullptr;
  const T* packed = nullptr;
  std::byte* cache = nullptr;
  T* scratch = nullptr;
  Mode mode = Mode::inference;
  RandomKey random{};
  std::size_t first_sample = 0;
  DeferredBatch<T> deferred{};
  BatchStatistics statistics{};
  const double* forward_totals = nullptr;
};

/// What is known of an operation without its place in a graph.
struct OperationFacts {
  LayerTraits traits;
  MergeTraits merge;
  bool is_merge;
  /// Elements of the arena.
  std::size_t parameters;
  /// Elements a sample of its result.
  std::size_t output;
  std::size_t (*cache_bytes)(std::size_t samples);
  std::size_t (*scratch_bytes)(std::size_t samples);
  std::size_t (*packed_bytes)(Purpose);
  void (*merge_statistics)(std::size_t stage, const MergedStatistics&);
  /// Of a merge with an activation: dy becomes the gradient before it.
  bool changes_dy;
};

template <class T>
using RunOperation = void (*)(std::size_t stage, const OperationIo<T>&);
template <class T>
using PackOperation = void (*)(const void* const* layers, const T* parameters, T* packed);

inline namespace DIGITNET_PROCESSOR {

/// to += from, for the executor, which has no vectors of its own.
template <class T>
void add_to(std::size_t count, T* to, const T* from) {
  simd::transform(
      count, to, [](auto a, auto b) { return a + b; }, static_cast<const T*>(to), from);
}

}  // namespace DIGITNET_PROCESSOR

/// Calls visit.operator()<stage>() for a stage that is known when it runs.
template <std::size_t stages, class Visit>
void at_stage(std::size_t stage, const Visit& visit) {
  for_each_index<stages>([&]<std::size_t S>() {
    if (S == stage) visit.template operator()<S>();
  });
}

/// What an operation is asked to pack for a pass of the whole graph.
constexpr Purpose purpose_of(Purpose pass, const LayerTraits& traits, bool wants_dx) {
  if (pass == Purpose::inference) return traits.folds ? pass : Purpose::forward;
  if (pass == Purpose::forward) return pass;
  return wants_dx ? Purpose::all_gradients : Purpose::weight_gradients;
}

template <class Node>
decltype(auto) layer_of(const void* const* layers) {
  if constexpr (requires { Node::Layer::from(layers); })
    return Node::Layer::from(layers);
  else
    return *static_cast<const typename Node::Layer*>(layers[0]);
}

/// The functions of a node's kind: the only place where a layer's Io is made.
template <class Node, class T>
struct FunctionsOf {
  using On = typename Node::On;
  using Layer = typename Node::Layer;
  using In = typename Node::Input;
  using Cache = typename On::Cache::template Pointer<T>;

  static std::size_t cache_bytes(std::size_t samples) { return On::Cache::template bytes<T>(samples); }
  static std::size_t scratch_bytes(std::size_t samples) { return On::template scratch_bytes<T>(samples); }
  static std::size_t packed_bytes(Purpose purpose) {
    switch (purpose) {
      case Purpose::forward:
        return On::template packed_bytes<T, Purpose::forward>();
      case Purpose::weight_gradients:
        return On::template packed_bytes<T, Purpose::weight_gradients>();
      case Purpose::all_gradients:
        return On::template packed_bytes<T, Purpose::all_gradients>();
      case Purpose::inference:
        return On::template packed_bytes<T, Purpose::inference>();
    }
    return 0;
  }
  template <Purpose purpose>
  static void pack(const void* const* layers, const T* parameters, T* packed) {
    if constexpr (On::template packed_bytes<T, purpose>() > 0)
      On::template pack<T, purpose>(layer_of<Node>(layers), {parameters}, packed);
  }
  static void merge_statistics(std::size_t stage, const MergedStatistics& merge) {
    at_stage<On::traits.barriers>(stage, [&]<std::size_t S>() { merge_stage_statistics<On, S>(merge); });
  }
  static void forward(std::size_t stage, const OperationIo<T>& io) {
    const auto& layer = layer_of<Node>(io.layers);
    const ForwardIo<T, Layer, In> here{.layer = layer,
                                       .x = {io.x[0], io.samples},
                                       .y = {io.y, io.samples},
                                       .parameters = {io.parameters},
                                       .packed = io.packed,
                                       .cache = reinterpret_cast<Cache>(io.cache),
                                       .scratch = io.scratch,
                                       .mode = io.mode,
                                       .random = io.random,
                                       .first_sample = io.first_sample,
                                       .statistics = io.statistics};
    if constexpr (On::traits.barriers == 0)
      run_forward_stage<On, 0>(here);
    else
      at_stage<On::traits.barriers + 1>(stage, [&]<std::size_t S>() { run_forward_stage<On, S>(here); });
  }
  template <bool wants_dx>
  static void backward(std::size_t stage, const OperationIo<T>& io) {
    const auto& layer = layer_of<Node>(io.layers);
    const BackwardIo<T, Layer, In, wants_dx> here{.layer = layer,
                                                  .x = {io.x[0], io.samples},
                                                  .y = {io.y, io.samples},
                                                  .dx = {wants_dx ? io.dx[0] : nullptr, io.samples},
                                                  .dy = {io.dy, io.samples},
                                                  .parameters = {io.parameters},
                                                  .gradients = {io.gradients},
                                                  .packed = io.packed,
                                                  .cache = reinterpret_cast<Cache>(io.cache),
                                                  .scratch = io.scratch,
                                                  .deferred = io.deferred,
                                                  .statistics = io.statistics,
                                                  .forward_totals = io.forward_totals};
    if constexpr (On::traits.barriers == 0)
      run_backward_stage<On, 0>(here);
    else
      at_stage<On::traits.barriers + 1>(stage, [&]<std::size_t S>() { run_backward_stage<On, S>(here); });
  }
  static constexpr OperationFacts facts{.traits = On::traits,
                                        .merge = {},
                                        .is_merge = false,
                                        .parameters = On::Parameters::arena_size,
                                        .output = On::Output::size,
                                        .cache_bytes = cache_bytes,
                                        .scratch_bytes = scratch_bytes,
                                        .packed_bytes = packed_bytes,
                                        .merge_statistics = merge_statistics,
                                        .changes_dy = false};
};

template <class Merge, class... Inputs, class T>
struct FunctionsOf<MergeNode<Merge, Inputs...>, T> {
  using On = typename Merge::template On<Inputs...>;
  static constexpr std::size_t count = sizeof...(Inputs);
  static constexpr bool has_activation = requires { typename On::ActivationType; };

  static std::size_t none(std::size_t) { return 0; }
  static std::size_t packed_bytes(Purpose) { return 0; }
  static void merge_statistics(std::size_t, const MergedStatistics&) {}
  template <Purpose>
  static void pack(const void* const*, const T*, T*) {}
  static void forward(std::size_t, const OperationIo<T>& io) {
    std::array<const T*, count> results;
    std::copy_n(io.x, count, results.begin());
    On::forward(io.samples, io.y, results);
  }
  template <bool wants_dx>
  static void backward(std::size_t, const OperationIo<T>& io) {
    if constexpr (has_activation)
      simd::transform(
          io.samples * On::Output::size, io.dy,
          [](auto y, auto dy) { return On::ActivationType::slope(y) * dy; }, static_cast<const T*>(io.y),
          static_cast<const T*>(io.dy));
    std::array<const T*, count> results;
    std::array<T*, count> d;
    std::copy_n(io.x, count, results.begin());
    std::copy_n(io.dx, count, d.begin());
    On::backward(io.samples, static_cast<const T*>(io.dy), results, d);
  }
  static constexpr OperationFacts facts{
      .traits = {.backward_reads_x = On::traits.reads_results, .backward_reads_y = has_activation},
      .merge = On::traits,
      .is_merge = true,
      .parameters = 0,
      .output = On::Output::size,
      .cache_bytes = none,
      .scratch_bytes = none,
      .packed_bytes = packed_bytes,
      .merge_statistics = merge_statistics,
      .changes_dy = has_activation};
};

}  // namespace digitnet::detail
