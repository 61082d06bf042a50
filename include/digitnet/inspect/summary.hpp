// model.summary(): the table of layers, output shapes and parameters that Keras 3 prints.
#pragma once
#include <string>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/model/sequential.hpp"

namespace digitnet {

/// One line of a summary.
struct LayerSummary {
  std::string name;
  std::string class_name;
  std::vector<std::size_t> output;
  std::size_t parameters;
};

/// Keras 3's table: layers with their output shapes and parameters, and the totals.
DIGITNET_INLINE std::string summary_table(const std::string& model_name,
                                          const std::vector<LayerSummary>& layers, std::size_t trainable,
                                          std::size_t non_trainable);

/// The table of a model; see Sequential::summary.
template <std::size_t... Extents, class... Layers>
std::string summary_of(const Sequential<Input<Extents...>, Layers...>&, const std::string& model_name) {
  using Model = Sequential<Input<Extents...>, Layers...>;
  std::vector<LayerSummary> rows;
  detail::LayerNames names;
  const auto add = [&]<class Step>(std::type_identity<Step>) {
    rows.push_back(
        {.name = names.next(Step::Layer::class_name),
         .class_name = std::string(Step::Layer::class_name),
         .output = {Step::Output::extents.begin(), Step::Output::extents.end()},
         .parameters = Step::Layer::template On<typename Step::Input>::Parameters::parameter_count});
  };
  [&]<class... Steps>(TypeList<Steps...>) {
    (add(std::type_identity<Steps>{}), ...);
  }(typename detail::Lowered<typename Model::Body, typename Model::InputShape>::Steps{});
  return summary_table(model_name, rows, Model::trainable_count,
                       Model::parameter_count - Model::trainable_count);
}

}  // namespace digitnet

#if DIGITNET_BODIES
#include <algorithm>
#include <cstdio>

namespace digitnet {

namespace detail {

inline std::string with_thousands(std::size_t number) {
  const std::string digits = std::to_string(number);
  std::string result;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) result += ',';
    result += digits[i];
  }
  return result;
}

inline std::string memory_text(std::size_t bytes) {
  static constexpr const char* units[] = {"B", "KB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit < 4; ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %s", value, units[unit]);
  return text;
}

inline std::string repeated(const char* piece, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) result += piece;
  return result;
}

inline std::string counted(const char* what, std::size_t parameters) {
  return std::string(" ") + what + ": " + with_thousands(parameters) + " (" +
         memory_text(parameters * sizeof(float)) + ")\n";
}

}  // namespace detail

DIGITNET_INLINE std::string summary_table(const std::string& model_name,
                                          const std::vector<LayerSummary>& layers, std::size_t trainable,
                                          std::size_t non_trainable) {
  struct Row {
    std::string cells[3];
  };
  std::vector<Row> rows;
  for (const LayerSummary& layer : layers) {
    std::string shape = "(None";
    for (const std::size_t extent : layer.output) shape += ", " + std::to_string(extent);
    rows.push_back({{layer.name + " (" + layer.class_name + ")", shape + ")",
                     detail::with_thousands(layer.parameters)}});
  }
  // Keras' own, unless a cell is wider.
  std::size_t widths[3] = {31, 22, 13};
  for (const Row& row : rows)
    for (int column = 0; column < 3; ++column)
      widths[column] = std::max(widths[column], row.cells[column].size());

  const auto line = [&](const char* left, const char* dash, const char* cross, const char* right) {
    return left + detail::repeated(dash, widths[0] + 2) + cross + detail::repeated(dash, widths[1] + 2) +
           cross + detail::repeated(dash, widths[2] + 2) + right + "\n";
  };
  const auto cells = [&](const char* edge, const std::string(&texts)[3]) {
    const auto blank = [](std::size_t count) { return std::string(count, ' '); };
    std::string result;
    for (int column = 0; column < 3; ++column) {
      const std::string space = blank(widths[column] - texts[column].size());
      result += std::string(edge) + " " + (column == 2 ? space + texts[column] : texts[column] + space) + " ";
    }
    return result + edge + "\n";
  };
  std::string table = "Model: \"" + model_name + "\"\n";
  table += line("┏", "━", "┳", "┓");
  table += cells("┃", {"Layer (type)", "Output Shape", "Param #"});
  table += line("┡", "━", "╇", "┩");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0) table += line("├", "─", "┼", "┤");
    table += cells("│", rows[i].cells);
  }
  table += line("└", "─", "┴", "┘");
  return table + detail::counted("Total params", trainable + non_trainable) +
         detail::counted("Trainable params", trainable) +
         detail::counted("Non-trainable params", non_trainable);
}

}  // namespace digitnet
#endif
