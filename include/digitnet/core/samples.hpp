// Samples and targets as the engine sees them: where the numbers lie, how many there are, and their shape.
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/labels.hpp"
#include "digitnet/core/mapped_file.hpp"
#include "digitnet/core/row_major.hpp"
#include "digitnet/core/simd.hpp"
#include "digitnet/core/tensor.hpp"

namespace digitnet {

namespace detail {

inline std::string shape_text(std::span<const std::size_t> extents) {
  std::string text = "(";
  for (std::size_t axis = 0; axis < extents.size(); ++axis)
    text += (axis ? ", " : "") + std::to_string(extents[axis]);
  return text + (extents.size() == 1 ? ",)" : ")");
}

}  // namespace detail

/// n samples: bytes, read as value / 255, or floats, read as they are. The first axis counts the samples.
/// Refers to row-major memory that somebody else owns; what is a temporary, or lies otherwise, is kept.
class Samples {
 public:
  Samples() = default;
  /// From an xtensor container of std::uint8_t or float, which must outlive this. Column-major containers,
  /// views and expressions are copied.
  template <detail::AnyArray Array>
  requires(!std::same_as<std::remove_cvref_t<Array>, Samples>) Samples(Array&& array) {
    using Element = detail::ElementOf<Array>;
    static_assert(detail::HasShape<Array>,
                  "Samples need a shape, which std::vector and its like lack: give "
                  "xt::adapt(vector, {samples, features})");
    static_assert(
        !detail::HasShape<Array> || std::is_same_v<Element, std::uint8_t> || std::is_same_v<Element, float>,
        "Samples are std::uint8_t (read as value / 255) or float");
    if constexpr (detail::HasShape<Array> &&
                  (std::is_same_v<Element, float> || std::is_same_v<Element, std::uint8_t>)) {
      if constexpr (requires { array.file(); }) mapped_ = array.file();
      detail::RowMajor<Element> numbers = detail::row_major(std::forward<Array>(array));
      extents_ = std::move(numbers.extents);
      owner_ = std::move(numbers.owner);
      if constexpr (std::is_same_v<Element, float>)
        floats_ = numbers.data;
      else
        bytes_ = numbers.data;
    }
    if (extents_.empty()) fail("Samples need a first axis that counts them, but a single number was given");
  }

  /// `count` samples of these extents, floats, which must outlive this.
  Samples(const float* values, std::size_t count, std::span<const std::size_t> extents)
      : extents_{count}, floats_(values) {
    extents_.insert(extents_.end(), extents.begin(), extents.end());
  }

  /// Bytes or floats that `owner` keeps; the first of the extents counts the samples.
  template <class T>
  Samples(std::shared_ptr<const T[]> owner, std::vector<std::size_t> extents) : extents_(std::move(extents)) {
    if constexpr (std::is_same_v<T, float>)
      floats_ = owner.get();
    else
      bytes_ = owner.get();
    owner_ = std::move(owner);
  }

  std::size_t count() const { return extents_.empty() ? 0 : extents_[0]; }
  /// Numbers in one sample.
  std::size_t size() const {
    std::size_t product = 1;
    for (std::size_t axis = 1; axis < extents_.size(); ++axis) product *= extents_[axis];
    return product;
  }
  const std::vector<std::size_t>& extents() const { return extents_; }
  /// The memory of all samples.
  std::span<const std::byte> memory() const {
    if (bytes_) return std::as_bytes(std::span(bytes_, count() * size()));
    return std::as_bytes(std::span(floats_, count() * size()));
  }

  /// Calls take(bytes) for one piece of the memory after the other. Of a mapped file only some are in memory
  /// at a time.
  template <class Take>
  void for_each_piece(const Take& take) const {
    constexpr std::size_t most = std::size_t{16} << 20;
    for (std::span<const std::byte> rest = memory(); !rest.empty();) {
      const std::span<const std::byte> piece = rest.first(std::min(rest.size(), most));
      take(piece);
      if (mapped_ && mapped_->is_large()) mapped_->let_go(piece);
      rest = rest.subspan(piece.size());
    }
  }

