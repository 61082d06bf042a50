// What an entry for a layer of Keras' files says: how its configuration is read and written, which C++ type
// it is, and what it makes of the shapes that it gets. Entries of the library's layers are in layers/.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/shape.hpp"
#include "digitnet/keras/field.hpp"

namespace digitnet::keras {

using Extents = std::vector<std::size_t>;

namespace detail {

// What a layer of a file is here: layers that follow each other, none for one that changes nothing.
using Described = std::vector<LayerDescription>;

inline LayerDescription plain_layer(std::string class_name, const std::string& name,
                                    Attributes attributes = {}) {
  LayerDescription result;
  result.class_name = std::move(class_name);
  result.name = name;
  result.attributes = std::move(attributes);
  return result;
}
inline LayerDescription rescaling(const std::string& name, double scale, double offset) {
  return plain_layer("Rescaling", name, {{"scale", scale}, {"offset", offset}});
}

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

}  // namespace detail

/// Says what a layer of a file makes of the shapes that it gets. What does not go together is a problem, and
/// the output is then unknown: empty.
class ShapeReader {
 public:
  ShapeReader(LayerDescription& layer, const std::vector<Extents>& given, detail::Problems& problems)
      : layer_(layer), given_(given), problems_(problems) {}

  LayerDescription& layer() { return layer_; }
  /// The shape of the first source, and of all.
  const Extents& input() const { return layer_.input; }
  std::size_t last() const { return layer_.input.back(); }
  const std::vector<Extents>& given() const { return given_; }
  Extents pair(const char* key) const {
    const auto value = layer_.attribute<std::vector<std::int64_t>>(key, {1, 1});
    return {value.begin(), value.end()};
  }
  std::size_t count(const char* key) const {
    return static_cast<std::size_t>(layer_.attribute<std::int64_t>(key, 1));
  }

  Extents refuse(const std::string& why) {
    problems_.layer(layer_.name, why);
    return {};
  }
  bool is_image() {
    if (layer_.input.size() == 3) return true;
    refuse("it needs an image (height, width, channels), but gets " + shape_text(layer_.input));
    return false;
  }
  /// The image that windows of that size make as they move, of so many channels.
  Extents windows(const Extents& window, std::size_t channels) {
    const Padding padding =
        layer_.attribute<std::string>("padding") == "same" ? Padding::same : Padding::valid;
    const Extents strides = pair("strides");
    Extents result;
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}})
      result.push_back(Sliding(layer_.input[side], window[side], strides[side], padding).output);
    result.push_back(channels);
    if (result[0] != 0 && result[1] != 0) return result;
    return refuse("its window " + shape_text(window) + " is larger than its input " +
                  shape_text(layer_.input));
  }
  /// Adds a weight, unless the flag of that name is false.
  void add_weight(const char* name, Extents shape, const char* flag = nullptr, bool trainable = true) {
    if (!flag || layer_.attribute<bool>(flag)) layer_.weights.push_back({name, std::move(shape), trainable});
  }
  /// Several results of one shape.
  Extents equal_shapes() {
    for (const Extents& other : given_)
      if (other != given_.front()) return refuse_inputs(other);
    return given_.front();
  }
  Extents refuse_inputs(const Extents& other) {
    return refuse("its inputs " + shape_text(given_.front()) + " and " + shape_text(other) +
                  " do not go together here");
  }

 private:
  LayerDescription& layer_;
  const std::vector<Extents>& given_;
  detail::Problems& problems_;
};

/// How a layer with several inputs is made of those that exist here.
struct MergeRule {
  /// The class of the merge
  std::string here;
  /// More than two: the first two, then that and the third, and so on
  bool by_pairs = false;
  /// There are exactly two, of which the second is negated first
  bool negates_second = false;
  /// A Residual in C++ where one source is what the others began with
  bool is_sum = false;
  /// The result is divided by their number
  bool averages = false;
};

/// The words by which other layers name an activation that follows them.
struct ActivationWords {
  std::vector<std::string> words;
  /// The one of `words` that Keras 2 knows; empty: the first
  std::string of_keras_2{};
  /// Settings of the layer that they stand for
  Attributes settings{};
  /// Whether any Keras knows them
  bool is_written = true;
};

