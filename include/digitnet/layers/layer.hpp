// What a layer is: the contract, before any code.
/// @page layer_contract What a layer is
///
/// A layer is a small value: what decides a shape is a template parameter, what does not is a plain member
/// with a default. `settings` lists both (see setting.hpp), by which descriptions and files know them. A
/// layer has no memory of its own. What depends on the shape of its input sits in a nested template, On. A
/// whole layer, which multiplies each feature by a number that it learns:
///
///     struct Scale {
///       static constexpr std::string_view class_name = "Scale";
///       Initializer factor_initializer = Ones{};
///
///       template <class In>
///       struct On : LayerDefaults {
///         using Output = In;
///         using Factor = Parameter<"factor", Shape<In::size>, &Scale::factor_initializer>;
///         using Parameters = ParameterList<Factor>;
///
///         static void forward(const auto& io) {
///           const auto factor = get<"factor">(io.parameters);
///           for (std::size_t i = 0; i < io.x.size(); ++i)
///             io.y.data[i] = factor.data[i % In::size] * io.x.data[i];
///         }
///         static void backward(const auto& io) {
///           const auto factor = get<"factor">(io.parameters);
///           const auto gradient = get<"factor">(io.gradients);
///           for (std::size_t i = 0; i < io.x.size(); ++i) {
///             gradient.data[i % In::size] += io.x.data[i] * io.dy.data[i];
///             if (io.wants_dx) io.dx.data[i] = factor.data[i % In::size] * io.dy.data[i];
///           }
///         }
///       };
///     };
///
/// ### What every layer has
///
/// 1. `class_name`, Keras' name where Keras has the layer.
/// 2. `On<In>`, In being a Shape. A static_assert in On refuses an unsuitable In, and names the cure; every
///    other member must still compile, so that one mistake gives one error.
/// 3. `Output`: a Shape.
/// 4. `Parameters`: a ParameterList. Default: none.
/// 5. `forward(io)`, io being a ForwardIo. It *assigns* every element of y. In training it also assigns what
///    backward needs of cache; in inference cache is null.
/// 6. `backward(io)`, io being a BackwardIo. x, y and cache are as forward left them. It *assigns* every
///    element of dx if `wants_dx`, and *adds* to gradients. It may overwrite dy. It is called once for each
///    forward in training, for the same samples.
///
/// Buffers do not overlap, are aligned to 64 bytes, and can be read for 64 bytes beyond their end. Elements
/// between the parameters of an arena are zero and stay so. forward and backward run on several threads at
/// once, on different samples, with the same const layer and parameters, and with gradients of their own.
///
/// ### Promises for speed
///
/// `static constexpr LayerTraits traits{...}` makes promises, each of which has its sentence there. Beside
/// it:
///
/// - `Cache`: what backward needs besides x and y: `Buffer<Element, ElementsPerSample>`.
/// - `scratch_bytes<T>(samples)`: bytes that forward and backward may overwrite freely.
/// - `packed_bytes<T, Purpose>()`, `pack<T, Purpose>(layer, parameters, packed)`: what forward or backward
///   wants computed from the parameters once a step instead of once a micro-batch, such as a transposed
///   kernel. `packed` is then that, or null in a forward, which does without.
/// - `forward_stage<stage>(io)`, `backward_stage<stage>(io)` instead of forward and backward, for a
///   layer that waits for the whole batch (BatchNormalization). Its stages are parted by `traits.barriers`
///   *batch barriers*, at which all micro-batches of the batch have finished the stage before. `statistics`
///   are the sums that cross them; see BatchStatistics. y and dx are assigned in the last stage. Between
///   stages x, y, cache, dy and dx stay; scratch does not.
/// - `merge_statistics<stage>(merge)`: how the statistics of two parts of the batch become those of both,
///   where that is more than a sum; see MergedStatistics.
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

