// A model's plan as a diagram: a box for each operation, from the input down, and arrows.
#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/inspect/description.hpp"
#include "digitnet/inspect/plan.hpp"
#include "digitnet/report/plots.hpp"

namespace digitnet {

/// An operation of a plan with what the model's description says of its layers.
struct DiagramBox {
  /// More than one where layers were fused
  std::vector<std::string> layers;
  std::string method;
  std::vector<std::size_t> output;
  std::size_t parameters = 0;
  /// Boxes whose results this one gets; the first box is the input
  std::vector<std::size_t> sources{};
};

/// The boxes of a model, the input first.
inline std::vector<DiagramBox> diagram_boxes(const ModelDescription& model,
                                             const std::vector<PlannedOperation>& plan) {
  std::vector<DiagramBox> boxes{{.layers = {"input"}, .method = "", .output = model.input}};
  // Box 0 is the input's.
  std::vector<std::size_t> box_of(model.layers.size() + 1, 0);
  for (const PlannedOperation& operation : plan) {
    DiagramBox box{.layers = {}, .method = operation.method, .output = operation.output};
    for (std::size_t begin = 0; begin < operation.layers.size();) {
      const std::size_t end = std::min(operation.layers.find(" + ", begin), operation.layers.size());
      box.layers.push_back(operation.layers.substr(begin, end - begin));
      begin = end + 3;
    }
    for (std::size_t i = 0; i < model.layers.size(); ++i) {
      if (std::find(box.layers.begin(), box.layers.end(), model.layers[i].name) == box.layers.end()) continue;
      box_of[i + 1] = boxes.size();
      for (const WeightDescription& weight : model.layers[i].weights) box.parameters += weight.size();
    }
    boxes.push_back(std::move(box));
  }
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    DiagramBox& box = boxes[box_of[i + 1]];
    for (const std::size_t source : model.sources(i))
      if (box_of[source] != box_of[i + 1] &&
          std::find(box.sources.begin(), box.sources.end(), box_of[source]) == box.sources.end())
        box.sources.push_back(box_of[source]);
  }
  return boxes;
}

namespace detail {

inline constexpr std::size_t diagram_width = 576, diagram_row = 84, diagram_box = 56;

inline constexpr std::size_t most_letters = 54;

// "residual/: conv2d + batch_normalization"
inline std::string without_repeated_prefix(const std::vector<std::string>& layers) {
  const std::string prefix = layers[0].substr(0, layers[0].rfind('/') + 1);
  std::string text = prefix.empty() ? "" : prefix + ": ";
  for (std::size_t i = 0; i < layers.size(); ++i)
    text += (i ? " + " : "") + (layers[i].starts_with(prefix) ? layers[i].substr(prefix.size()) : layers[i]);
  return text;
}

inline std::string operation_text(const DiagramBox& box) {
  std::string text;
  for (const std::size_t extent : box.output) text += (text.empty() ? "" : "×") + std::to_string(extent);
  if (box.parameters > 0) text += " · " + with_thousands(box.parameters) + " parameters";
  if (!box.method.empty()) text += " · " + box.method;
  if (box.layers.size() > 1) text += " · fused";
  return text;
}

}  // namespace detail

/// The height of the diagram in pixels; its width is 576.
inline std::size_t diagram_height(const std::vector<DiagramBox>& boxes) {
  return boxes.size() * detail::diagram_row;
}

/// The diagram: names of the layers, and shape, parameters and method of each operation. Results that skip
/// boxes go by on the right.
inline std::string diagram_commands(const std::vector<DiagramBox>& boxes, const PlotTheme& theme) {
  using namespace detail;
  constexpr std::size_t left = 20, right = 510;
  const std::string height = std::to_string(diagram_height(boxes));
  std::string commands =
      themed(theme) +
      "unset border\nunset tics\nunset grid\nunset key\nset margins 0, 0, 0, 0\nset xrange [0:" +
      std::to_string(diagram_width) + "]\nset yrange [" + height + ":0]\n";
  const auto at = [](std::size_t x, std::size_t y) { return std::to_string(x) + "," + std::to_string(y); };
  const auto top = [](std::size_t box) { return box * diagram_row + (diagram_row - diagram_box) / 2; };
  const auto line = [&](std::size_t x, std::size_t y, std::size_t to_x, std::size_t to_y, bool head) {
    commands += "set arrow from " + at(x, y) + " to " + at(to_x, to_y) +
                (head ? " filled size 8,20" : " nohead") + " lw 1.5 lc rgb '" + theme.text + "'\n";
  };
  std::size_t object = 0;
  // The box at which the last line of each track ended.
  std::vector<std::size_t> taken;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    const DiagramBox& box = boxes[i];
    const bool fused = box.layers.size() > 1;
    commands += "set object " + std::to_string(++object) + " rectangle from " + at(left, top(i)) + " to " +
                at(right, top(i) + diagram_box) + " fillstyle solid " + (fused ? "0.18" : "0.06") +
                " border lc rgb '" + theme.first + "' fillcolor rgb '" + theme.first + "' lw 1.5\n";
    std::string names;
    for (const std::string& name : box.layers) names += (names.empty() ? "" : " + ") + name;
    // Letters are about eight pixels wide; what several layers share is said once.
    if (names.size() > most_letters) names = without_repeated_prefix(box.layers);
    if (names.size() > most_letters) names = names.substr(0, most_letters - 3) + "...";
    for (const auto& [text, below] :
         {std::pair{names, std::size_t{18}}, {operation_text(box), std::size_t{40}}})
      commands += "set label " + plot_text(text) + " at " + at((left + right) / 2, top(i) + below) +
                  " center noenhanced tc rgb '" + theme.text + "'\n";
    for (const std::size_t source : box.sources) {
      if (source + 1 == i) {
        line((left + right) / 2, top(source) + diagram_box, (left + right) / 2, top(i), true);
      } else if (source < i) {
        // The first track in which nothing else goes by there.
        std::size_t track = 0;
        while (track < taken.size() && taken[track] > source) ++track;
        if (track == taken.size()) taken.push_back(0);
        taken[track] = i;
        const std::size_t x = right + 14 + 12 * track, from = top(source) + diagram_box / 2 + 6,
                          to = top(i) + diagram_box / 2 - 6;
        line(right, from, x, from, false);
        line(x, from, x, to, false);
        line(x, to, right, to, true);
      }
    }
  }
  return commands + "plot NaN notitle\n";
}

}  // namespace digitnet
