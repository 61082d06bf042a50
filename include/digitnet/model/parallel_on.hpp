// Several layers on one input, and a merge of their results: shapes, parameters and memory at compile time.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "digitnet/core/for_each_index.hpp"
#include "digitnet/core/simd.hpp"
#include "digitnet/layers/identity.hpp"
#include "digitnet/layers/layer.hpp"
#include "digitnet/layers/merge.hpp"
#include "digitnet/layers/stages.hpp"
#include "digitnet/model/chain.hpp"
#include "digitnet/model/chain_memory.hpp"

namespace digitnet {

namespace detail {

template <class In, class Merge, class Indices, class... Branches>
struct BranchSteps;
template <class In, class Merge, std::size_t... I, class... Branches>
struct BranchSteps<In, Merge, std::index_sequence<I...>, Branches...> {
  using All = std::tuple<Step<I, Branches, In>...>;
  using MergeOn = typename Merge::template On<typename Step<I, Branches, In>::Output...>;
  static constexpr std::string_view merge_name = Merge::class_name;
};

}  // namespace detail

/// Everything about Branches... on an input of shape In, merged by Merge; a layer's On. The layer has
/// `branch<I, In>()`, its branch I, and `branch_name<I>(names)`, under which its parameters are. Branches
/// that synchronize do so together.
template <class In, class Merge, class... Branches>
struct ParallelOn : LayerDefaults {
  static_assert(sizeof...(Branches) > 0, "A Parallel needs at least one branch");
  static constexpr std::size_t count = sizeof...(Branches);
  using Steps = detail::BranchSteps<In, Merge, std::make_index_sequence<count>, Branches...>;
  template <std::size_t I>
  using Step = std::tuple_element_t<I, typename Steps::All>;
  template <std::size_t I>
  using BranchOn = typename Step<I>::On;
  using MergeOn = typename Steps::MergeOn;
  using Output = typename MergeOn::Output;
  using Parameters = typename detail::ParametersOf<typename Steps::All>::Type;

  static constexpr std::array<detail::OperationTraits, count> traits = [] {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<detail::OperationTraits, count>{detail::traits_of<BranchOn<I>>()...};
    }
    (std::make_index_sequence<count>{});
  }();
  static constexpr std::size_t none = count;
  /// The branch that is its input, if any.
  static constexpr std::size_t view = [] {
    for (std::size_t i = 0; i < count; ++i)
      if (traits[i].is_view) return i;
    return none;
  }();
  /// The branch that computes its result where the merge's goes, if any.
  static constexpr std::size_t at_output = [] {
    // A merge of more than two overwrites y before it has read the third.
    for (std::size_t i = 0; i < std::min<std::size_t>(2, count); ++i)
      if (i != view && MergeOn::passes_gradient && !MergeOn::reads_results && !traits[i].reads_y) return i;
    return none;
  }();
  /// The branch that takes the merge's gradient for its own, if any.
  static constexpr std::size_t takes_gradient = [] {
    for (std::size_t i = count; MergeOn::passes_gradient && i > 0; --i)
      if (i - 1 != view) return i - 1;
    return none;
  }();
  /// The branch whose dx the others' are added to.
  static constexpr std::size_t first_dx = view == none ? 0 : view;

  static constexpr std::size_t multiply_adds =
      detail::sum_before(traits, count, &detail::OperationTraits::multiply_adds);
  static constexpr std::size_t statistics =
      detail::sum_before(traits, count, &detail::OperationTraits::statistics);
  static constexpr std::size_t barriers = [] {
    std::size_t most = 0;
    for (const detail::OperationTraits& branch : traits) most = std::max(most, branch.barriers);
    return most;
  }();
  static constexpr bool folds =
      std::any_of(traits.begin(), traits.end(), [](const detail::OperationTraits& b) { return b.folds; });
  static constexpr bool backward_reads_x = [] {
    bool reads = MergeOn::reads_results && view != none;
    for (const detail::OperationTraits& branch : traits) reads = reads || branch.reads_x;
    return reads;
  }();
  static constexpr bool backward_reads_y = false;

  /// The branches' results and caches, and, if they synchronize, what they leave for the next stage.
  struct Cache {
    template <class T>
    using Pointer = std::byte*;
    template <class T>
    static constexpr std::size_t bytes(std::size_t samples) {
      return places<T>(samples).cache_bytes;
    }
  };
  template <class T>
  static constexpr std::size_t scratch_bytes(std::size_t samples) {
    return places<T>(samples).scratch_bytes;
  }