  /// Samples first, first + 1, ... where they lie.
  Samples part(std::size_t first, std::size_t samples) const {
    Samples result = *this;
    result.extents_[0] = samples;
    if (bytes_) result.bytes_ += first * size();
    if (floats_) result.floats_ += first * size();
    return result;
  }

  /// Writes sample `index` to `to` as floats.
  void copy(std::size_t index, float* to) const {
    const std::size_t length = size();
    if (mapped_ && mapped_->is_large())
      copy_mapped(bytes_ + index * length, length, to);
    else if (bytes_)
      copy_bytes(bytes_ + index * length, length, to);
    else
      std::copy_n(floats_ + index * length, length, to);
  }

  /// Throws unless every sample fits an input of these extents. A flat sample fits an image of the same size
  /// and the other way round, and a last axis of 1 may be missing; otherwise all axes must agree.
  void check_shape(std::span<const std::size_t> input) const {
    const std::span<const std::size_t> given = std::span(extents_).subspan(extents_.empty() ? 0 : 1);
    std::size_t input_size = 1;
    for (const std::size_t extent : input) input_size *= extent;
    const auto trimmed = [](std::span<const std::size_t> extents) {
      while (extents.size() > 1 && extents.back() == 1) extents = extents.first(extents.size() - 1);
      return extents;
    };
    const bool flat = given.size() <= 1 || input.size() <= 1;
    if (size() == input_size && (flat || std::ranges::equal(trimmed(given), trimmed(input)))) return;
    fail("The model takes samples of shape " + detail::shape_text(input) +
         ", but was given samples of shape " + detail::shape_text(given) +
         ": reshape the data or change the model's Input");
  }

  /// Throws if a float is NaN or infinite.
  void check_finite() const { check_finite(0, count()); }
  /// The same for some of the samples.
  void check_finite(std::size_t first, std::size_t samples) const {
    if (!floats_) return;
    const std::size_t length = size();
    const float* const from = floats_ + first * length;
    if (simd::all_finite(samples * length, from)) return;
    for (std::size_t i = first * length; i < (first + samples) * length; ++i)
      if (!std::isfinite(floats_[i]))
        fail("Sample " + std::to_string(i / length) + " contains " +
             (std::isnan(floats_[i]) ? "NaN" : "infinity") + " at element " + std::to_string(i % length) +
             ", but inputs must be finite: clean the data before it reaches the model");
  }

  /// Samples first, first + 1, ... where they lie, if they are floats with readable memory behind; else null.
  const float* in_place(std::size_t first, std::size_t samples) const {
    const std::size_t behind = (count() - first - samples) * size();
    return floats_ && behind * sizeof(float) >= readable_bytes_behind ? floats_ + first * size() : nullptr;
  }

 private:
  static void copy_bytes(const std::uint8_t* from, std::size_t length, float* to) {
    for (std::size_t i = 0; i < length; ++i) to[i] = static_cast<float>(from[i]) * (1.0f / 255.0f);
  }
  void copy_mapped(const std::uint8_t* from, std::size_t length, float* to) const {
    std::uint8_t piece[4096];
    for (std::size_t done = 0; done < length; done += sizeof piece) {
      const std::size_t count = std::min(length - done, sizeof piece);
      mapped_->copy(from + done, count, piece);
      copy_bytes(piece, count, to + done);
    }
  }

