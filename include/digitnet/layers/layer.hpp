// What a layer is: the contract, before any code.
/// @page layer_contract What a layer is
///
/// A layer is a small value: what decides a shape is a template parameter, what does not is a plain
/// member with a default; both are listed in `settings` (see setting.hpp), by which descriptions and files
/// know them. It has no memory of its own. Everything that depends on the shape of its input sits in a nested
/// template
///
///     template <class In> struct On : LayerDefaults { ... };   // In is a Shape, such as Shape<28, 28, 1>
///
/// which has:
///
/// - `Output`: a Shape.
/// - `Parameters`: a ParameterList, with names, shapes, initializers. Default: none.
/// - `Cache`: what backward needs besides x and y: `Buffer<Element, ElementsPerSample>`. Default: none.
/// - `forward(io)`, `backward(io)`: static functions; io is a ForwardIo or a BackwardIo.
/// - `scratch_bytes<T>(samples)`: bytes that forward and backward may overwrite freely. Default: 0.
/// - `packed_bytes<T, Purpose>()`, `pack<T, Purpose>(layer, parameters, packed)`: what forward or
///   backward wants computed from the parameters once a step instead of once a micro-batch, such as a
///   transposed kernel; a part for each. Only a layer that `folds` is asked for `Purpose::inference`, and
///   then forward in inference gets that part; others get there what forward gets in training. Default:
///   nothing.
/// - `deferred`, `for_each_deferred`: if a parameter's gradient is a product x^T dy over all samples,
/// backward
///   may keep x and dy for the whole batch instead (`deferred` elements a sample) and leave the product to
///   the training; see DeferredWeightGradient and Dense. Default: none.
/// - `barriers`, `statistics`: for layers that need sums over the whole batch
///   (BatchNormalization): how often forward and backward each must wait for the other samples, and how
///   many sums a pass makes. Such a layer has `forward_stage<stage>(io)`, `backward_stage<stage>(io)` for
///   stage 0 to `barriers` instead of forward and backward; see BatchStatistics, and stages.hpp
///   for what calls them. Default: 0.
/// - `merge_statistics<stage>(merge)`: how what forward's stage says of two parts of the batch becomes what
///   it says of both, where that is more than a sum; see MergedStatistics. Default: a sum.
/// - `multiply_adds`, `method`: of forward for one sample, and how it is computed, for the plan. Default:
///   0, "".
///
/// An unsuitable In is refused by one static_assert in On, whose sentence names the cure; every other
/// member must still compile, so that one mistake gives one error.
///
/// **forward(io)** requires x, parameters; ensures that y is assigned, every element of it. In training
/// it also assigns what it needs of cache; in inference cache may be null. `packed` is what pack
/// made for forward of these parameters, or null, and then forward does without. It may read random keys;
/// the same keys give the same values.
///
/// **backward(io)** requires x, y, cache as forward left them, dy, packed; ensures that dx is assigned,
/// every element of it, if `wants_dx`, and that the gradients of the parameters are *added to* gradients.
/// It may overwrite dy. It is called once for each forward in training, for the same samples.
///
/// **Aliasing.** x, y, dx, dy do not overlap, except: a layer with `is_view` may find y.data == x.data
/// and dx.data == dy.data (it then has nothing to do), and one with `in_place` may find the same and must
/// then overwrite. A layer with `dx_in_place` may find dx.data == dy.data: it assigns no dx before it has
/// read all of dy. Cache and scratch overlap nothing.
///
/// **What may be forgotten.** `backward_reads_x`, `backward_reads_y`: whether backward looks at x or y.
/// Who says no allows that memory to be reused; it is then poisoned in tests.
///
/// **Reading on.** Every buffer is readable, but not meaningful, for 64 bytes beyond its end.
///
/// **Stages.** Between stages of one micro-batch, x, y, cache, dy and dx stay; scratch does not. A layer
/// that synchronizes may promise more. With `reads_x_once`, forward in training reads x in its first
/// stage only and backward in its last, and x need not stay. With `rematerializes_y`, forward's last stage
/// computes y from x, cache and the batch's sums, and may be run again before a backward that needs y,
/// which then need not stay either.
///
/// **Not trainable.** The gradient of a parameter that is not trainable is what the step adds to it; one
/// micro-batch of the batch (`statistics.first_micro_batch`) says it.
///
/// **Padding.** The elements between the parameters of an arena are zero and must not be written.
///
/// **Threads.** forward and backward run on several threads at once, on different samples, with the same
/// const layer and parameters, and with gradients of their own.
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "digitnet/core/random.hpp"
#include "digitnet/core/tensor.hpp"
#include "digitnet/layers/initializers.hpp"
#include "digitnet/layers/parameter.hpp"
#include "digitnet/layers/regularizers.hpp"
#include "digitnet/layers/setting.hpp"