  template <class T, Purpose purpose>
  static constexpr std::size_t packed_bytes() {
    return packed_offset<T, purpose>(count);
  }
  template <class T, Purpose purpose>
  static void pack(const auto& layer, ParameterViews<const T, Parameters> parameters, T* packed) {
    for_each_index<count>([&]<std::size_t I>() {
      constexpr Purpose own = detail::purpose_for(purpose, traits[I], false);
      if constexpr (BranchOn<I>::template packed_bytes<T, own>() > 0)
        BranchOn<I>::template pack<T, own>(layer.template branch<I, In>(),
                                           {parameters.data + Parameters::offsets[I]},
                                           at(packed, packed_offset<T, purpose>(I)));
    });
  }

  template <std::size_t stage, class Io>
  static void forward_stage(const Io& io) {
    using T = typename Io::Real;
    const Places here = places<T>(io.samples());
    // Only the view's result is the input, and nobody writes it.
    const std::array<T*, count> results = results_of<T>(here, io.cache, const_cast<T*>(io.x.data), io.y.data);
    for_each_index<count>([&]<std::size_t I>() {
      using On = BranchOn<I>;
      if constexpr (I != view && stage <= On::barriers) {
        const ForwardIo<T, typename Step<I>::Layer, In> branch{
            .layer = io.layer.template branch<I, In>(),
            .x = io.x,
            .y = {results[I], io.samples()},
            .parameters = {io.parameters.data + Parameters::offsets[I]},
            .packed = io.packed
                          ? at(io.packed, io.mode == Mode::inference ? packed_offset<T, Purpose::inference>(I)
                                                                     : packed_offset<T, Purpose::forward>(I))
                          : nullptr,
            .cache = reinterpret_cast<typename On::Cache::template Pointer<T>>(io.cache + here.cache[I]),
            .scratch = at(io.scratch, here.scratch[I]),
            .mode = io.mode,
            .random = io.random.child(I),
            .first_sample = io.first_sample,
            .statistics = io.statistics.from(statistics_before(I))};
        run_forward_stage<On, stage>(branch);
      }
    });
    if constexpr (stage == barriers) MergeOn::forward(io.samples(), io.y.data, constant<T>(results));
  }

  template <std::size_t stage>
  static void merge_statistics(const MergedStatistics& merge) {
    for_each_index<count>([&]<std::size_t I>() {
      constexpr std::size_t offset = statistics_before(I);
      if constexpr (stage < BranchOn<I>::barriers)
        merge_stage_statistics<BranchOn<I>, stage>(merge.from(offset));
    });
  }

  template <std::size_t stage, class Io>
  static void backward_stage(const Io& io) {
    using T = typename Io::Real;
    const Places here = places<T>(io.samples());
    const std::array<T*, count> results =
        results_of<T>(here, io.cache, const_cast<T*>(io.x.data), const_cast<T*>(io.y.data));
    std::array<T*, count> dy;
    for (std::size_t i = 0; i < count; ++i)
      dy[i] = i == view             ? (Io::wants_dx ? io.dx.data : nullptr)
              : i == takes_gradient ? io.dy.data
                                    : gradient_at<T>(io, here.dy[i]);
    if constexpr (stage == 0)
      MergeOn::backward(io.samples(), static_cast<const T*>(io.dy.data), constant<T>(results), dy);
    for_each_index<count>([&]<std::size_t I>() {
      using On = BranchOn<I>;
      if constexpr (I != view && (Io::wants_dx || traits[I].has_parameters) && stage <= On::barriers) {
        T* const dx = I == first_dx ? io.dx.data : gradient_at<T>(io, here.dx[I]);
        const BackwardIo<T, typename Step<I>::Layer, In, Io::wants_dx> branch{
            .layer = io.layer.template branch<I, In>(),
            .x = io.x,
            .y = {results[I], io.samples()},
            .dx = {Io::wants_dx ? dx : nullptr, io.samples()},
            .dy = {dy[I], io.samples()},
            .parameters = {io.parameters.data + Parameters::offsets[I]},
            .gradients = {io.gradients.data + Parameters::offsets[I]},
            .packed = at(io.packed, packed_offset < T,
                         Io::wants_dx ? Purpose::all_gradients : Purpose::weight_gradients > (I)),
            .cache = reinterpret_cast<typename On::Cache::template Pointer<T>>(io.cache + here.cache[I]),
            .scratch = at(io.scratch, here.scratch[I]),
            .statistics = io.statistics.from(statistics_before(I)),
            .forward_totals = io.forward_totals ? io.forward_totals + statistics_before(I) : nullptr};
        run_backward_stage<On, stage>(branch);
      }
    });
    // The first one's dx is complete with the last stage, and the others' are added to it then.
    if constexpr (Io::wants_dx && stage == barriers)
      for (std::size_t i = 0; i < count; ++i)
        if (i != first_dx)
          simd::transform(
              io.samples() * In::size, io.dx.data, [](auto a, auto b) { return a + b; },
              static_cast<const T*>(io.dx.data), static_cast<const T*>(gradient_at<T>(io, here.dx[i])));
  }

