// The one table of the layers of Keras' files: the library's, behind those of a user's own.
#pragma once
#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "digitnet/core/class_name.hpp"
#include "digitnet/keras/layers/activation.hpp"
#include "digitnet/keras/layers/convolution.hpp"
#include "digitnet/keras/layers/dense.hpp"
#include "digitnet/keras/layers/dropout.hpp"
#include "digitnet/keras/layers/group_normalization.hpp"
#include "digitnet/keras/layers/merge.hpp"
#include "digitnet/keras/layers/normalization.hpp"
#include "digitnet/keras/layers/pooling.hpp"
#include "digitnet/keras/layers/random_image.hpp"
#include "digitnet/keras/layers/shape.hpp"
#include "digitnet/layers/setting.hpp"

namespace digitnet::keras {

/// The library's entries.
inline const std::vector<LayerEntry>& library_entries() {
  static const std::vector<LayerEntry> entries = [] {
    std::vector<LayerEntry> all;
    for (const auto family : {layers::dense, layers::convolutions, layers::poolings, layers::normalizations,
                              layers::group_normalizations, layers::dropouts, layers::random_images,
                              layers::activations, layers::merges, layers::shapes})
      for (LayerEntry& entry : family()) all.push_back(std::move(entry));
    return all;
  }();
  return entries;
}

/// Finds entries: `own` ones, which it refers to, first.
class Registry {
 public:
  Registry() = default;
  /// Own entries, such as own_layer makes.
  Registry(std::vector<LayerEntry> own) : own_(std::move(own)) {}
  /// Those that a model's layers bring along.
  explicit Registry(const ModelDescription& model) {
    for (const LayerDescription& layer : model.layers)
      if (const LayerEntry* const entry = layer.file_entry<LayerEntry>();
          entry && !find_own(entry->registered_name))
        own_.push_back(*entry);
  }

  /// The entry for a described layer: its user's, or the library's; null if there is none. It may be the
  /// description's.
  static const LayerEntry* find(const LayerDescription& layer) {
    if (const LayerEntry* const own = layer.file_entry<LayerEntry>()) return own;
    for (const LayerEntry& entry : library_entries())
      if (entry.class_name == layer.class_name) return &entry;
    return nullptr;
  }
  /// The user's entry that is registered as "package>Class".
  const LayerEntry* find_own(std::string_view registered_name) const {
    return find_if(
        [&](const LayerEntry& entry) { return entry.is_own() && entry.registered_name == registered_name; });
  }
  /// The library's entry for a file's class, or for an operation of that name.
  const LayerEntry* find_in_file(std::string_view name) const {
    return find_if([&](const LayerEntry& entry) {
      return !entry.is_own() &&
             (entry.class_name == name ||
              std::find(entry.operations.begin(), entry.operations.end(), name) != entry.operations.end());
    });
  }
  /// The entry for the activation that Keras calls by that word.
  const LayerEntry* find_activation(std::string_view word) const {
    return find_if([&](const LayerEntry& entry) {
      return entry.activation && std::find(entry.activation->words.begin(), entry.activation->words.end(),
                                           word) != entry.activation->words.end();
    });
  }

 private:
  template <class Is>
  const LayerEntry* find_if(const Is& is) const {
    for (const std::vector<LayerEntry>* const entries : {&own_, &library_entries()})
      for (const LayerEntry& entry : *entries)
        if (is(entry)) return &entry;
    return nullptr;
  }

  std::vector<LayerEntry> own_;
};

namespace detail {

// The field of a setting that an own layer declares: values are template arguments, members stand in braces.
template <class Layer, class T>
Field field_of(const Setting<T>& setting, const Layer& layer) {
  const auto& value = setting.of(layer);
  using V = std::remove_cvref_t<decltype(value)>;
  constexpr bool is_member = std::is_member_object_pointer_v<T>;
  Field field{.name = std::string(setting.name),
              .kind = Field::Kind::list,
              .place = is_member ? Field::Place::named : Field::Place::argument};
  const auto with = [&](Field::Kind kind, Field::Value usual) {
    field.kind = kind;
    // A file that does not say a member has the default; what is part of the type it must say.
    if (is_member) field.usual = std::move(usual);
  };
  if constexpr (std::same_as<V, bool>)
    with(Field::Kind::flag, value);
  else if constexpr (std::integral<V>)
    with(Field::Kind::whole, static_cast<std::int64_t>(value));
  else if constexpr (std::floating_point<V>)
    with(Field::Kind::number, static_cast<double>(value));
  else if constexpr (std::same_as<V, Extent>)
    with(Field::Kind::pair,
         std::vector{static_cast<std::int64_t>(value.height), static_cast<std::int64_t>(value.width)});
  else if constexpr (requires { setting_word(value); }) {
    with(Field::Kind::word, std::string(setting_word(value)));
    field.enumeration = digitnet::class_name(typeid(V)) + "::";
  } else if constexpr (std::convertible_to<V, std::string>)
    with(Field::Kind::word, std::string(value));
  return field;
}

}  // namespace detail

/// The entry for a layer of one's own: its settings are the configuration's, and what it gives has the shape
/// of what it gets unless `output` says another. Keras knows it as "package>Class", for which a class of
/// Python must be registered (keras.saving.register_keras_serializable(package)). `header` is what imported
/// models include.
template <class Layer>
LayerEntry own_layer(const std::string& package, const std::string& header = "",
                     Extents (*output)(ShapeReader&) = nullptr) {
  LayerEntry entry{.class_name = std::string(Layer::class_name)};
  entry.registered_name = package + ">" + entry.class_name;
  entry.cpp_name = class_name(typeid(Layer));
  entry.cpp_name = entry.cpp_name.substr(0, entry.cpp_name.find('<'));
  entry.header = header;
  entry.output = output;
  if constexpr (requires { Layer::settings; })
    std::apply([&](const auto&... of) { (entry.fields.push_back(detail::field_of(of, Layer{})), ...); },
               Layer::settings);
  return entry;
}

}  // namespace digitnet::keras
