// Layers and operations with several inputs, or with an input and a number, in Keras' files.
#pragma once
#include <cmath>

#include "digitnet/keras/layer_entry.hpp"

namespace digitnet::keras::layers {

inline Extents product_shape(ShapeReader& shapes) {
  // A number for each channel times an image, in either order.
  const auto by_channel = [](const Extents& a, const Extents& image) {
    return a.size() == 3 && image.size() == 3 && a[0] == 1 && a[1] == 1 && a[2] == image[2];
  };
  Extents result = shapes.given().front();
  for (const Extents& other : shapes.given()) {
    if (other != result && !by_channel(other, result) && !by_channel(result, other))
      return shapes.refuse_inputs(other);
    if (by_channel(result, other)) result = other;
  }
  return result;
}

inline std::vector<LayerEntry> merges() {
  using Line = std::optional<std::pair<double, double>>;
  return {{.class_name = "Add",
           .operations = {"__operators__.add", "math.add"},
           .merge = {{.here = "Add", .is_sum = true}},
           .line =
               [](double number, bool) {
                 return Line({1, number});
               },
           .output = [](ShapeReader& shapes) { return shapes.equal_shapes(); }},
          {.class_name = "Subtract",
           .operations = {"math.subtract"},

           .merge = {{.here = "Add", .negates_second = true}},
           .line =
               [](double number, bool is_first) {
                 return is_first ? Line({-1, number}) : Line({1, -number});
               }},
          {.class_name = "Multiply",
           .operations = {"math.multiply"},
           .merge = {{.here = "Multiply", .by_pairs = true}},
           .line =
               [](double number, bool) {
                 return Line({number, 0});
               },
           .output = product_shape},
          {.class_name = "Average",

           .merge = {{.here = "Add", .averages = true}},
           // The operation of that name is another one.
           .read =
               [](const LayerEntry& entry, const detail::Settings& settings) {
                 return settings.find("axis") ? entry.refuse(settings)
                                              : detail::Described{entry.one(settings)};
               }},
          {.class_name = "Concatenate",
           .fields = {Field::list("axis")},
           .written = {{"axis", -1}},
           .merge = {{.here = "Concatenate"}},
           .output = [](ShapeReader& shapes) -> Extents {
             Extents result = shapes.given().front();
             result.back() = 0;
             for (Extents other : shapes.given()) {
               const std::size_t last = std::exchange(other.back(), result.back());
               if (other != result) {
                 other.back() = last;
                 return shapes.refuse_inputs(other);
               }
               result.back() += last;
             }
             return result;
           }},
          {.class_name = "Divide",
           .operations = {"math.truediv", "math.divide", "TrueDivide"},

           .read = [](const LayerEntry& entry,
                      const detail::Settings& settings) { return entry.refuse(settings); },
           .line =
               [](double number, bool is_first) {
                 return is_first || !std::isfinite(static_cast<float>(1 / number)) ? Line()
                                                                                   : Line({1 / number, 0});
               },
           .makes_fractions = true},
          {.class_name = "Negative",
           .operations = {"math.negative"},

           .read = [](const LayerEntry&, const detail::Settings& settings) {
             return std::optional(detail::Described{detail::rescaling(settings.name(), -1, 0)});
           }}};
}

}  // namespace digitnet::keras::layers
