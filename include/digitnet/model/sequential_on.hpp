// A chain of layers on an input shape: shapes, parameter offsets, and where each result lies, at compile
// time.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "digitnet/core/for_each_index.hpp"
#include "digitnet/layers/layer.hpp"
#include "digitnet/layers/stages.hpp"
#include "digitnet/model/chain.hpp"
#include "digitnet/model/chain_memory.hpp"
#include "digitnet/model/fusion.hpp"

namespace digitnet {

/// Everything about Layers... on an input of shape In; itself a layer's On, so that chains nest.
template <class In, class... Layers>
struct SequentialOn : LayerDefaults {
  static_assert(sizeof...(Layers) > 0, "A Sequential needs at least one layer");
  using Chain = decltype((detail::Chain<In>{} | ... | std::declval<std::type_identity<Layers>>()));
  using Output = typename Chain::Output;
  static constexpr std::size_t count = sizeof...(Layers);
  template <std::size_t I>
  using Step = std::tuple_element_t<I, typename Chain::All>;

  /// What runs: the layers, some of them together as one operation.
  using Plan = Fusion<typename Chain::All>;
  static constexpr std::size_t operation_count = Plan::count;
  template <std::size_t I>
  using Operation = typename Plan::template Operation<I>;

  /// All parameters of all layers, one layer's after the other's.
  using Parameters = typename detail::ParametersOf<typename Chain::All>::Type;
  template <std::size_t I>
  static constexpr std::size_t parameter_offset = Parameters::offsets[I];

  /// Results between the layers, and the layers' own caches.
  struct Cache {
    template <class T>
    using Pointer = std::byte*;
    template <class T>
    static constexpr std::size_t bytes(std::size_t samples) {
      return layout<T>(samples).cache_bytes;
    }
  };

  static constexpr std::array<detail::OperationTraits, operation_count> traits = [] {
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<detail::OperationTraits, operation_count>{
          detail::traits_of<typename Operation<I>::On>()...};
    }
    (std::make_index_sequence<operation_count>{});
  }();
  static constexpr detail::ChainMemory<operation_count> memory{traits};
  static constexpr std::size_t multiply_adds =
      detail::sum_before(traits, operation_count, &detail::OperationTraits::multiply_adds);
  static constexpr std::size_t deferred =
      detail::sum_before(traits, operation_count, &detail::OperationTraits::deferred);
  static constexpr std::size_t barriers =
      detail::sum_before(traits, operation_count, &detail::OperationTraits::barriers);
  static constexpr std::size_t statistics =
      detail::sum_before(traits, operation_count, &detail::OperationTraits::statistics);
  static constexpr bool backward_reads_x = traits[0].reads_x;
  static constexpr bool reads_x_once = traits[0].reads_x_once && !traits[0].is_view && !traits[0].in_place;
  static constexpr bool backward_reads_y = [] {
    for (std::size_t i = 0; i < operation_count; ++i)
      if (memory.at_output[i] && traits[i].reads_y) return true;
    return false;
  }();
  static constexpr bool folds =
      std::any_of(traits.begin(), traits.end(), [](const detail::OperationTraits& o) { return o.folds; });
  /// Calls visit(DeferredWeightGradient) for every gradient that backward leaves to the training.
  template <class Visit>
  static constexpr void for_each_deferred(std::size_t deferred_before, std::size_t parameters_before,
                                          const Visit& visit) {
    for_each_index<operation_count>([&]<std::size_t I>() {
      using On = typename Operation<I>::On;
      if constexpr (On::deferred > 0)
        On::for_each_deferred(deferred_before, parameters_before + parameter_offset<Operation<I>::first>,
                              visit);
      deferred_before += On::deferred;
    });
  }

