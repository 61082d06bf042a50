// A model as data: its layers with what decides their mathematics, under Keras' names, and where their
// parameters lie. Everything that writes, reads or compares models works on this, not on types.
#pragma once
#include <any>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/layers/regularizers.hpp"

namespace digitnet {

/// A number, word or list that belongs to a layer, such as {"units", 64} or {"padding", "same"}.
struct Attribute {
  using Value = std::variant<bool, std::int64_t, double, std::string, std::vector<std::int64_t>>;

  std::string name;
  Value value;

  bool operator==(const Attribute&) const = default;

  /// "units 64", "kernel_size (3, 3)".
  std::string text() const;
  std::string value_text() const;
};
using Attributes = std::vector<Attribute>;

/// One parameter of a layer.
struct WeightDescription {
  /// Such as "kernel"
  std::string name;
  std::vector<std::size_t> shape;
  bool trainable = true;
  /// Elements from the start of the model's arena; unused where there is no model
  std::size_t offset = 0;
  Regularizer regularizer{};

  std::size_t size() const {
    std::size_t product = 1;
    for (const std::size_t extent : shape) product *= extent;
    return product;
  }
};

/// One layer on the shape that reaches it.
struct LayerDescription {
  /// Keras' name of the class
  std::string class_name;
  /// Such as "conv2d_1"; nested "sequential/conv2d_1"
  std::string name;
  Attributes attributes;
  /// Shapes of one sample
  std::vector<std::size_t> input, output;
  std::vector<WeightDescription> weights;
  /// Whose results it gets: 0 is the model's input, i the i-th layer's. None: the one before it.
  std::vector<std::size_t> sources{};
  /// Whether the attributes are all that decides its mathematics; a layer of a user's own may not say them.
  bool says_settings = true;
  /// What formats know of a layer of a user's own, such as a keras::LayerEntry: what an overload
  /// `file_entries(layer)` in its namespace returns.
  std::vector<std::any> file_entries{};

  /// What the layer's user says for one format, or null.
  template <class Entry>
  const Entry* file_entry() const {
    for (const std::any& one : file_entries)
      if (const Entry* const entry = std::any_cast<Entry>(&one)) return entry;
    return nullptr;
  }

  /// The attribute of that name as a T, or a default.
  template <class T>
  T attribute(std::string_view wanted, T otherwise = {}) const {
    for (const Attribute& a : attributes)
      if (a.name == wanted)
        if (const T* const value = std::get_if<T>(&a.value)) return *value;
    return otherwise;
  }
  /// "Conv2D (filters 32, kernel_size (3, 3))"
  std::string text() const;
};

/// Layers in an order in which each comes after its sources; those of nested chains and combinators stand
/// among the others. The last one's result is the model's.
struct ModelDescription {
  std::vector<std::size_t> input;
  std::vector<LayerDescription> layers;

  /// Elements of all weights.
  std::size_t parameter_count() const;
  /// What layer `index` (from 0) gets; see LayerDescription.
  std::vector<std::size_t> sources(std::size_t index) const;
  /// Whether each layer gets the result of the one before it.
  bool is_chain() const;
};

/// Throws an Error for the first layer whose settings are not known: where they are written, none may be
/// missing.
DIGITNET_INLINE void check_settings_are_said(const ModelDescription& model);
/// "(3, 3, 1, 32)"
DIGITNET_INLINE std::string shape_text(const std::vector<std::size_t>& shape);
}  // namespace digitnet

#if DIGITNET_BODIES
#include <charconv>

#include "digitnet/core/error.hpp"

namespace digitnet {

DIGITNET_INLINE std::string Attribute::text() const { return name + " " + value_text(); }

DIGITNET_INLINE std::string Attribute::value_text() const {
  struct Visitor {
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const {
      // As short as is exact: a float32's digits, where it is one.
      char text[40];
      const auto single = static_cast<float>(number);
      char* const end = double{single} == number ? std::to_chars(text, text + sizeof text, single).ptr
                                                 : std::to_chars(text, text + sizeof text, number).ptr;
      return {text, end};
    }
    std::string operator()(const std::string& word) const { return word; }
    std::string operator()(const std::vector<std::int64_t>& list) const {
      std::string text = "(";
      for (const std::int64_t number : list) text += (text.size() > 1 ? ", " : "") + std::to_string(number);
      return text + ")";
    }
  };
  return std::visit(Visitor{}, value);
}

DIGITNET_INLINE std::string LayerDescription::text() const {
  std::string result;
  for (const Attribute& a : attributes) result += (result.empty() ? " (" : ", ") + a.text();
  return class_name + (result.empty() ? "" : result + ")");
}

DIGITNET_INLINE std::size_t ModelDescription::parameter_count() const {
  std::size_t count = 0;
  for (const LayerDescription& layer : layers)
    for (const WeightDescription& weight : layer.weights) count += weight.size();
  return count;
}

DIGITNET_INLINE std::vector<std::size_t> ModelDescription::sources(std::size_t index) const {
  return layers[index].sources.empty() ? std::vector<std::size_t>{index} : layers[index].sources;
}

DIGITNET_INLINE bool ModelDescription::is_chain() const {
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (sources(i) != std::vector<std::size_t>{i}) return false;
  return true;
}

DIGITNET_INLINE void check_settings_are_said(const ModelDescription& model) {
  for (const LayerDescription& layer : model.layers)
    if (!layer.says_settings)
      fail("The layer \"" + layer.name + "\" cannot be written: " + layer.class_name +
           " does not say its settings: give it `static constexpr auto settings = std::tuple{...}` "
           "(digitnet/layers/setting.hpp), which may be empty");
}

DIGITNET_INLINE std::string shape_text(const std::vector<std::size_t>& shape) {
  return Attribute{"", std::vector<std::int64_t>(shape.begin(), shape.end())}.value_text();
}

}  // namespace digitnet
#endif
