// A file of Keras as a C++ header: the model's type, and a function that makes it with the file's parameters.
#pragma once
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "digitnet/core/number_text.hpp"
#include "digitnet/io/cpp_text.hpp"
#include "digitnet/keras/keras.hpp"

namespace digitnet::keras {

/// What is made of a file.
struct ImportedModel {
  std::string header;                 ///< C++ that defines the type NAME and load_NAME()
  std::string source;                 ///< with `embed`: C++ that brings the parameters into the program
  std::vector<std::byte> parameters;  ///< with `embed`: their float32 numbers, in the order of the layers
};

namespace detail {

inline std::string extent_text(const std::vector<std::int64_t>& pair) {
  if (pair[0] == pair[1]) return to_text(pair[0]);
  return "Extent{" + to_text(pair[0]) + ", " + to_text(pair[1]) + "}";
}

// "Conv2D<32, 3>" from arguments of which the last ones may be left out where they are the defaults.
inline std::string with_arguments(const std::string& name, std::vector<std::string> arguments,
                                  const std::vector<std::string>& defaults) {
  while (!arguments.empty() && arguments.back() == defaults[arguments.size() - 1]) arguments.pop_back();
  std::string text;
  for (const std::string& argument : arguments) text += (text.empty() ? "<" : ", ") + argument;
  return name + (text.empty() ? "" : text + ">");
}

// A setting that is a word of an enumeration.
inline std::string word_of(const LayerDescription& layer, const char* name,
                           std::initializer_list<std::string_view> allowed) {
  return cpp::enumerator(layer.attribute<std::string>(name), allowed,
                         "The layer " + cpp::literal(layer.name) + ": its " + name);
}

/// The layer's type.
inline std::string type_text(const LayerDescription& layer) {
  const auto pair = [&](const char* name) {
    return extent_text(layer.attribute<std::vector<std::int64_t>>(name, {1, 1}));
  };
  const auto count = [&](const char* name) { return to_text(layer.attribute<std::int64_t>(name)); };
  const auto padding = [&] { return word_of(layer, "padding", {"valid", "same"}); };
  const std::string bias = layer.attribute<bool>("use_bias") ? "true" : "no_bias";
  if (layer.class_name == "Dense") return with_arguments("Dense", {count("units"), bias}, {"", "true"});
  if (layer.class_name == "Conv2D")
    return with_arguments("Conv2D", {count("filters"), pair("kernel_size"), pair("strides"), padding(), bias},
                          {"", "", "1", "valid", "true"});
  if (layer.class_name == "DepthwiseConv2D")
    return with_arguments("DepthwiseConv2D",
                          {pair("kernel_size"), pair("strides"), padding(), count("depth_multiplier"), bias},
                          {"", "1", "valid", "1", "true"});
  if (layer.class_name == "SeparableConv2D")
    return with_arguments(
        "SeparableConv2D",
        {count("filters"), pair("kernel_size"), pair("strides"), padding(), count("depth_multiplier"), bias},
        {"", "", "1", "valid", "1", "true"});
  if (layer.class_name == "MaxPooling2D" || layer.class_name == "AveragePooling2D")
    return with_arguments(layer.class_name, {pair("pool_size"), pair("strides"), padding()},
                          {"", pair("pool_size"), "valid"});
  if (layer.class_name == "ZeroPadding2D") return "ZeroPadding2D<" + pair("padding") + ">";
  if (layer.class_name == "Reshape") {
    std::string text = shape_text(layer.output);
    return "Reshape<" + text.substr(1, text.size() - 2) + ">";
  }
  if (layer.class_name == "BatchNormalization" || layer.class_name == "LayerNormalization") {
    const bool center = layer.attribute<bool>("center"), scale = layer.attribute<bool>("scale");
    if (center && scale) return layer.class_name;
    return "Basic" + layer.class_name + "<" + (center ? "true, " : "false, ") + (scale ? "true>" : "false>");
  }
  if (!cpp::is_identifier(layer.class_name)) fail("There is no layer " + cpp::literal(layer.class_name));
  return layer.class_name;
}

/// The layer's value, with the numbers that are no part of its type.
inline std::string value_text(const LayerDescription& layer) {
  const auto number = [&](const char* name) {
    return cpp::float_literal(layer.attribute<double>(name),
                              "The layer " + cpp::literal(layer.name) + ": its " + name);
  };
  const std::string type = type_text(layer);
  const auto fill = [&] {
    return "FillMode::" + word_of(layer, "fill_mode", {"constant", "nearest", "reflect", "wrap"});
  };
  if (layer.class_name == "SpatialDropout2D") return type + "{" + number("rate") + "}";
  if (layer.class_name == "GaussianNoise") return type + "{" + number("stddev") + "}";
  if (layer.class_name == "LayerNormalization") return type + "{.epsilon = " + number("epsilon") + "}";
  if (layer.class_name == "RandomFlip")
    return type +
           "{FlipMode::" + word_of(layer, "mode", {"horizontal", "vertical", "horizontal_and_vertical"}) +
           "}";
  if (layer.class_name == "RandomRotation") return type + "{" + number("factor") + ", " + fill() + "}";
  if (layer.class_name == "RandomZoom") return type + "{" + number("height_factor") + ", " + fill() + "}";
  if (layer.class_name == "RandomTranslation")
    return type + "{" + number("height_factor") + ", " + number("width_factor") + ", " + fill() + "}";
  if (layer.class_name == "Dropout") return type + "{" + number("rate") + "}";
  if (layer.class_name == "BatchNormalization")
    return type + "{.momentum = " + number("momentum") + ", .epsilon = " + number("epsilon") + "}";
  if (layer.class_name == "LeakyReLU") return type + "{.negative_slope = " + number("negative_slope") + "}";
  if (layer.class_name == "ELU") return type + "{.alpha = " + number("alpha") + "}";
  if (layer.class_name == "GELU")
    return type + "{.approximate = " + (layer.attribute<bool>("approximate") ? "true}" : "false}");
  if (layer.class_name == "Rescaling")
    return type + "{.scale = " + number("scale") + ", .offset = " + number("offset") + "}";
  return type + "{}";
}

/// Writes layers as types and values: those that follow each other, and those side by side as Residual and
/// Parallel.
class TypeWriter {
 public:
  struct Text {
    std::vector<std::string> types, values;
  };

