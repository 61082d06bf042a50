// The shape that a file's layer makes of those it gets, and the shapes of its weights.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/shape.hpp"
#include "digitnet/inspect/description.hpp"
#include "digitnet/keras/problems.hpp"

namespace digitnet::keras::detail {

using Extents = std::vector<std::size_t>;

// More numbers than this in one array are refused.
inline constexpr std::size_t most_numbers = std::size_t{1} << 40;

// Their product, or nothing beyond most_numbers.
inline std::optional<std::size_t> product_of(const Extents& extents) {
  std::size_t product = 1;
  for (const std::size_t extent : extents) {
    if (extent != 0 && product > most_numbers / extent) return {};
    product *= extent;
  }
  return product;
}

// Fills in one layer's shapes and weights. What does not go together is a problem, and the layer's output is
// then unknown: empty.
class ShapeInference {
 public:
  ShapeInference(LayerDescription& layer, const std::vector<Extents>& given, Problems& problems)
      : d_(layer), given_(given), problems_(problems) {}

  void run() {
    // An axis decides whether a layer exists here, and is then the last one.
    const auto axis = std::find_if(d_.attributes.begin(), d_.attributes.end(),
                                   [](const Attribute& a) { return a.name == "axis"; });
    std::optional<std::vector<std::int64_t>> axes;
    if (axis != d_.attributes.end()) {
      axes = std::get<std::vector<std::int64_t>>(axis->value);
      d_.attributes.erase(axis);
    }
    if (std::any_of(given_.begin(), given_.end(), [](const Extents& shape) { return shape.empty(); })) return;
    d_.input = given_.front();
    if (axes && *axes != std::vector<std::int64_t>{-1} &&
        *axes != std::vector<std::int64_t>{static_cast<std::int64_t>(d_.input.size())}) {
      problem("its axis is " +
              (axes->size() == 1 ? std::to_string(axes->front()) : Attribute{"", *axes}.value_text()) +
              ", but only the last one of " + shape_text(d_.input) + " exists here");
      return;
    }
    d_.output = given_.size() > 1 ? merged() : result();
    if (!d_.output.empty() && !product_of(d_.output)) {
      problem("its result " + shape_text(d_.output) + " is too large");
      d_.output.clear();
    }
  }

 private:
  void problem(const std::string& why) { problems_.layer(d_.name, why); }