/// A weight as a configuration sees it: "kernel" of kernel_initializer, kernel_regularizer,
/// kernel_constraint.
struct WeightSettings {
  std::string key, initializer;
  /// The weight's own name, where it is another
  std::string weight{};
  /// If not, it has an initializer only
  bool is_trainable = true;
};

/// A layer, or something else, of Keras' files. What is left out is what most layers have.
struct LayerEntry {
  enum class Role { layer, input, function, sequential, graph };

  std::string class_name;
  std::vector<Field> fields{};
  Role role = Role::layer;
  /// Settings that are always written so, and those that files must have, because nothing else exists here.
  Json written = Json::object(), required = Json::object();
  std::vector<WeightSettings> weights{};
  /// Whether an activation behind it is written into it
  bool has_activation = false;
  /// Names of operations on results that do the same
  std::vector<std::string> operations{};
  std::optional<ActivationWords> activation{};
  /// Whether Keras has a layer of the class; an activation that is none is written as Activation.
  bool is_of_keras = true;
  enum class Training { no_effect, acts, acts_while_trainable } training = Training::no_effect;
  std::optional<MergeRule> merge{};

  /// From a file; without: one layer with the fields. Nothing: there is a problem, which it has named.
  std::optional<detail::Described> (*read)(const LayerEntry&, const detail::Settings&) = nullptr;
  /// Changes a configuration that has all that is above, for Keras 3 or both Keras 2 and 3.
  void (*write)(const LayerDescription&, Json& config, bool modern) = nullptr;
  /// Of a number and a result: y = scale x + offset.
  std::optional<std::pair<double, double>> (*line)(double number, bool is_first) = nullptr;
  /// Whether `line` of whole numbers is not whole
  bool makes_fractions = false;

  /// The output's shape, and the weights; without: the input's shape, and no weights.
  Extents (*output)(ShapeReader&) = nullptr;

  /// C++: the type and the value, where they are not the class and the fields.
  std::string (*type)(const LayerDescription&) = nullptr;
  std::string (*value)(const LayerDescription&) = nullptr;

  /// Of a user's own: "package>Class", the class in C++, and the header that it is in. Its weights are then
  /// what arrays a file has.
  std::string registered_name{}, cpp_name{}, header{};

  bool is_own() const { return !registered_name.empty(); }
  std::optional<detail::Described> refuse(const detail::Settings& settings) const {
    settings.problem("there is no " + class_name + " here");
    return {};
  }
  /// The attributes of the fields.
  Attributes read_fields(const detail::Settings& settings) const {
    Attributes attributes;
    for (const Field& field : fields) field.read(settings, attributes);
    return attributes;
  }
  LayerDescription one(const detail::Settings& settings) const {
    LayerDescription result = detail::plain_layer(class_name, settings.name(), read_fields(settings));
    if (is_own()) result.file_entries = {*this};
    return result;
  }
  std::string type_text(const LayerDescription& layer) const {
    if (type) return type(layer);
    std::vector<const Field*> arguments;
    for (const Field& field : fields)
      if (field.place == Field::Place::argument) arguments.push_back(&field);
    while (!is_own() && !arguments.empty() && arguments.back()->is_usual(layer)) arguments.pop_back();
    std::string text = cpp_name.empty() ? class_name : cpp_name;
    for (const Field* const field : arguments)
      text += (field == arguments.front() ? "<" : ", ") + field->text(layer);
    return text + (arguments.empty() ? "" : ">");
  }
  std::string value_text(const LayerDescription& layer) const {
    if (value) return type_text(layer) + value(layer);
    std::string text;
    for (const Field& field : fields) {
      if (field.place != Field::Place::value && field.place != Field::Place::named) continue;
      text += text.empty() ? "" : ", ";
      if (field.place == Field::Place::named) text += "." + field.name + " = ";
      text += field.text(layer);
    }
    return type_text(layer) + "{" + text + "}";
  }
};

}  // namespace digitnet::keras