  explicit TypeWriter(const ModelDescription& model)
      : model_(model), dominators_(model.layers.size() + 1), written_(model.layers.size()) {
    // What every way from the input leads through last before a layer; a layer comes after its sources.
    for (std::size_t i = 1; i <= model.layers.size(); ++i) {
      const std::vector<std::size_t> sources = model.sources(i - 1);
      std::size_t common = sources.front();
      for (std::size_t other : sources)
        while (common != other) (common > other ? common : other) = dominators_[std::max(common, other)];
      dominators_[i] = common;
    }
  }

  /// The layers from the result `from` to the result `to`; see LayerDescription's sources.
  Text between(std::size_t from, std::size_t to) {
    std::vector<std::size_t> way;
    for (; to != from; to = dominators_[to]) way.push_back(to);
    Text text;
    for (auto result = way.rbegin(); result != way.rend(); ++result) {
      const LayerDescription& layer = model_.layers[*result - 1];
      // Before its sources are written again: there may be twice as many ways with every layer.
      if (written_[*result - 1]) {
        problems_.layer(layer.name, "several branches share it in a way that Parallel cannot say");
        continue;
      }
      if (model_.sources(*result - 1).size() > 1) {
        add_merged(text, *result);
      } else {
        text.types.push_back(type_text(layer));
        text.values.push_back(value_text(layer));
      }
      written_[*result - 1] = true;
      order_.push_back(*result - 1);
    }
    return text;
  }
  /// Layers that types cannot say.
  const Problems& problems() const { return problems_; }
  /// The layers as they were written, by their numbers.
  const std::vector<std::size_t>& order() const { return order_; }

