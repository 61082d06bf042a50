// Quantized models as safetensors files, about a quarter as large as those in float32.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/io/differences.hpp"
#include "digitnet/io/safetensors.hpp"
#include "digitnet/model/quantized.hpp"

namespace digitnet {

namespace detail {

inline namespace DIGITNET_PROCESSOR {

/// What a file of a quantized model has: of a product on bytes "conv2d/kernel" (I8, the kernel's shape),
/// "conv2d/kernel_scale" (F32, by output channel) and "conv2d/bias" (I32, in steps of the input's scale times
/// the kernel's), with the normalization after it folded in; of other layers their parameters (F32). Beside
/// them "scales" (F32) and "zero_points" (U8) of the input and of each layer's result, in order.
struct QuantizedFile {
  static constexpr const char* format = "digitnet int8";

  const Int8Graph& graph;
  std::vector<std::string> names;
  std::vector<ParameterInfo> parameters;

  /// Calls visit(step, info) for each parameter of a step, and visit of the others' steps without any.
  template <class Visit>
  void for_each_parameter(const Int8Step& step, const Visit& visit) const {
    const std::size_t begin = graph.facts.outline.nodes[step.node].parameters,
                      end = begin + graph.facts.nodes[step.node]->parameters;
    for (const ParameterInfo& info : parameters)
      if (info.offset >= begin && info.offset < end) visit(info, info.offset - begin);
  }

  void save(const Int8Numbers& numbers, const std::string& path) const {
    Safetensors file;
    file.metadata["format"] = format;
    std::string& in_float = file.metadata["in_float"];
    for (std::size_t i = 0; i < names.size(); ++i)
      if (numbers.in_float[i]) in_float += (in_float.empty() ? "" : ",") + names[i];
    std::vector<float> scales;
    std::vector<std::uint8_t> zeros;
    for (const kernels::ByteScale& scale : numbers.scales) {
      scales.push_back(scale.scale);
      zeros.push_back(scale.zero);
    }
    file.add({"scales", {scales.size()}, scales});
    const auto bytes = [](const auto& values) { return std::as_bytes(std::span(values)); };
    for (const Int8Step& step : steps_of(graph, numbers.in_float).steps) {
      const std::string& name = names[step.node];
      const Int8Weights& weights = numbers.weights[step.node];
      if (step.is_product()) {
        file.add({name + "/kernel_scale", {weights.scales.size()}, weights.scales});
        file.add_other({name + "/bias", "I32", {weights.bias.size()}, bytes(weights.bias)});
      }
      for_each_parameter(step, [&](const ParameterInfo& info, std::size_t offset) {
        const std::vector<std::size_t> shape(info.extents.begin(), info.extents.end());
        if (!step.is_product())
          file.add({info.name, shape, numbers.parameters[step.node].span().subspan(offset, info.size())});
        else if (offset == 0)
          file.add_other({info.name, "I8", shape, bytes(weights.kernel)});
      });
    }
    // Last: what has one byte a number may lie anywhere.
    file.add_other({"zero_points", "U8", {zeros.size()}, bytes(zeros)});
    file.write(path);
  }

  Int8Numbers load(const std::string& path) const {
    const Safetensors file = Safetensors::read(path);
    const auto said = file.metadata.find("format");
    if (said == file.metadata.end() || said->second != format)
      fail(path + " is no file of a quantized model: it does not say \"format\": \"" + format +
           "\"; save a model that quantize() gave, or read the file with load_safetensors");
    std::vector<std::string> differences;
    std::set<std::string> wanted;
    const auto values_of = [&](const std::string& name, const std::vector<std::size_t>& shape) {
      wanted.insert(name);
      const NamedTensor* const found = file.find(name);
      if (found && found->shape == shape) {
        add_non_finite(name, shape, found->values, differences);
        return found->values;
      }
      differences.push_back(difference(file, name, "F32", shape));
      return std::span<const float>{};
    };
    const auto bytes_of = [&](const std::string& name, const std::string& type,
                              const std::vector<std::size_t>& shape) {
      wanted.insert(name);
      for (const OtherTensor& tensor : file.others())
        if (tensor.name == name && tensor.type == type && tensor.shape == shape) return tensor.bytes;
      differences.push_back(difference(file, name, type, shape));
      return std::span<const std::byte>{};
    };

    Int8Numbers result;
    result.in_float = nodes_in_float(file);
    result.weights.resize(graph.size());
    result.parameters.resize(graph.size());
    const std::size_t values = graph.size() + 1;
    const auto scales = values_of("scales", {values});
    const auto zeros = bytes_of("zero_points", "U8", {values});
    for (std::size_t i = 0; i < values && !scales.empty() && !zeros.empty(); ++i) {
      add_wrong_scale("scales", scales[i], differences);
      result.scales.push_back({scales[i], std::to_integer<std::uint8_t>(zeros[i])});
    }
    for (const Int8Step& step : steps_of(graph, result.in_float).steps) {
      const std::string& name = names[step.node];
      Int8Weights& weights = result.weights[step.node];
      if (step.is_product()) {
        const std::size_t outputs = graph.forms[step.node].outputs;
        const auto found = values_of(name + "/kernel_scale", {outputs});
        for (const float scale : found) add_wrong_scale(name + "/kernel_scale", scale, differences);
        weights.scales.assign(found.begin(), found.end());
        copy(bytes_of(name + "/bias", "I32", {outputs}), weights.bias);
        for (const std::int32_t bias : weights.bias)
          if (bias > 1 << 30 || bias < -(1 << 30))
            differences.push_back(name + "/bias has a number beyond 2^30, above which sums would not fit");
      }
      for_each_parameter(step, [&](const ParameterInfo& info, std::size_t offset) {
        const std::vector<std::size_t> shape(info.extents.begin(), info.extents.end());
        if (step.is_product()) {
          if (offset == 0) copy(bytes_of(info.name, "I8", shape), weights.kernel);
          return;
        }
        Arena<float>& to = result.parameters[step.node];
        if (to.size() == 0) to = Arena<float>(graph.facts.nodes[step.node]->parameters);
        const auto found = values_of(info.name, shape);
        std::copy(found.begin(), found.end(), to.data() + offset);
      });
    }
    for (const NamedTensor& tensor : file.tensors())
      if (!wanted.contains(tensor.name))
        differences.push_back("the file has " + tensor.name + ", the model has not");
    for (const OtherTensor& tensor : file.others())
      if (!wanted.contains(tensor.name))
        differences.push_back("the file has " + tensor.name + ", the model has not");
    fail_of_differences(path, differences);
    return result;
  }

 private:
  static std::string difference(const Safetensors& file, const std::string& name, const std::string& type,
                                const std::vector<std::size_t>& shape) {
    std::string found;
    if (const NamedTensor* const floats = file.find(name))
      found = "F32 " + digitnet::shape_text(floats->shape);
    for (const OtherTensor& tensor : file.others())
      if (tensor.name == name) found = tensor.type + " " + digitnet::shape_text(tensor.shape);
    const std::string needed = type + " " + digitnet::shape_text(shape);
    return found.empty() ? "the model has " + name + " " + needed + ", the file does not"
                         : name + " is " + needed + " in the model, " + found + " in the file";
  }
  static void add_wrong_scale(const std::string& name, float scale, std::vector<std::string>& differences) {
    if (!(scale >= 1e-12f && scale <= 1e12f))
      differences.push_back(name + " has " + to_text(scale) +
                            ", which is no scale: scales are from 1e-12 to 1e12");
  }
  template <class T>
  static void copy(std::span<const std::byte> from, std::vector<T>& to) {
    to.resize(from.size() / sizeof(T));
    if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
  }
  std::vector<char> nodes_in_float(const Safetensors& file) const {
    std::vector<char> result(names.size(), false);
    const auto found = file.metadata.find("in_float");
    const std::string list = "," + (found == file.metadata.end() ? "" : found->second) + ",";
    for (std::size_t i = 0; i < names.size(); ++i)
      result[i] = list.find("," + names[i] + ",") != std::string::npos;
    return result;
  }
};

}  // namespace DIGITNET_PROCESSOR

template <class Model>
QuantizedFile quantized_file(const Int8Graph& graph, const typename Model::Body& body) {
  return {graph, names_of(graph.facts.outline), parameters_of<typename Model::InputShape>(body)};
}

}  // namespace detail

/// Writes a quantized model: whole or not at all, with a checksum.
template <class Model>
void save_safetensors(const Quantized<Model>& model, const std::string& path) {
  const detail::Int8Graph graph = model.graph();
  detail::quantized_file<Model>(graph, model.body()).save(model.numbers(), path);
}

/// Reads a quantized model. Layers with settings that are no part of the type come with `body`, as that of
/// the model that was quantized. Throws an Error that lists every difference between the file and the model.
template <class Model>
Quantized<Model> load_quantized(const std::string& path, typename Model::Body body = {}) {
  const detail::Int8Graph graph = Quantized<Model>::graph();
  detail::Int8Numbers numbers = detail::quantized_file<Model>(graph, body).load(path);
  return {std::move(body), std::move(numbers)};
}

}  // namespace digitnet