  /// Where the result of an operation lies: in the memory of the one before, at the caller's, so many bytes
  /// into the cache, or in scratch, from where backward has it computed again.
  enum class Place { in_place, output, cache, scratch };
  static constexpr Place place_of(std::size_t operation) {
    return operation > 0 && memory.shares[operation] ? Place::in_place
           : memory.at_output[operation]             ? Place::output
           : memory.again[operation]                 ? Place::scratch
                                                     : Place::cache;
  }
  template <class T>
  static constexpr std::size_t result_offset(std::size_t operation, std::size_t samples) {
    return layout<T>(samples).result[operation];
  }

  template <class T>
  static constexpr std::size_t scratch_bytes(std::size_t samples) {
    return layout<T>(samples).scratch_bytes + operation_scratch_bytes<T>(samples);
  }

  template <class T, Purpose purpose>
  static constexpr std::size_t packed_bytes() {
    return packed_offset<T, purpose>(operation_count);
  }
  template <class T, Purpose purpose>
  static void pack(const auto& chain, ParameterViews<const T, Parameters> parameters, T* packed) {
    for (std::size_t i = 0; i < operation_count; ++i)
      pack_operation<T, purpose>(i, chain, parameters, packed);
  }
  /// The part of `pack` that belongs to operation `index`; they may be packed at the same time.
  template <class T, Purpose purpose>
  static void pack_operation(std::size_t index, const auto& chain,
                             ParameterViews<const T, Parameters> parameters, T* packed) {
    for_each_index<operation_count>([&]<std::size_t I>() {
      using On = typename Operation<I>::On;
      constexpr Purpose own = operation_purpose(purpose, I);
      if constexpr (On::template packed_bytes<T, own>() > 0)
        if (I == index)
          On::template pack<T, own>(Operation<I>::layer(chain.layers),
                                    {parameters.data + parameter_offset<Operation<I>::first>},
                                    offset<T>(packed, packed_offset<T, purpose>(I)));
    });
  }

  /// The operations from the synchronization before `stage` (or the start) to the next one (or the end). An
  /// operation that synchronizes itself is in several stages.
  template <std::size_t stage, class Io>
  static void forward_stage(const Io& io) {
    using T = typename Io::Real;
    const auto places = layout<T>(io.samples());
    const auto y = results<T>(places, io.cache, io.scratch, io.y.data);
    T* const scratch = offset<T>(io.scratch, places.scratch_bytes);
    for_each_index<operation_count>([&]<std::size_t I>() {
      constexpr std::size_t first = barriers_before(I);
      using On = typename Operation<I>::On;
      if constexpr (first <= stage && stage <= first + On::barriers) {
        const ForwardIo<T, typename Operation<I>::Layer, typename Operation<I>::Input> here{
            .layer = Operation<I>::layer(io.layer.layers),
            .x = {I == 0 ? io.x.data : y[I == 0 ? 0 : I - 1], io.samples()},
            .y = {y[I], io.samples()},
            .parameters = {io.parameters.data + parameter_offset<Operation<I>::first>},
            .packed = io.packed ? offset<const T>(io.packed, io.mode == Mode::inference
                                                                 ? packed_offset<T, Purpose::inference>(I)
                                                                 : packed_offset<T, Purpose::forward>(I))
                                : nullptr,
            .cache = place<typename On::Cache::template Pointer<T>>(io.cache, places.cache[I]),
            .scratch = scratch,
            .mode = io.mode,
            .random = io.random.child(I),
            .first_sample = io.first_sample,
            .statistics = io.statistics.from(statistics_before(I))};
        run_forward_stage<On, stage - first>(here);
      }
    });
  }

  template <std::size_t stage>
  static void merge_statistics(const MergedStatistics& merge) {
    for_each_index<operation_count>([&]<std::size_t I>() {
      constexpr std::size_t first = barriers_before(I), offset = statistics_before(I);
      using On = typename Operation<I>::On;
      if constexpr (first <= stage && stage < first + On::barriers)
        merge_stage_statistics<On, stage - first>(merge.from(offset));
    });
  }