 private:
  static std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
    return text;
  }
  void add_merged(Text& text, std::size_t result) {
    const LayerDescription& layer = model_.layers[result - 1];
    std::vector<std::size_t> sources = model_.sources(result - 1);
    // What scales each channel is the second factor here.
    const auto shape_of = [&](std::size_t source) {
      return source == 0 ? model_.input : model_.layers[source - 1].output;
    };
    if (layer.class_name == "Multiply" && shape_of(sources[0]) != layer.output)
      std::swap(sources[0], sources[1]);
    // Where one of two ends of a sum is the fork itself, the other one's layers are a Residual's.
    const std::size_t fork = dominators_[result];
    const bool residual =
        layer.class_name == "Add" && sources.size() == 2 && (sources[0] == fork) != (sources[1] == fork);
    std::vector<std::string> types{layer.class_name}, values;
    if (++depth_ > 50)
      fail("The layer \"" + layer.name + "\" cannot be read: it lies in more than 50 branches");
    for (const std::size_t source : sources) {
      const Text branch = between(fork, source);
      if (residual && source != fork) {
        text.types.push_back("Residual<" + joined(branch.types) + ">");
        text.values.push_back(text.types.back() + "{" + joined(branch.values) + "}");
      }
      const std::string sequence = "Sequential<" + joined(branch.types) + ">";
      const bool single = branch.types.size() == 1;
      types.push_back(branch.types.empty() ? "Identity" : single ? branch.types.front() : sequence);
      values.push_back(branch.types.empty() ? "Identity{}"
                       : single             ? branch.values.front()
                                            : sequence + "{" + joined(branch.values) + "}");
    }
    --depth_;
    if (residual) return;
    text.types.push_back("Parallel<" + joined(types) + ">");
    text.values.push_back(text.types.back() + "{" + joined(values) + "}");
  }

  const ModelDescription& model_;
  std::vector<std::size_t> dominators_;
  std::vector<bool> written_;
  std::vector<std::size_t> order_;
  int depth_ = 0;
  Problems problems_;
};

// How a file's arrays differ from those that its own configuration needs.
[[gnu::cold]] inline std::vector<std::string> array_differences(const ModelDescription& model,
                                                                const FileArrays& arrays) {
  std::vector<std::string> differences;
  for (std::size_t i = 0; i < model.layers.size(); ++i)
    compare_weights(model.layers[i], arrays.of_layers[i], differences);
  for (const FileArray& array : arrays.others)
    differences.push_back("the file has " + array.place + " " + shape_text(array.info.shape) +
                          ", the model has nothing for it");
  return differences;
}
[[gnu::cold]] inline void fail_of_arrays(const std::string& path,
                                         const std::vector<std::string>& differences) {
  if (differences.empty()) return;
  std::string text = path + ": its arrays are not those of its model:";
  for (const std::string& difference : differences) text += "\n  " + difference;
  fail(text);
}

}  // namespace detail

/// Throws an Error if writing one of `outputs` would overwrite the model's file or another output.
[[gnu::cold]] inline void check_outputs(const std::string& model, const std::vector<std::string>& outputs) {
  namespace fs = std::filesystem;
  const auto same = [](const std::string& a, const std::string& b) {
    std::error_code none;
    return fs::weakly_canonical(a, none) == fs::weakly_canonical(b, none) || fs::equivalent(a, b, none);
  };
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (same(outputs[i], model)) fail(outputs[i] + " is the model itself: give the output another name");
    for (std::size_t other = 0; other < i; ++other)
      if (same(outputs[i], outputs[other]))
        fail("Two outputs would be the file " + outputs[i] +
             ": give the header a name that ends neither with .cpp nor with .bin, such as model.hpp");
  }
}