namespace digitnet {

/// Whether a forward pass is followed by a backward pass; Dropout and its like act in training only.
enum class Mode { inference, training };

/// What parameters are packed for: forward (in training, and in inference unless a layer `folds`), a
/// backward that computes no dx, one that computes everything, or inference.
enum class Purpose { forward, weight_gradients, all_gradients, inference };

/// What the numbers are that a layer gives: any, a probability each, probabilities of classes that exclude
/// each other, or what they were before. A layer may say it (`static constexpr OutputKind output_kind`), so
/// that a loss that expects something else is refused.
enum class OutputKind { unknown, numbers, probabilities, distribution, of_input };

/// For UseBias: `Dense<10, no_bias>`.
inline constexpr bool no_bias = false;

/// Stands for the scalar of the computation (float; double in gradient checks) in a Cache.
struct Scalar;

/// A layer's memory from forward to backward: `PerSample` elements for each sample. Element may be Scalar.
template <class Element, std::size_t PerSample>
struct Buffer {
  template <class T>
  using ElementFor = std::conditional_t<std::same_as<Element, Scalar>, T, Element>;
  template <class T>
  using Pointer = ElementFor<T>*;

  template <class T>
  static constexpr std::size_t bytes(std::size_t samples) {
    return round_up(samples * PerSample * sizeof(ElementFor<T>), alignment_bytes);
  }
};
using NoBuffer = Buffer<std::byte, 0>;

/// Conservative answers to what a layer may leave unsaid.
struct LayerDefaults {
  using Parameters = ParameterList<>;
  using Cache = NoBuffer;
  static constexpr bool is_view = false;
  static constexpr bool in_place = false;
  static constexpr bool backward_reads_x = true;
  static constexpr bool backward_reads_y = true;
  static constexpr std::size_t multiply_adds = 0;
  static constexpr std::string_view method = "";
  static constexpr std::size_t deferred = 0;
  static constexpr std::size_t barriers = 0;
  static constexpr std::size_t statistics = 0;
  static constexpr bool folds = false;
  static constexpr bool rematerializes_y = false;
  static constexpr bool reads_x_once = false;
  static constexpr bool dx_in_place = false;

  template <class T>
  static constexpr std::size_t scratch_bytes(std::size_t) {
    return 0;
  }
  template <class T, Purpose>
  static constexpr std::size_t packed_bytes() {
    return 0;
  }
};

/// A gradient left to the training: d_parameter (inputs, outputs) = x^T dy over the batch. For a batch of n,
/// x (n, inputs) lies n * kept elements into the memory for what is kept, and dy (n, outputs) behind it.
struct DeferredWeightGradient {
  std::size_t inputs, outputs;
  std::size_t deferred;   ///< elements a sample before it
  std::size_t parameter;  ///< elements of the arena before it
  std::size_t pieces;     ///< the gradient is computed in parts of so many times what fits the cache
  /// to (rows, outputs) = some rows of x^T dy, `x` pointing to the first row's input in the first sample.
  void (*multiply)(std::size_t samples, std::size_t rows, const float* x, const float* dy, float* to);
};

/// Where backward keeps what products need: null, and it computes the gradients itself.
template <class T>
struct DeferredBatch {
  T* memory = nullptr;
  std::size_t first_sample = 0;  ///< number of the micro-batch's first sample in the batch
  std::size_t batch = 0;         ///< samples in the batch
};

/// Sums over the batch. In stage p a layer assigns the part of its micro-batch to those of `partial` that
/// belong to p; in later stages `total` has their sums over all micro-batches, or what merge_statistics makes
/// of them.
struct BatchStatistics {
  double* partial = nullptr;
  const double* total = nullptr;
  std::size_t batch = 0;           ///< samples in the batch
  bool first_micro_batch = false;  ///< whether this is the batch's first micro-batch

