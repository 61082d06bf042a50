// Augmentation: training images that are changed a little each time they are seen.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/core/processor.hpp"
#include "digitnet/core/random.hpp"
#include "digitnet/core/sample_transform.hpp"
#include "digitnet/core/samples.hpp"
#include "digitnet/core/simd.hpp"
#include "digitnet/core/tensor.hpp"
#include "digitnet/core/warp.hpp"

namespace digitnet {
inline namespace DIGITNET_PROCESSOR {

/// How images (height, width, channels) vary; what is left at 0 does not. All happens in one interpolation,
/// with zeros beyond the border. What happens to an image depends on (seed, epoch, number of the sample) and
/// nothing else. `trainer.fit(train, {.augmentation = Augmentation{.rotation = 10, .shift = 2}})`
struct Augmentation {
  /// Degrees, uniform in [-rotation, rotation]
  float rotation = 0;
  /// Pixels along each axis, uniform in [-shift, shift]
  float shift = 0;
  /// A factor for each axis, uniform in [1 - scale, 1 + scale]
  float scale = 0;
  /// Degrees of the vertical against the horizontal, uniform in [-shear, shear]
  float shear = 0;
  /// Elastic distortion: displacements uniform in [-1, 1], smoothed by a Gaussian of elastic_sigma pixels,
  /// times elastic_alpha, in pixels. For MNIST alpha 34, sigma 4. Simard, Steinkraus, Platt: Best Practices
  /// for Convolutional Neural Networks (2003).
  float elastic_alpha = 0;
  float elastic_sigma = 4;
  /// Half of the images are mirrored
  bool horizontal_flip = false;
  /// The part of the images in which a rectangle becomes noise, uniform in [0, 1): of 2 % to `erasing_area`
  /// of the area, with sides of up to 1 to 3.3. Zhong and others: Random Erasing Data Augmentation (2017).
  float erasing = 0;
  float erasing_area = 1.0f / 3;
  /// Mixes each image, and its target, with another of the batch: the parts follow Beta(mixup, mixup). Zhang
  /// and others: mixup: Beyond Empirical Risk Minimization (2017).
  float mixup = 0;

  bool operator==(const Augmentation&) const = default;

  /// Throws an Error that names what is out of range.
  void check() const {
    const auto within = [](float value, float low, float high, const char* name) {
      if (!(value >= low && value <= high))
        fail(std::string("Augmentation's ") + name + " must be from " + to_text(low) + " to " +
             to_text(high) + ", but is " + to_text(value));
    };
    within(rotation, 0, 180, "rotation");
    within(shift, 0, 1e4f, "shift");
    within(scale, 0, 0.9f, "scale");
    within(shear, 0, 80, "shear");
    within(elastic_alpha, 0, 1e4f, "elastic_alpha");
    within(elastic_sigma, 0.5f, 1e4f, "elastic_sigma");
    within(erasing, 0, 1, "erasing");
    within(erasing_area, 0.02f, 1, "erasing_area");
    within(mixup, 0, 100, "mixup");
  }
  /// "rotation 10, shift 2": what is not left out.
  std::string text() const {
    std::string result;
    for (const auto& [name, value] : {std::pair{"rotation", rotation},
                                      {"shift", shift},
                                      {"scale", scale},
                                      {"shear", shear},
                                      {"elastic_alpha", elastic_alpha},
                                      {"elastic_sigma", elastic_alpha > 0 ? elastic_sigma : 0},
                                      {"horizontal_flip", horizontal_flip ? 1.0f : 0.0f},
                                      {"erasing", erasing},
                                      {"erasing_area", erasing > 0 ? erasing_area : 0},
                                      {"mixup", mixup}})
      if (value != 0)
        result.append(result.empty() ? "" : ", ").append(name).append(" ").append(to_text(value));
    return result;
  }
  bool warps() const { return rotation > 0 || shift > 0 || scale > 0 || shear > 0 || elastic_alpha > 0; }

  std::shared_ptr<SampleTransform> transform() const;
};

/// Applies an Augmentation to images of one shape.
class ImageAugmenter : public SampleTransform {
 public:
  explicit ImageAugmenter(const Augmentation& settings) : settings_(settings) { settings_.check(); }

  void begin(std::span<const std::size_t> extents, std::size_t threads) override {
    if (extents.size() != 3 && extents.size() != 1)
      fail("Augmentation works on images (height, width, channels), but the model takes samples of shape " +
           detail::shape_text(extents) + ": leave it out, or change the model's Input");
    std::size_t height = extents[0], width = extents.size() == 3 ? extents[1] : 1;
    if (extents.size() == 1) {
      // A flat image is taken for a square one.
      const auto side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(extents[0]))));
      if (side * side != extents[0])
        fail("Augmentation takes flat samples for square images, but " + std::to_string(extents[0]) +
             " is no square number: give the model an Input of height, width and channels");
      height = width = side;
    }
    frame_ = {height, width, extents.size() == 3 ? extents[2] : 1};
    columns_ = round_up(width, alignment_elements);
    vertical_ = gaussian(height, height);
    horizontal_ = gaussian(width, columns_);
    places_.clear();
    for (std::size_t thread = 0; thread < threads; ++thread) places_.emplace_back(frame_, columns_);
  }

  void apply(float* image, RandomKey key, std::size_t thread) override {
    Random random(key);
    if (settings_.warps()) {
      Memory& memory = places_[thread];
      displace(random, memory);
      kernels::warp_image(frame_, image, memory.frame.data(), memory.rows.data(), memory.columns.data());
    }
    if (settings_.horizontal_flip && random.below(2) == 1) flip(image);
    if (settings_.erasing > 0 && random.uniform() < settings_.erasing) erase(image, random);
  }

  std::string text() const override { return settings_.text(); }

  float part_in_mixture(RandomKey key) const override {
    if (settings_.mixup == 0) return 1;
    Random random(key);
    const double first = gamma(settings_.mixup, random), second = gamma(settings_.mixup, random);
    return first + second > 0 ? static_cast<float>(first / (first + second)) : 1.0f;
  }

 private:
  struct Memory {
    Memory(const kernels::WarpFrame& extents, std::size_t columns_with_padding)
        : frame(extents.size()),
          rows(extents.height * extents.width),
          columns(extents.height * extents.width),
          noise(extents.height * columns_with_padding),
          smooth(extents.height * columns_with_padding) {}
    Arena<float> frame, rows, columns, noise, smooth;
  };

  // (size, stride): the weight of a Gaussian at the distance of each pair.
  Arena<float> gaussian(std::size_t size, std::size_t stride) const {
    Arena<float> matrix(size * stride);
    const double sigma = settings_.elastic_sigma;
    const auto weight = [&](double distance) { return std::exp(-distance * distance / (2 * sigma * sigma)); };
    double sum = weight(0);
    for (int distance = 1; distance < 8 * sigma + 1; ++distance) sum += 2 * weight(distance);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t j = 0; j < size; ++j)
        matrix.data()[i * stride + j] =
            static_cast<float>(weight(static_cast<double>(i) - static_cast<double>(j)) / sum);
    return matrix;
  }

  void displace(Random& random, Memory& memory) const {
    const auto between = [&](float bound) { return static_cast<float>(random.uniform(-bound, bound)); };
    const float degree = std::numbers::pi_v<float> / 180;
    const float angle = between(settings_.rotation) * degree,
                lean = std::tan(between(settings_.shear) * degree);
    const float down = between(settings_.shift), right = between(settings_.shift);
    const float height_factor = 1 / (1 + between(settings_.scale));
    const float width_factor = 1 / (1 + between(settings_.scale));
    // From where a pixel comes: turned, sheared, scaled about the middle, and shifted.
    const float cosine = std::cos(angle), sine = std::sin(angle);
    const kernels::AffineMap<float> map =
        kernels::AffineMap<float>{.row_row = cosine * height_factor,
                                  .row_column = -sine * height_factor,
                                  .row_offset = down,
                                  .column_row = (sine + lean * cosine) * width_factor,
                                  .column_column = (cosine - lean * sine) * width_factor,
                                  .column_offset = right}
            .about(static_cast<float>(frame_.height - 1) / 2, static_cast<float>(frame_.width - 1) / 2);
    for (std::size_t r = 0; r < frame_.height; ++r)
      for (std::size_t c = 0; c < frame_.width; ++c) {
        memory.rows.data()[r * frame_.width + c] = map.row(static_cast<float>(r), static_cast<float>(c));
        memory.columns.data()[r * frame_.width + c] =
            map.column(static_cast<float>(r), static_cast<float>(c));
      }
    if (settings_.elastic_alpha > 0) {
      add_elastic(random, memory, memory.rows.data());
      add_elastic(random, memory, memory.columns.data());
    }
  }

  // coordinates += alpha * (noise smoothed along both axes), as two products with a Gaussian's matrix.
  void add_elastic(Random& random, Memory& memory, float* coordinates) const {
    const std::size_t height = frame_.height, width = frame_.width;
    float* const noise = memory.noise.data();
    std::uint64_t bits = 0;
    for (std::size_t r = 0; r < height; ++r)
      for (std::size_t c = 0; c < width; ++c, bits >>= 16) {
        if (c % 4 == 0) bits = random();
        noise[r * columns_ + c] =
            static_cast<float>(static_cast<std::int32_t>(bits & 0xffff)) * (2.0f / 65535) - 1;
      }
    multiply(height, width, noise, columns_, horizontal_.data(), memory.smooth.data());
    multiply(height, height, vertical_.data(), height, memory.smooth.data(), noise);
    for (std::size_t r = 0; r < height; ++r)
      for (std::size_t c = 0; c < width; ++c)
        coordinates[r * width + c] += settings_.elastic_alpha * noise[r * columns_ + c];
  }

  // to (rows, columns_) = a (rows, depth) b (depth, columns_).
  void multiply(std::size_t rows, std::size_t depth, const float* a, std::size_t a_stride, const float* b,
                float* to) const {
    using Vector = simd::Vector<float>;
    constexpr std::size_t lanes = simd::width<float>, together = 4;
    for (std::size_t row = 0; row < rows; row += together)
      for (std::size_t column = 0; column < columns_; column += lanes) {
        std::array<Vector, together> sums;
        sums.fill(Vector(0.0f));
        const std::size_t count = std::min(together, rows - row);
        for (std::size_t k = 0; k < depth; ++k) {
          const Vector here = simd::read<DefaultArch>(b + k * columns_ + column);
          // Where rows are fewer, the last one is computed twice.
          for (std::size_t i = 0; i < together; ++i)
            sums[i] = simd::fma(Vector(a[(row + std::min(i, count - 1)) * a_stride + k]), here, sums[i]);
        }
        for (std::size_t i = 0; i < count; ++i)
          simd::write<DefaultArch>(to + (row + i) * columns_ + column, sums[i]);
      }
  }

  void flip(float* image) const {
    const std::size_t channels = frame_.channels;
    for (std::size_t row = 0; row < frame_.height; ++row) {
      float* const line = image + row * frame_.width * channels;
      for (std::size_t left = 0, right = frame_.width - 1; left < right; ++left, --right)
        std::swap_ranges(line + left * channels, line + (left + 1) * channels, line + right * channels);
    }
  }

  void erase(float* image, Random& random) const {
    const double area =
        random.uniform(0.02, settings_.erasing_area) * static_cast<double>(frame_.height * frame_.width);
    const double ratio = std::exp(random.uniform(-std::log(3.3), std::log(3.3)));
    const auto side = [](double length, std::size_t most) {
      return std::clamp(static_cast<std::size_t>(std::lround(length)), std::size_t{1}, most);
    };
    const std::size_t height = side(std::sqrt(area * ratio), frame_.height);
    const std::size_t width = side(std::sqrt(area / ratio), frame_.width);
    const std::size_t top = random.below(frame_.height - height + 1);
    const std::size_t left = random.below(frame_.width - width + 1);
    for (std::size_t row = top; row < top + height; ++row)
      for (std::size_t i = left * frame_.channels; i < (left + width) * frame_.channels; ++i)
        image[row * frame_.width * frame_.channels + i] = static_cast<float>(random.uniform());
  }

  // A number of the distribution Gamma(shape, 1). Marsaglia, Tsang: A Simple Method for Generating Gamma
  // Variables (2000), with their boost for shapes below 1.
  static double gamma(double shape, Random& random) {
    if (shape < 1) return gamma(shape + 1, random) * std::pow(1 - random.uniform(), 1 / shape);
    const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    while (true) {
      const double x = random.normal(), v = std::pow(1 + c * x, 3);
      if (v > 0 && std::log(1 - random.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
    }
  }

  Augmentation settings_;
  kernels::WarpFrame frame_{};
  // Of the matrices, with padding.
  std::size_t columns_ = 0;
  Arena<float> vertical_, horizontal_;
  // One a thread.
  std::vector<Memory> places_;
};

inline std::shared_ptr<SampleTransform> Augmentation::transform() const {
  return std::make_shared<ImageAugmenter>(*this);
}

/// Test-time augmentation: the mean of the model's answers to an image as it is and to `copies` varied ones.
/// (n, outputs), as predict.
template <class Model>
Matrix predict_augmented(const Model& model, const Samples& samples, const Augmentation& augmentation,
                         std::size_t copies = 8, Seed seed = {}) {
  Matrix result = model.predict(samples);
  const std::size_t size = samples.size();
  ImageAugmenter augmenter(augmentation);
  augmenter.begin(Model::InputShape::extents, 1);
  // Some samples at a time, so that memory does not grow with their number.
  constexpr std::size_t together = 1024;
  for (std::size_t first = 0; first < samples.count(); first += together) {
    const std::size_t count = std::min(together, samples.count() - first);
    Matrix varied(std::array<std::size_t, 2>{count, size});
    for (std::size_t copy = 0; copy < copies; ++copy) {
      for (std::size_t i = 0; i < count; ++i) {
        float* const image = varied.data() + i * size;
        samples.copy(first + i, image);
        augmenter.apply(image, RandomKey(seed).child(copy).child(first + i), 0);
      }
      const Matrix answers = model.predict(varied);
      for (std::size_t i = 0; i < answers.size(); ++i)
        result.data()[first * Model::OutputShape::size + i] += answers.data()[i];
    }
  }
  for (float& value : result) value /= static_cast<float>(copies + 1);
  return result;
}

}  // namespace DIGITNET_PROCESSOR
}  // namespace digitnet
