// report::write: a folder that a person opens after a training. Needs libpng (CMake target digitnet::report);
// gnuplot draws the plots where it is installed.
#pragma once
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "digitnet/core/atomic_file.hpp"
#include "digitnet/report/content.hpp"
#include "digitnet/report/first_layer.hpp"
#include "digitnet/report/model_card.hpp"
#include "digitnet/report/page.hpp"
#include "digitnet/report/pictures.hpp"
#include "digitnet/report/plan_diagram.hpp"
#include "digitnet/report/plots.hpp"
#include "digitnet/report/png.hpp"

namespace digitnet::report {

/// What `write` left in its folder.
struct Written {
  /// Names of the files that were written
  std::vector<std::string> files{};
  /// What could not be drawn, and the cure, as sentences
  std::vector<std::string> missing{};
};

/// Makes a folder, if it is not there.
inline void make_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail("The folder " + folder + " cannot be made: " + error.message());
}

namespace detail {

inline std::vector<Plot> plots_of(const Content& content, const Answers& answers,
                                  const std::vector<DiagramBox>& boxes) {
  std::vector<Plot> plots;
  if (!content.history.epochs.empty())
    plots.push_back({"curves", 480, 640,
                     [&](const PlotTheme& theme) { return curves_commands(content.history, theme); }});
  plots.push_back({"confusion", 480, 480, [&](const PlotTheme& theme) {
                     return confusion_commands(answers.counts, content.class_names, theme);
                   }});
  plots.push_back({"reliability", 480, 480,
                   [&](const PlotTheme& theme) { return reliability_commands(answers.bins, theme); }});
  if (boxes.size() > 1)
    plots.push_back({"plan", digitnet::detail::diagram_width, diagram_height(boxes),
                     [&](const PlotTheme& theme) { return diagram_commands(boxes, theme); }});
  return plots;
}

}  // namespace detail

/// Writes report.html (all in one file), model_card.md, and the pictures as PNG and SVG. Every file appears
/// whole or not at all; those of an earlier report are replaced. Throws an Error where something cannot be
/// written.
inline Written write(const std::string& folder, const Content& content) {
  const Answers answers = answers_of(content);
  make_folder(folder);
  Written written;
  const auto save = [&](const std::string& name, const std::string& bytes) {
    AtomicFile file(folder + "/" + name);
    file.write(bytes.data(), bytes.size());
    file.commit();
    written.files.push_back(name);
  };

  PagePictures pictures{.samples = sample_cells(content, content.train ? *content.train : *content.test),
                        .predictions = answer_cells(content, answers, first_samples(content)),
                        .mistakes = answer_cells(content, answers, worst_mistakes(answers))};
  const auto save_grid = [&](const char* name, const std::vector<GridCell>& cells) {
    if (!cells.empty()) save(name, png_bytes(image_grid(cells)));
  };
  save_grid("samples.png", pictures.samples);
  save_grid("predictions.png", pictures.predictions);
  save_grid("mistakes.png", pictures.mistakes);
  if (const WeightDescription* const kernel = first_kernel(content.model);
      kernel && !content.parameters.empty()) {
    pictures.filters =
        filter_picture(kernel->shape, content.parameters.subspan(kernel->offset, kernel->size()));
    if (pictures.filters) save("filters.png", png_bytes(*pictures.filters));
  }
  if (const auto& maps = content.feature_maps) {
    pictures.feature_maps = maps->picture();
    pictures.feature_map_layers = maps->layers;
    save("feature_maps.png", png_bytes(*pictures.feature_maps));
  }

  const std::vector<DiagramBox> boxes = diagram_boxes(content.model, content.plan);
  const std::vector<Plot> plots = detail::plots_of(content, answers, boxes);
  std::vector<DrawnPlot> drawn;
  const std::string what = "The plots (training curves, confusion matrix, reliability, plan) are missing";
  if (has_gnuplot()) {
    try {
      drawn = draw_plots(plots);
    } catch (const Error& error) {
      written.missing.push_back(what + ": " + error.what());
    }
  } else {
    written.missing.push_back(
        what + ", because gnuplot is not installed (Debian: gnuplot-nox); the tables have their numbers.");
  }
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    save(plots[i].name + ".png", drawn[i].png);
    save(plots[i].name + ".svg", drawn[i].svg);
    pictures.plots[plots[i].name] = drawn[i];
  }
  save("model_card.md", model_card(content, answers));
  save("report.html", page(content, answers, pictures, written.missing));
  return written;
}

}  // namespace digitnet::report