  std::vector<std::size_t> extents_;
  const std::uint8_t* bytes_ = nullptr;
  const float* floats_ = nullptr;
  // Null where the memory is somebody else's.
  std::shared_ptr<const void> owner_{};
  // Of which the memory is, or null.
  std::shared_ptr<const MappedFile> mapped_{};
};

/// What a model should answer: a class for each sample (labels of any integer type), or a row of floats
/// (one-hot or values; a single float a sample for a single output). Memory is referred to, as by Samples.
class Targets {
 public:
  Targets() = default;
  template <detail::AnyArray Array>
  requires(!std::same_as<std::remove_cvref_t<Array>, Targets>) Targets(Array&& array) {
    using Element = detail::ElementOf<Array>;
    static_assert(std::is_same_v<Element, float> || std::integral<Element>,
                  "Targets are labels, an array of an integer type, or rows of float");
    if constexpr (std::integral<Element>) {
      labels_ = LabelView(std::forward<Array>(array));
      count_ = labels_.size();
    } else if constexpr (std::is_same_v<Element, float>) {
      detail::RowMajor<float> rows = detail::row_major(std::forward<Array>(array));
      if (rows.extents.empty())
        fail("Targets need a first axis that counts them, but a single number was given");
      rows_ = rows.data;
      count_ = rows.extents[0];
      size_ = 1;
      for (std::size_t axis = 1; axis < rows.extents.size(); ++axis) size_ *= rows.extents[axis];
      if (size_ == 0) fail("The targets are rows without a number: give one for each output");
      owner_ = std::move(rows.owner);
    }
  }

  std::size_t count() const { return count_; }
  bool are_labels() const { return size_ == 0; }
  /// Numbers in a row; 0 for labels.
  std::size_t size() const { return size_; }
  std::size_t label(std::size_t index) const { return labels_(index); }
  const float* row(std::size_t index) const { return rows_ + index * size_; }

  /// Throws unless labels are below `outputs`, or rows have `outputs` finite numbers. With a single output,
  /// labels 0 and 1 are the two answers, or, where the loss `classifies` nothing, labels are values.
  void check(std::size_t outputs, bool classifies = true) const {
    if (are_labels()) {
      if (outputs > 1 || classifies)
        labels_.check_below(outputs == 1 ? 2 : outputs,
                            "the model has " + std::to_string(outputs) +
                                (outputs == 1 ? " output, for the classes 0 and 1" : " outputs"));
      return;
    }
    if (size_ == 1 && outputs > 1)
      fail("The model has " + std::to_string(outputs) +
           " outputs, but the targets are one float each: classes are given as integers, values as rows of " +
           std::to_string(outputs));
    if (size_ != outputs)
      fail("The model has " + std::to_string(outputs) + " outputs, but the targets have " +
           std::to_string(size_) + " numbers each: make them equal");
    for (std::size_t i = 0; i < count_ * size_; ++i)
      if (!std::isfinite(rows_[i]))
        fail("Target " + std::to_string(i / size_) + " is not finite: clean the data before training");
  }

 private:
  LabelView labels_{};
  const float* rows_ = nullptr;
  std::size_t count_ = 0;
  std::size_t size_ = 0;
  // Of the rows, as in Samples.
  std::shared_ptr<const void> owner_{};
};

/// Samples with their targets, owned by somebody else, or, if they were temporaries, kept.
struct DataView {
  Samples samples;
  Targets targets;

  DataView() = default;
  DataView(Samples x, Targets y) : samples(std::move(x)), targets(std::move(y)) {
    if (samples.count() != targets.count())
      fail("There are " + std::to_string(samples.count()) + " samples but " +
           std::to_string(targets.count()) + " targets: every sample needs one");
  }
  /// From anything with `images` and `labels`, such as a Dataset.
  template <class Data>
  requires requires(const Data& data) {
    data.images;
    data.labels;
  }
  DataView(Data&& data)
      : DataView(Samples(std::forward<Data>(data).images), Targets(std::forward<Data>(data).labels)) {}
  template <class Data>
  requires requires(const Data& data) {
    data.images;
    data.labels;
  }
  DataView(const Data* data) {
    if (data) *this = DataView(*data);
  }
  DataView(std::nullptr_t) {}

  std::size_t count() const { return samples.count(); }
};

}  // namespace digitnet