/// A gradient that backward leaves to the end of the batch: that of a parameter (inputs, outputs) which is
/// x^T dy over all samples. backward then keeps x and dy; see Dense.
struct DeferredWeightGradient {
  std::size_t inputs = 0, outputs = 0;
  /// Elements a sample that stand before it in what is kept: for a batch of n, x (n, inputs) lies
  /// n * deferred_before elements into that memory, and behind it dy, n * outputs elements as `multiply`
  /// wants them.
  std::size_t deferred_before = 0;
  /// Elements of the arena before the parameter.
  std::size_t parameter = 0;
  /// dy lies in panels of so many columns, one behind the other, of each sample after sample; 0: all of dy
  /// does.
  std::size_t panel = 0;
  /// The product is computed in parts of so many times what fits the cache.
  std::size_t pieces = 1;
  /// to (rows, outputs) = some rows of x^T dy, `x` pointing to the first row's input in the first sample.
  void (*multiply)(std::size_t samples, std::size_t rows, const float* x, const float* dy,
                   float* to) = nullptr;

  constexpr std::size_t size() const { return inputs + outputs; }
};

/// What a layer promises. The defaults promise nothing.
struct LayerTraits {
  /// y is x under another shape: y.data may be x.data and dx.data dy.data, and then there is nothing to do.
  bool is_view = false;
  /// y.data may be x.data, and dx.data dy.data: the layer then overwrites.
  bool in_place = false;
  /// y = layer.value(x) for each number, and dx = layer.slope(y) * dy, or slope(x) if backward reads x: the
  /// layer may be computed as a part of the one before it.
  bool elementwise = false;
  /// forward has a second template parameter: an elementwise layer without settings that is applied to y.
  bool takes_activation = false;
  /// Whether backward looks at x, and at y. If not, that memory may be used for something else meanwhile.
  bool backward_reads_x = true;
  bool backward_reads_y = true;
  /// backward leaves dy as it is.
  bool keeps_dy = false;
  /// dx.data may be dy.data, or overlap it: backward assigns no dx before it has read all of dy.
  bool dx_in_place = false;
  /// Multiply-adds of forward for one sample, and how it is computed; for plan().
  std::size_t multiply_adds = 0;
  std::string_view method = "";
  /// backward leaves this parameter's gradient to the end of the batch when io.deferred says where.
  DeferredWeightGradient deferred_gradient{};
  /// How often forward, and backward, each wait for the whole batch, and how many sums each makes.
  std::size_t barriers = 0;
  std::size_t statistics = 0;
  /// With barriers: forward reads x in its first stage only, and backward in its last.
  bool reads_x_once = false;
  /// With barriers: forward's last stage computes y from x, cache and the batch's sums, and may do so
  /// before a backward that needs y, which then need not stay.
  bool rematerializes_y = false;
  /// The layer packs for Purpose::inference what forward then gets in inference; else it gets there what
  /// forward gets in training.
  bool folds = false;
};

/// What a layer may leave unsaid.
struct LayerDefaults {
  using Parameters = ParameterList<>;
  using Cache = NoBuffer;
  static constexpr LayerTraits traits{};

  template <class T>
  static constexpr std::size_t scratch_bytes(std::size_t) {
    return 0;
  }
  template <class T, Purpose>
  static constexpr std::size_t packed_bytes() {
    return 0;
  }
};

/// Where backward keeps x and dy of a deferred gradient: null, and it computes the gradient itself.
template <class T>
struct DeferredBatch {
  T* memory = nullptr;
  /// Number of the micro-batch's first sample in the batch.
  std::size_t first_sample = 0;
  /// Samples in the batch.
  std::size_t batch = 0;
};

/// Sums over the batch. In stage p a layer assigns the part of its micro-batch to those of `partial` that
/// belong to p; in later stages `total` has their sums over all micro-batches, or what merge_statistics makes
/// of them.
/// The gradient of a parameter that is not trained is what the step adds to it; the first micro-batch says
/// it.
struct BatchStatistics {
  double* partial = nullptr;
  const double* total = nullptr;
  /// Samples in the batch.
  std::size_t batch = 0;
  /// Whether this is the batch's first micro-batch.
  bool first_micro_batch = false;

  /// Those of one layer of several.
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

  /// Those of one layer of several.
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
  /// Belongs to (seed, epoch, step, layer).
  RandomKey random;
  /// Number of x's first sample in the batch.
  std::size_t first_sample;
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
  /// The gradient of a model's own input is not computed.
  static constexpr bool wants_dx = WantsDx;

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
  /// The sums that forward made.
  const double* forward_totals = nullptr;

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