  template <std::size_t stage, class Io>
  static void backward_stage(const Io& io) {
    using T = typename Io::Real;
    const auto places = layout<T>(io.samples());
    // The results are read, except that a layer may overwrite what the contract lets it.
    const auto y = results<T>(places, io.cache, io.scratch, const_cast<T*>(io.y.data));
    const auto dy = gradients<T>(places, io.cache, io.scratch, io.dy.data);
    T* const scratch = offset<T>(io.scratch, places.scratch_bytes);
    for_each_index<operation_count>([&]<std::size_t from_end>() {
      constexpr std::size_t I = operation_count - 1 - from_end;
      constexpr Purpose chain = Io::wants_dx ? Purpose::all_gradients : Purpose::weight_gradients;
      constexpr bool wants_dx = operation_purpose(chain, I) == Purpose::all_gradients;
      constexpr std::size_t first = barriers - barriers_before(I) - Operation<I>::On::barriers;
      using On = typename Operation<I>::On;
      if constexpr ((wants_dx || first_with_parameters == I) && first <= stage &&
                    stage <= first + On::barriers) {
        if constexpr (I > 0 && stage == first + On::barriers)
          if constexpr (memory.again[I - 1] && traits[I].reads_x)
            compute_again<I - 1>(io, places, y, scratch);
        const BackwardIo<T, typename Operation<I>::Layer, typename Operation<I>::Input, wants_dx> here{
            .layer = Operation<I>::layer(io.layer.layers),
            .x = {I == 0 ? io.x.data : y[I == 0 ? 0 : I - 1], io.samples()},
            .y = {y[I], io.samples()},
            .dx = {I == 0 ? io.dx.data : dy[I == 0 ? 0 : I - 1], io.samples()},
            .dy = {dy[I], io.samples()},
            .parameters = {io.parameters.data + parameter_offset<Operation<I>::first>},
            .gradients = {io.gradients.data + parameter_offset<Operation<I>::first>},
            .packed = offset<const T>(io.packed, packed_offset<T, chain>(I)),
            .cache = place<typename On::Cache::template Pointer<T>>(io.cache, places.cache[I]),
            .scratch = scratch,
            .deferred = {io.deferred.memory ? io.deferred.memory + io.deferred.batch * deferred_before(I)
                                            : nullptr,
                         io.deferred.first_sample, io.deferred.batch},
            .statistics = io.statistics.from(statistics_before(I)),
            .forward_totals = io.forward_totals ? io.forward_totals + statistics_before(I) : nullptr};
        run_backward_stage<On, stage - first>(here);
      }
    });
  }

  /// Calls visit(std::type_identity<Step>, layer, name, parameters_begin) for every layer, in order; for a
  /// layer of layers, for those in it. `prefix` is "" or ends with "/".
  template <class Visit>
  static void for_each_layer(const auto& chain, const std::string& prefix, std::size_t first,
                             const Visit& visit) {
    detail::LayerNames names;
    for_each_index<count>([&]<std::size_t I>() {
      detail::visit_layer<Step<I>>(std::get<I>(chain.layers), prefix + names.next(Step<I>::Layer::class_name),
                                   first + parameter_offset<I>, visit);
    });
  }

 private:
  static constexpr std::size_t deferred_before(std::size_t index) {
    return detail::sum_before(traits, index, &detail::OperationTraits::deferred);
  }
  static constexpr std::size_t barriers_before(std::size_t index) {
    return detail::sum_before(traits, index, &detail::OperationTraits::barriers);
  }
  static constexpr std::size_t statistics_before(std::size_t index) {
    return detail::sum_before(traits, index, &detail::OperationTraits::statistics);
  }

  static constexpr std::size_t first_with_parameters = [] {
    std::size_t i = 0;
    while (i < operation_count && !traits[i].has_parameters) ++i;
    return i;
  }();