/// Makes a header of a whole model's file. `name` is the type's ("Cnn"); the function that makes the model is
/// load_cnn, which reads `path` (or the path that it is given) or, with `embed`, takes the parameters from
/// the program itself: `parameters` must then lie in the file `blob` when `source` is compiled (g++ or
/// clang++). Throws an Error for files of weights alone, and for layers that do not exist here, by name.
[[gnu::cold]] inline ImportedModel import_model(const std::string& path, const std::string& name, bool embed,
                                                const std::string& blob = "") {
  if (!cpp::is_identifier(name))
    fail(cpp::literal(name) +
         " is no name of a C++ type: give one of letters, digits and _ that begins with a letter and is "
         "neither reserved nor a keyword");
  const OpenFile file = open_file(path);
  if (!file.model)
    fail(path +
         " holds weights alone, so the model's type is not known: import a whole model (.keras, or .h5 of "
         "model.save)");
  const FileModel& model = *file.model;
  const ModelDescription description = model.description();
  detail::TypeWriter writer(description);
  const detail::TypeWriter::Text text = writer.between(0, description.layers.size());
  writer.problems().fail_if_any();
  std::string snake = snake_case(name);
  // Two underscores are the compiler's.
  for (std::size_t at; (at = snake.find("__")) != std::string::npos;) snake.erase(at, 1);
  std::string type = "Sequential<Input<", values = "Input<";
  std::string input = shape_text(model.input);
  input = input.substr(1, input.size() - 2);
  type += input + ">";
  values += input + ">{}";
  std::size_t count = 0;
  const FileArrays arrays = file.arrays(model);
  std::vector<std::string> differences = detail::array_differences(description, arrays);
  detail::fail_of_arrays(path, differences);
  ImportedModel result;
  for (const std::string& part : text.types) type += ",\n                       " + part;
  for (const std::string& part : text.values) values += ",\n             " + part;
  for (const std::size_t i : writer.order()) {
    const LayerDescription& layer = description.layers[i];
    for (std::size_t w = 0; w < layer.weights.size(); ++w) {
      count += layer.weights[w].size();
      const std::vector<float> numbers = arrays.of_layers[i][w].read();
      digitnet::detail::add_non_finite(layer.name + "/" + layer.weights[w].name, layer.weights[w].shape,
                                       numbers, differences);
      if (!embed) continue;
      const auto* const bytes = reinterpret_cast<const std::byte*>(numbers.data());
      result.parameters.insert(result.parameters.end(), bytes, bytes + numbers.size() * sizeof(float));
    }
  }
  detail::fail_of_arrays(path, differences);
  const std::string base = cpp::literal(path.substr(path.rfind('/') + 1));
  result.header =
      "// Made by import_keras from " + base + ": " + to_text(count) + " parameters.\n#pragma once\n" +
      (embed ? "" : "#include <string>\n\n") + "#include <digitnet/digitnet.hpp>\n" +
      (embed ? "" : "#include <digitnet/keras/keras.hpp>\n") + "\nnamespace digitnet::imported_" + snake +
      " {\n\nusing Model = " + type + ">;\nstatic_assert(Model::parameter_count == " + to_text(count) +
      ");\n\n/// With initial parameters.\ninline Model make() {\n  return Model{Seed{},\n             " +
      values + "};\n}\n\n}  // namespace digitnet::imported_" + snake + "\n\nusing " + name +
      " = digitnet::imported_" + snake + "::Model;\n\n";
  if (embed) {
    const std::string symbol = "digitnet_imported_" + snake + "_parameters";
    result.header +=
        "extern \"C\" const float " + symbol +
        "[];\n\n/// The model with its trained parameters, which are part of the program.\ninline " + name +
        " load_" + snake + "() {\n  auto model = digitnet::imported_" + snake +
        "::make();\n  const float* from = " + symbol +
        ";\n  model.for_each_parameter([&](const digitnet::ParameterInfo& info) {\n    std::copy_n(from, "
        "info.size(), model.parameters().data() + info.offset);\n    from += info.size();\n  });\n  return "
        "model;\n}\n";
    result.source =
        "// Made by import_keras from " + base +
        ": its parameters, as part of the program.\nasm(\".pushsection .rodata\\n\"\n    \".global " +
        symbol + "\\n\"\n    \".balign 64\\n\"\n    \"" + symbol + ":\\n\"\n    " +
        cpp::literal(".incbin " + cpp::assembler_literal(blob)) + " \"\\n\"\n    \".popsection\\n\");\n";
  } else {
    result.header += "/// The model with the parameters of a file.\ninline " + name + " load_" + snake +
                     "(const std::string& path = " + cpp::literal(path) +
                     ") {\n  auto model = digitnet::imported_" + snake +
                     "::make();\n  digitnet::load_keras(model, path);\n  return model;\n}\n";
  }
  return result;
}

}  // namespace digitnet::keras
