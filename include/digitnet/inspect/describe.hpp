// describe(model): a typed model as data, by the settings that its layers declare, and what formats know of
// layers of a user's own.
#pragma once
#include <array>
#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "digitnet/core/shape.hpp"
#include "digitnet/inspect/description.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

namespace detail {

// Code is made for each kind of value, not for each layer.
[[gnu::cold, gnu::noinline]] inline void add_setting(Attributes& to, std::string_view name,
                                                     Attribute::Value value) {
  to.push_back({std::string(name), std::move(value)});
}
template <class T>
[[gnu::cold, gnu::noinline]] void add_setting(Attributes& to, std::string_view name, const T& value) {
  const auto whole = [](auto number) { return static_cast<std::int64_t>(number); };
  if constexpr (std::same_as<T, bool>)
    add_setting(to, name, Attribute::Value(value));
  else if constexpr (std::integral<T>)
    add_setting(to, name, Attribute::Value(whole(value)));
  else if constexpr (std::floating_point<T>)
    add_setting(to, name, Attribute::Value(static_cast<double>(value)));
  else if constexpr (std::same_as<T, Extent>)
    add_setting(to, name, Attribute::Value(std::vector{whole(value.height), whole(value.width)}));
  else if constexpr (requires { setting_word(value); })
    add_setting(to, name, Attribute::Value(std::string(setting_word(value))));
  else if constexpr (std::convertible_to<T, std::string>)
    add_setting(to, name, Attribute::Value(std::string(value)));
  else
    add_setting(to, name, Attribute::Value(std::vector<std::int64_t>(value.begin(), value.end())));
}

// "PReLU" or "Scale<3>", with what the compiler says around it.
template <class Layer>
constexpr bool is_of_template() {
  const std::string_view name = __PRETTY_FUNCTION__;
  return name.ends_with(">]");
}
// Whether a layer has members beside the initializers and regularizers of its parameters.
template <class P>
inline constexpr std::size_t bytes_of_rules =
    sizeof(Initializer) +
    (std::is_null_pointer_v<std::remove_const_t<decltype(P::regularizer)>> ? 0 : sizeof(Regularizer));
template <class Layer, class... P>
constexpr bool has_members(ParameterList<P...>) {
  return !std::is_empty_v<Layer> && sizeof(Layer) > (std::size_t{0} + ... + bytes_of_rules<P>);
}

// Adds layers and their weights to a description.
class Describer {
 public:
  [[gnu::cold]] explicit Describer(std::span<const std::size_t> input) {
    result.input.assign(input.begin(), input.end());
  }
  [[gnu::cold, gnu::noinline]] void add_layer(std::string_view class_name, const std::string& name,
                                              std::optional<Attributes> settings,
                                              std::span<const std::size_t> input,
                                              std::span<const std::size_t> output) {
    const bool after_last = now_ == result.layers.size();
    result.layers.push_back(
        {.class_name = std::string(class_name),
         .name = name,
         .attributes = settings ? std::move(*settings) : Attributes{},
         .input = {input.begin(), input.end()},
         .output = {output.begin(), output.end()},
         .weights = {},
         .sources = after_last ? std::vector<std::size_t>{} : std::vector<std::size_t>{now_},
         .says_settings = settings.has_value()});
    now_ = result.layers.size();
  }
  [[gnu::cold, gnu::noinline]] void add_weight(std::string_view name, std::span<const std::size_t> shape,
                                               bool trainable, std::size_t offset,
                                               const Regularizer& regularizer) {
    result.layers.back().weights.push_back(
        {std::string(name), {shape.begin(), shape.end()}, trainable, offset, regularizer});
  }
  // Where branches part and meet.
  std::size_t now() const { return now_; }
  void go_to(std::size_t source) { now_ = source; }
  [[gnu::cold, gnu::noinline]] void merge(std::string_view class_name, const std::string& name,
                                          std::span<const std::size_t> ends,
                                          std::span<const std::size_t> input,
                                          std::span<const std::size_t> output) {
    add_layer(class_name, name, Attributes{}, input, output);
    result.layers.back().sources.assign(ends.begin(), ends.end());
  }
  ModelDescription result{};

 private:
  std::size_t now_ = 0;  // the source of the next layer
};

// Walks through a model's layers.
struct DescribingVisitor {
  Describer& describer;

  template <class Step>
  void operator()(std::type_identity<Step>, const auto& layer, const std::string& name,
                  std::size_t first) const;
  std::size_t fork() const { return describer.now(); }
  void branch(std::size_t source) const { describer.go_to(source); }
  template <std::size_t N>
  void merge(std::string_view class_name, const std::string& name, const std::array<std::size_t, N>& ends,
             std::span<const std::size_t> input, std::span<const std::size_t> output) const {
    describer.merge(class_name, name, ends, input, output);
  }
};

}  // namespace detail

/// What decides a layer's mathematics: what an overload `attributes_of(layer)` in its own namespace says, or
/// else its `settings`. Of a layer that says nothing, and may have something to say, nothing is known.
template <class Layer, class Parameters>
[[gnu::cold]] std::optional<Attributes> settings_of_layer(const Layer& layer, Parameters) {
  Attributes result;
  if constexpr (requires { attributes_of(layer); })
    result = attributes_of(layer);
  else if constexpr (requires { Layer::settings; })
    std::apply([&](const auto&... of) { (detail::add_setting(result, of.name, of.of(layer)), ...); },
               Layer::settings);
  else if (detail::is_of_template<Layer>() || detail::has_members<Layer>(Parameters{}))
    return std::nullopt;
  return result;
}

template <class Step>
void detail::DescribingVisitor::operator()(std::type_identity<Step>, const auto& layer,
                                           const std::string& name, std::size_t first) const {
  describer.add_layer(Step::Layer::class_name, name,
                      settings_of_layer(layer, typename Step::On::Parameters{}), Step::Input::extents,
                      Step::Output::extents);
  if constexpr (requires { file_entries(layer); })
    describer.result.layers.back().file_entries = file_entries(layer);
  Step::On::Parameters::for_each([&]<class P>(std::size_t offset) {
    describer.add_weight(P::name.view(), P::Shape::extents, P::trainable, first + offset,
                         regularizer_of<P>(layer));
  });
}

/// The model's layers as data.
template <class Model>
[[gnu::cold, gnu::noinline]] ModelDescription describe(const Model& model) {
  detail::Describer describer(Model::InputShape::extents);
  Model::On::for_each_layer(model.body(), "", 0, detail::DescribingVisitor{describer});
  return std::move(describer.result);
}

}  // namespace digitnet