  /// See SequentialOn. A visitor that has fork(), branch(fork) and merge(...) learns how branches part and
  /// meet.
  template <class Visit>
  static void for_each_layer(const auto& layer, const std::string& prefix, std::size_t first,
                             const Visit& visit) {
    constexpr bool follows = requires { visit.fork(); };
    detail::LayerNames names;
    std::array<std::size_t, count> ends{};
    std::size_t fork = 0;
    if constexpr (follows) fork = visit.fork();
    for_each_index<count>([&]<std::size_t I>() {
      if constexpr (follows) visit.branch(fork);
      const std::string name = layer.template branch_name<I>(names);
      if constexpr (std::is_same_v<typename Step<I>::Layer, Identity>) {
        // Its result is the input.
      } else {
        const auto& branch = layer.template branch<I, In>();
        const std::size_t begin = first + Parameters::offsets[I];
        // A branch without a name has its layers among those of this one.
        if constexpr (requires { BranchOn<I>::for_each_layer(branch, prefix, begin, visit); })
          BranchOn<I>::for_each_layer(branch, name.empty() ? prefix : prefix + name + "/", begin, visit);
        else
          visit(std::type_identity<Step<I>>{}, branch, prefix + name, begin);
      }
      if constexpr (follows) ends[I] = visit.fork();
    });
    if constexpr (follows)
      visit.merge(Merge::class_name, prefix + snake_case(Merge::class_name), ends, In::extents,
                  Output::extents);
  }

 private:
  struct Places {
    std::array<std::size_t, count> result, cache;  // bytes from the start of the cache
    std::array<std::size_t, count> dy, dx;  // of the cache if the branches synchronize, else of scratch
    std::array<std::size_t, count> scratch;
    std::size_t cache_bytes, scratch_bytes;
  };
  template <class T>
  static constexpr Places places(std::size_t samples) {
    Places p{};
    const auto take = [](std::size_t& end, std::size_t bytes) {
      const std::size_t begin = end;
      end += round_up(bytes, alignment_bytes);
      return begin;
    };
    const auto [caches, scratches] = [samples]<std::size_t... I>(std::index_sequence<I...>) {
      return std::pair{std::array<std::size_t, count>{BranchOn<I>::Cache::template bytes<T>(samples)...},
                       std::array<std::size_t, count>{BranchOn<I>::template scratch_bytes<T>(samples)...}};
    }
    (std::make_index_sequence<count>{});
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t result_bytes = samples * traits[i].output_size * sizeof(T);
      p.result[i] = take(p.cache_bytes, i == view || i == at_output ? 0 : result_bytes);
      p.cache[i] = take(p.cache_bytes, caches[i]);
      std::size_t& end = barriers > 0 ? p.cache_bytes : p.scratch_bytes;
      p.dy[i] = take(end, i == view || i == takes_gradient ? 0 : result_bytes);
      p.dx[i] = take(end, i == first_dx ? 0 : samples * In::size * sizeof(T));
      p.scratch[i] = take(p.scratch_bytes, scratches[i]);
    }
    return p;
  }
  template <class T>
  static std::array<T*, count> results_of(const Places& here, std::byte* cache, T* x, T* y) {
    std::array<T*, count> results;
    for (std::size_t i = 0; i < count; ++i)
      results[i] = i == view ? x : i == at_output ? y : reinterpret_cast<T*>(cache + here.result[i]);
    return results;
  }
  template <class T, class Io>
  static T* gradient_at(const Io& io, std::size_t bytes) {
    if constexpr (barriers > 0) return reinterpret_cast<T*>(io.cache + bytes);
    return at(io.scratch, bytes);
  }
  template <class T>
  static std::array<const T*, count> constant(const std::array<T*, count>& pointers) {
    std::array<const T*, count> result;
    std::copy(pointers.begin(), pointers.end(), result.begin());
    return result;
  }
  template <class T>
  static T* at(T* from, std::size_t bytes) {
    using Byte = std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>;
    return reinterpret_cast<T*>(reinterpret_cast<Byte*>(from) + bytes);
  }
  template <class T, Purpose purpose>
  static constexpr std::size_t packed_offset(std::size_t index) {
    const auto bytes = []<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<std::size_t, count>{
          BranchOn<I>::template packed_bytes<T, detail::purpose_for(purpose, traits[I], false)>()...};
    }
    (std::make_index_sequence<count>{});
    std::size_t result = 0;
    for (std::size_t i = 0; i < index; ++i) result += round_up(bytes[i], alignment_bytes);
    return result;
  }
  static constexpr std::size_t statistics_before(std::size_t index) {
    return detail::sum_before(traits, index, &detail::OperationTraits::statistics);
  }
};

}  // namespace digitnet