  Extents pair(const char* key) const {
    const auto value = d_.attribute<std::vector<std::int64_t>>(key, {1, 1});
    return {value.begin(), value.end()};
  }
  std::size_t count(const char* key) const {
    return static_cast<std::size_t>(d_.attribute<std::int64_t>(key, 1));
  }
  bool is_image() {
    if (d_.input.size() == 3) return true;
    problem("it needs an image (height, width, channels), but gets " + shape_text(d_.input));
    return false;
  }
  // The extents of a picture after windows have moved over it; nothing if they do not fit.
  std::optional<Extents> windows(const Extents& window, const Extents& strides) {
    const Padding padding = d_.attribute<std::string>("padding") == "same" ? Padding::same : Padding::valid;
    Extents result;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}})
      result.push_back(Sliding(d_.input[side], window[side], strides[side], padding).output);
    if (result[0] != 0 && result[1] != 0) return result;
    problem("its window " + shape_text(window) + " is larger than its input " + shape_text(d_.input));
    return {};
  }
  void add_bias(std::size_t size) {
    if (d_.attribute<bool>("use_bias")) d_.weights.push_back({"bias", {size}});
  }
  void add_line(std::size_t size) {
    if (d_.attribute<bool>("scale")) d_.weights.push_back({"gamma", {size}});
    if (d_.attribute<bool>("center")) d_.weights.push_back({"beta", {size}});
  }

  Extents result() {
    const std::string& kind = d_.class_name;
    const Extents& shape = d_.input;
    const std::size_t last = shape.back();
    if (kind == "Dense") {
      if (shape.size() != 1) {
        problem("Dense needs a flat input here, but gets " + shape_text(shape));
        return {};
      }
      d_.weights = {{"kernel", {last, count("units")}}};
      add_bias(count("units"));
      return {count("units")};
    }
    if (kind == "Conv2D" || kind == "DepthwiseConv2D" || kind == "SeparableConv2D") return convolved();
    if (kind == "BatchNormalization" || kind == "LayerNormalization") {
      add_line(last);
      if (kind == "BatchNormalization") {
        d_.weights.push_back({"moving_mean", {last}, false});
        d_.weights.push_back({"moving_variance", {last}, false});
      }
      return shape;
    }
    if (kind == "MaxPooling2D" || kind == "AveragePooling2D") {
      if (!is_image()) return {};
      const Extents pool = pair("pool_size");
      if (kind == "MaxPooling2D" && pool[0] * pool[1] > 256) {
        problem("its pool_size " + shape_text(pool) + " has more than 256 positions");
        return {};
      }
      const auto sides = windows(pool, pair("strides"));
      return sides ? Extents{(*sides)[0], (*sides)[1], last} : Extents{};
    }
    if (kind == "GlobalAveragePooling2D") return is_image() ? Extents{last} : Extents{};
    if (kind == "Flatten") return {product_of(shape).value_or(0)};
    if (kind == "Reshape") return reshaped();
    if (kind == "ZeroPadding2D") {
      if (!is_image()) return {};
      const Extents frame = pair("padding");
      return {shape[0] + 2 * frame[0], shape[1] + 2 * frame[1], last};
    }
    if ((kind == "SpatialDropout2D" || kind.starts_with("Random")) && !is_image()) return {};
    return shape;
  }

  Extents convolved() {
    if (!is_image()) return {};
    const Extents kernel = pair("kernel_size");
    const std::size_t last = d_.input.back();
    std::size_t channels = count("filters");
    if (d_.class_name == "Conv2D") {
      d_.weights = {{"kernel", {kernel[0], kernel[1], last, channels}}};
    } else {
      const bool separable = d_.class_name == "SeparableConv2D";
      const std::size_t multiplier = count("depth_multiplier"), wide = last * multiplier;
      d_.weights = {{separable ? "depthwise_kernel" : "kernel", {kernel[0], kernel[1], last, multiplier}}};
      if (separable)
        d_.weights.push_back({"pointwise_kernel", {1, 1, wide, channels}});
      else
        channels = wide;
    }
    add_bias(channels);
    const auto sides = windows(kernel, pair("strides"));
    return sides ? Extents{(*sides)[0], (*sides)[1], channels} : Extents{};
  }

  // One extent may be -1: what is left for it.
  Extents reshaped() {
    auto target = d_.attribute<std::vector<std::int64_t>>("target_shape");
    const std::size_t size = product_of(d_.input).value_or(0);
    const auto refuse = [&](const std::string& why) {
      problem("its target_shape " + Attribute{"", target}.value_text() + " " + why);
      return Extents{};
    };
    if (target.empty()) return refuse("has no extents");
    if (std::count(target.begin(), target.end(), -1) > 1) return refuse("leaves more than one extent open");
    if (std::any_of(target.begin(), target.end(), [](std::int64_t e) { return e < 1 && e != -1; }))
      return refuse("has extents that are no extents");
    Extents known;
    for (const std::int64_t extent : target)
      if (extent > 0) known.push_back(static_cast<std::size_t>(extent));
    const std::size_t product = product_of(known).value_or(0);
    if (product == 0 || (known.size() < target.size() ? size % product != 0 : size != product))
      return refuse("has another size than its input " + shape_text(d_.input));
    for (std::int64_t& extent : target)
      if (extent == -1) extent = static_cast<std::int64_t>(size / product);
    for (Attribute& attribute : d_.attributes)
      if (attribute.name == "target_shape") attribute.value = target;
    return {target.begin(), target.end()};
  }

  Extents merged() {
    Extents result = given_.front();
    for (std::size_t i = 1; i < given_.size(); ++i) {
      Extents other = given_[i];
      const auto refuse = [&] {
        problem("its inputs " + shape_text(given_.front()) + " and " + shape_text(given_[i]) +
                " do not go together here");
        return Extents{};
      };
      if (d_.class_name == "Concatenate") {
        if (other.size() != result.size()) return refuse();
        other.back() = result.back();
        if (other != result) return refuse();
        result.back() += given_[i].back();
        continue;
      }
      if (other == result) continue;
      // A number for each channel times an image, in either order.
      const auto by_channel = [](const Extents& a, const Extents& image) {
        return a.size() == 3 && image.size() == 3 && a[0] == 1 && a[1] == 1 && a[2] == image[2];
      };
      if (d_.class_name != "Multiply" || (!by_channel(other, result) && !by_channel(result, other)))
        return refuse();
      if (by_channel(result, other)) result = other;
    }
    return result;
  }

  LayerDescription& d_;
  const std::vector<Extents>& given_;
  Problems& problems_;
};

}  // namespace digitnet::keras::detail