  // A gradient is propagated down to the first operation that has parameters, unless the caller wants it too.
  static constexpr Purpose operation_purpose(Purpose chain, std::size_t index) {
    return detail::purpose_for(chain, traits[index], first_with_parameters < index);
  }

  template <class T, Purpose purpose>
  static constexpr std::size_t packed_offset(std::size_t index) {
    const auto bytes = []<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<std::size_t, operation_count>{
          Operation<I>::On::template packed_bytes<T, operation_purpose(purpose, I)>()...};
    }
    (std::make_index_sequence<operation_count>{});
    std::size_t result = 0;
    for (std::size_t i = 0; i < index; ++i) result += round_up(bytes[i], alignment_bytes);
    return result;
  }

  using Layout = detail::ChainLayout<operation_count>;
  template <class T>
  static constexpr Layout layout(std::size_t samples) {
    const auto caches = [samples]<std::size_t... I>(std::index_sequence<I...>) {
      return std::array<std::size_t, operation_count>{Operation<I>::On::Cache::template bytes<T>(samples)...};
    }
    (std::make_index_sequence<operation_count>{});
    return memory.layout(samples * sizeof(T), caches);
  }
  template <class T>
  static std::array<T*, operation_count> results(const Layout& places, std::byte* cache, T* scratch,
                                                 T* output) {
    std::array<T*, operation_count> y;
    for (std::size_t i = 0; i < operation_count; ++i)
      y[i] = memory.at_output[i] ? output
             : memory.again[i]   ? offset<T>(scratch, places.result[i])
                                 : reinterpret_cast<T*>(cache + places.result[i]);
    return y;
  }
  template <class T>
  static std::array<T*, operation_count> gradients(const Layout& places, std::byte* cache, T* scratch,
                                                   T* output_gradient) {
    std::array<T*, operation_count> dy;
    for (std::size_t i = 0; i < operation_count; ++i) {
      const std::size_t at = places.gradients[memory.turn[i] % 2];
      dy[i] = memory.turn[i] == 0   ? output_gradient
              : memory.synchronizes ? reinterpret_cast<T*>(cache + at)
                                    : offset<T>(scratch, at);
    }
    return dy;
  }
  template <class T>
  static constexpr std::size_t operation_scratch_bytes(std::size_t samples) {
    return [samples]<std::size_t... I>(std::index_sequence<I...>) {
      return round_up(std::max({std::size_t{0}, Operation<I>::On::template scratch_bytes<T>(samples)...}),
                      alignment_bytes);
    }
    (std::make_index_sequence<operation_count>{});
  }

  // The result of operation I, which backward is about to read.
  template <std::size_t I, class Io, class T>
  static void compute_again(const Io& io, const Layout& places, const std::array<T*, operation_count>& y,
                            T* scratch) {
    using On = typename Operation<I>::On;
    run_forward_stage<On, On::barriers>(
        ForwardIo<T, typename Operation<I>::Layer, typename Operation<I>::Input>{
            .layer = Operation<I>::layer(io.layer.layers),
            .x = {I == 0 ? io.x.data : y[I == 0 ? 0 : I - 1], io.samples()},
            .y = {y[I], io.samples()},
            .parameters = {io.parameters.data + parameter_offset<Operation<I>::first>},
            .packed = nullptr,
            .cache = place<typename On::Cache::template Pointer<T>>(io.cache, places.cache[I]),
            .scratch = scratch,
            .mode = Mode::training,
            .random = RandomKey{},
            .first_sample = 0,
            .statistics = {.total = io.forward_totals + statistics_before(I), .batch = io.statistics.batch}});
  }

  template <class T>
  static T* offset(T* from, std::size_t bytes) {
    using Byte = std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>;
    return reinterpret_cast<T*>(reinterpret_cast<Byte*>(from) + bytes);
  }
  template <class Pointer>
  static Pointer place(std::byte* cache, std::size_t bytes) {
    return reinterpret_cast<Pointer>(cache + bytes);
  }
};

}  // namespace digitnet
