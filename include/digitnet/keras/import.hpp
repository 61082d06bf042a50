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
  /// C++ that defines the type NAME and load_NAME()
  std::string header;
  /// With `embed`: C++ that brings the parameters into the program
  std::string source;
  /// With `embed`: the float32 numbers of the parameters, in the order of the layers
  std::vector<std::byte> parameters;
};

namespace detail {

/// The entry that says a layer's type and value.
inline const LayerEntry& entry_of(const LayerDescription& layer) {
  const LayerEntry* const entry = Registry::find(layer);
  if (!entry) fail("There is no layer " + cpp::literal(layer.class_name));
  return *entry;
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
        const LayerEntry& entry = entry_of(layer);
        text.types.push_back(entry.type_text(layer));
        text.values.push_back(entry.value_text(layer));
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
    if (shape_of(sources[0]) != layer.output && shape_of(sources.back()) == layer.output)
      std::swap(sources.front(), sources.back());
    // Where one of two ends of a sum is the fork itself, the other one's layers are a Residual's.
    const std::size_t fork = dominators_[result];
    const MergeRule& rule = entry_of(layer).merge.value();
    const bool residual = rule.is_sum && sources.size() == 2 && (sources[0] == fork) != (sources[1] == fork);
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
inline std::vector<std::string> array_differences(const ModelDescription& model, const FileArrays& arrays) {
  std::vector<std::string> differences;
  for (std::size_t i = 0; i < model.layers.size(); ++i)
    compare_weights(model.layers[i], arrays.of_layers[i], differences);
  for (const FileArray& array : arrays.others)
    differences.push_back("the file has " + array.place + " " + shape_text(array.info.shape) +
                          ", the model has nothing for it");
  return differences;
}
inline void fail_of_arrays(const std::string& path, const std::vector<std::string>& differences) {
  if (differences.empty()) return;
  std::string text = path + ": its arrays are not those of its model:";
  for (const std::string& difference : differences) text += "\n  " + difference;
  fail(text);
}

}  // namespace detail

/// Throws an Error if writing one of `outputs` would overwrite the model's file or another output.
inline void check_outputs(const std::string& model, const std::vector<std::string>& outputs) {
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
/// clang++). `registry` has the entries of layers of one's own. Throws an Error for files of weights alone,
/// and for layers that do not exist here, by name.
inline ImportedModel import_model(const std::string& path, const std::string& name, bool embed,
                                  const std::string& blob = "", const Registry& registry = {}) {
  if (!cpp::is_identifier(name))
    fail(cpp::literal(name) +
         " is no name of a C++ type: give one of letters, digits and _ that begins with a letter and is "
         "neither reserved nor a keyword");
  const OpenFile file = open_file(path, registry);
  if (!file.model)
    fail(path +
         " holds weights alone, so the model's type is not known: import a whole model (.keras, or .h5 of "
         "model.save)");
  const FileModel& model = *file.model;
  ModelDescription description = model.description();
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
  std::string own_headers;
  const FileArrays arrays = file.arrays(model);
  for (std::size_t i = 0; i < model.layers.size(); ++i)
    if (model.layers[i].weights_are_arrays)
      for (const FileArray& array : arrays.of_layers[i])
        description.layers[i].weights.push_back({detail::ArrayName(array.place).last, array.info.shape});
  std::vector<std::string> differences = detail::array_differences(description, arrays);
  detail::fail_of_arrays(path, differences);
  ImportedModel result;
  for (const std::string& part : text.types) type += ",\n                       " + part;
  for (const std::string& part : text.values) values += ",\n             " + part;
  for (const std::size_t i : writer.order()) {
    const LayerDescription& layer = description.layers[i];
    const std::string& header = detail::entry_of(layer).header;
    const std::string include = "#include " + cpp::literal(header) + "\n";
    if (!header.empty() && own_headers.find(include) == std::string::npos) own_headers += include;
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
      (embed ? "" : "#include <digitnet/keras/keras.hpp>\n") + own_headers +
      "\nnamespace digitnet::imported_" + snake + " {\n\nusing Model = " + type +
      ">;\nstatic_assert(Model::parameter_count == " + to_text(count) +
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