  /// Those of a layer in a chain.
  BatchStatistics from(std::size_t offset) const {
    return {partial ? partial + offset : nullptr, total ? total + offset : nullptr, batch, first_micro_batch};
  }
};

/// `total` is of the batch's first `samples_before` samples (0: it means nothing yet) and becomes that of the
/// next ones too, of which `partial` is.
struct MergedStatistics {
  double* total;
  const double* partial;
  std::size_t samples_before, samples;

  /// Those of a layer in a chain.
  MergedStatistics from(std::size_t offset) const {
    return {total + offset, partial + offset, samples_before, samples};
  }
};

/// What forward gets: views of a micro-batch.
template <class T, class LayerType, class In>
struct ForwardIo {
  using On = typename LayerType::template On<In>;
  using Real = T;

  const LayerType& layer;
  View<const T, In> x;
  View<T, typename On::Output> y;
  ParameterViews<const T, typename On::Parameters> parameters;
  const T* packed;
  typename On::Cache::template Pointer<T> cache;
  T* scratch;
  Mode mode;
  RandomKey random;          ///< belongs to (seed, epoch, step, layer)
  std::size_t first_sample;  ///< number of x's first sample in the batch
  BatchStatistics statistics{};

  std::size_t samples() const { return x.samples; }
  /// The key of one sample of the micro-batch.
  RandomKey key(std::size_t sample) const { return random.child(first_sample + sample); }
};

/// What backward gets: views of the same micro-batch.
template <class T, class LayerType, class In, bool WantsDx>
struct BackwardIo {
  using On = typename LayerType::template On<In>;
  using Real = T;
  static constexpr bool wants_dx = WantsDx;  ///< the gradient of a model's own input is never computed

  const LayerType& layer;
  View<const T, In> x;
  View<const T, typename On::Output> y;
  View<T, In> dx;
  View<T, typename On::Output> dy;
  ParameterViews<const T, typename On::Parameters> parameters;
  ParameterViews<T, typename On::Parameters> gradients;
  const T* packed;
  typename On::Cache::template Pointer<T> cache;
  T* scratch;
  DeferredBatch<T> deferred{};
  BatchStatistics statistics{};
  const double* forward_totals = nullptr;  ///< the sums that forward made

  std::size_t samples() const { return x.samples; }
};

namespace detail {

template <template <class> class>
struct ClassTemplate;

}  // namespace detail

/// Something that can stand in a Sequential. Its On is not looked into: what is wrong there is said there.
template <class L>
concept Layer = requires {
  { L::class_name } -> std::convertible_to<std::string_view>;
  typename detail::ClassTemplate<L::template On>;
};

/// Keras' name for the first layer of a class: "MaxPooling2D" is "max_pooling2d", "ReLU" is "re_lu".
inline std::string snake_case(std::string_view class_name) {
  // As the C locale has it: the process's locale decides nothing here.
  const auto is_upper = [&](std::size_t i) { return class_name[i] >= 'A' && class_name[i] <= 'Z'; };
  const auto is_lower = [&](std::size_t i) { return class_name[i] >= 'a' && class_name[i] <= 'z'; };
  std::string result;
  for (std::size_t i = 0; i < class_name.size(); ++i) {
    const bool begins_word = i + 1 < class_name.size() && is_upper(i) && is_lower(i + 1);
    const bool after_lower = i > 0 && is_lower(i - 1) && is_upper(i);
    if (i > 0 && (begins_word || after_lower)) result += '_';
    result += is_upper(i) ? static_cast<char>(class_name[i] - 'A' + 'a') : class_name[i];
  }
  return result;
}

}  // namespace digitnet
