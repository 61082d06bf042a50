// The page of a report: one file of HTML, with all pictures in it, that a browser shows without a server.
#pragma once
#include <cctype>
#include <cstddef>
#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "digitnet/report/content.hpp"
#include "digitnet/report/html.hpp"
#include "digitnet/report/model_card.hpp"
#include "digitnet/report/pictures.hpp"
#include "digitnet/report/plan_diagram.hpp"
#include "digitnet/report/plots.hpp"
#include "digitnet/report/png.hpp"
#include "digitnet/report/terminal.hpp"
#include "digitnet/train/progress.hpp"

namespace digitnet::report {

namespace detail {

// Text and links have a contrast of at least 4.5 to 1 in both schemes.
inline constexpr const char* style = R"(
:root { color-scheme: light dark; --paper: #ffffff; --text: #1f2328; --quiet: #59636e; --line: #d1d9e0;
  --card: #f6f8fa; --right: #1a7f37; --wrong: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --text: #e6edf3; --quiet: #9198a1;
  --line: #3d444d; --card: #151b23; --right: #3fb950; --wrong: #f85149; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; background: var(--paper); color: var(--text);
  font: 1rem/1.5 system-ui, "DejaVu Sans", sans-serif; }
h1 { line-height: 1.2; margin: 0.5rem 0; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 0.75rem; border-bottom: 1px solid var(--line); padding-bottom: 0.25rem; }
p { margin: 0.5rem 0; } .quiet, caption, figcaption { color: var(--quiet); }
code { font: 0.875rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 0.75rem;
  list-style: none; margin: 1rem 0; padding: 0; }
.cards li { background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; padding: 0.75rem; }
.cards data, .cards span { display: block; font-size: 1.05rem; font-weight: 600;
  white-space: nowrap; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 0.5rem 1.5rem; margin: 1rem 0; }
dt { color: var(--quiet); font-size: 0.875rem; } dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: 0.75rem 0; }
caption { text-align: left; padding-bottom: 0.25rem; }
th, td { padding: 0.25rem 0.75rem; border-bottom: 1px solid var(--line); text-align: left; font-weight: 400;
  white-space: nowrap; }
thead th { font-weight: 600; } .number { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; } figure img { display: block; width: 100%; height: auto; border-radius: 0.25rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem; }
.plots figure { margin: 0; } .plan { max-width: 36rem; } .tiles { max-width: 52rem; }
.digits { display: grid; grid-template-columns: repeat(auto-fill, minmax(5.5rem, 1fr)); gap: 0.75rem;
  list-style: none; margin: 1rem 0; padding: 0; text-align: center; font-size: 0.875rem; line-height: 1.3; }
.digits img { display: block; width: 100%; height: auto; margin-bottom: 0.25rem; image-rendering: pixelated;
  border: 3px solid var(--line); border-radius: 0.25rem; }
.digits .right img { border-color: var(--right); } .digits .wrong img { border-color: var(--wrong); }
.right { color: var(--right); } .wrong { color: var(--wrong); }
summary { cursor: pointer; padding: 0.25rem 0; }
@media (max-width: 30rem) { table { font-size: 0.875rem; } th, td { padding: 0.25rem 0.4rem; }
  th[scope="row"] { white-space: normal; } }
)";

inline std::string heading(const char* title) {
  std::string id;
  for (const char* c = title; *c; ++c) id += *c == ' ' ? '-' : static_cast<char>(std::tolower(*c));
  return "<h2 id=\"" + id + "\">" + title + "</h2>\n";
}

inline std::string card(const std::string& label, const std::string& value) {
  return "<li>" + html::escaped(label) + value + "</li>\n";
}

inline std::string plot_figure(const DrawnPlot& plot, const std::string& alternative,
                               const std::string& caption, const char* kind = "") {
  return std::string("<figure") + kind +
         "><picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"" +
         html::embedded("image/svg+xml", plot.dark_svg) + "\"><img src=\"" +
         html::embedded("image/svg+xml", plot.svg) + "\" alt=\"" + html::escaped(alternative) +
         "\"></picture><figcaption>" + html::escaped(caption) + "</figcaption></figure>\n";
}

inline std::string picture_figure(const Picture& picture, const std::string& alternative,
                                  const std::string& caption) {
  return "<figure class=\"tiles\"><img src=\"" + html::embedded("image/png", png_bytes(picture)) +
         "\" alt=\"" + html::escaped(alternative) + "\" width=\"" + std::to_string(picture.width()) +
         "\" height=\"" + std::to_string(picture.height()) + "\"><figcaption>" + html::escaped(caption) +
         "</figcaption></figure>\n";
}

// Each image on its own, so that as many stand in a row as there is room for.
inline std::string digit_list(const std::vector<GridCell>& cells) {
  std::string text = "<ul class=\"digits\">\n";
  for (const GridCell& cell : cells) {
    const bool wrong = cell.framed && cell.color == colors::wrong;
    std::string alternative = cell.framed ? (wrong ? "wrong: read as " : "right: read as ") : "image of ",
                lines;
    for (std::size_t i = 0; i < cell.caption.size(); ++i) {
      alternative += (i ? ", " : "") + cell.caption[i];
      lines += (i ? "<br>" : wrong ? "✗ " : "") + html::escaped(cell.caption[i]);
    }
    text += std::string("<li") + (cell.framed ? wrong ? " class=\"wrong\"" : " class=\"right\"" : "") +
            "><img src=\"" + html::embedded("image/png", png_bytes(cell.picture)) + "\" alt=\"" +
            html::escaped(alternative) + "\" width=\"" + std::to_string(cell.picture.width()) +
            "\" height=\"" + std::to_string(cell.picture.height()) + "\">" + lines + "</li>\n";
  }
  return text + "</ul>\n";
}

inline std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts)};
}

}  // namespace detail

/// The grids and plots that a page shows.
struct PagePictures {
  std::vector<GridCell> samples{}, predictions{}, mistakes{};
  std::optional<Picture> filters{}, feature_maps{};
  std::string feature_map_layers{};
  /// Curves, confusion, reliability, plan
  std::map<std::string, DrawnPlot> plots{};
};

/// The page.
inline std::string page(const Content& content, const Answers& answers, const PagePictures& pictures,
                        const std::vector<std::string>& missing) {
  using digitnet::detail::rounded;
  using digitnet::detail::with_thousands;
  using html::escaped;
  const std::size_t count = content.test->size();
  const auto data = [](double value, const std::string& shown) {
    char exact[32];
    std::snprintf(exact, sizeof exact, "%.17g", value);
    return "<data value=\"" + std::string(exact) + "\">" + escaped(shown) + "</data>";
  };
  const auto plot = [&](const char* name, const std::string& alternative, const std::string& caption,
                        const char* kind = "") {
    const auto found = pictures.plots.find(name);
    return found == pictures.plots.end() ? std::string()
                                         : detail::plot_figure(found->second, alternative, caption, kind);
  };

  std::string text =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<title>" +
      escaped(content.title) + "</title>\n<style>" + detail::style +
      "</style>\n</head>\n<body>\n<header>\n<h1>" + escaped(content.title) + "</h1>\n<p class=\"quiet\">" +
      detail::now_text() + (content.dataset.empty() ? "" : ", " + escaped(content.dataset)) +
      "</p>\n</header>\n<main>\n";
  text += "<ul class=\"cards\">\n" +
          detail::card("test accuracy", data(content.evaluation.accuracy,
                                             percent_with_error(content.evaluation.accuracy, count))) +
          detail::card("test loss", data(content.evaluation.loss, rounded(content.evaluation.loss, 4))) +
          detail::card("mistakes", "<span>" + with_thousands(answers.mistakes.size()) + " of " +
                                       with_thousands(count) + "</span>") +
          detail::card("parameters", "<span>" + with_thousands(content.model.parameter_count()) + "</span>");
  if (!content.history.epochs.empty())
    text += detail::card("training", data(content.history.train_seconds(),
                                          rounded(content.history.train_seconds(), 1) + " s")) +
            detail::card("speed", data(content.history.images_per_second(),
                                       with_thousands(static_cast<std::size_t>(
                                           std::max(0.0, content.history.images_per_second()))) +
                                           " images/s"));
  text += "</ul>\n";
  if (content.history.interrupted)
    text += "<p class=\"wrong\">The training was interrupted: these are the results so far.</p>\n";
  if (!content.history.stopped_because.empty())
    text += "<p>" + escaped(content.history.stopped_because) + "</p>\n";
  for (const std::string& what : missing) text += "<p class=\"wrong\">" + escaped(what) + "</p>\n";

  text += detail::heading("What was trained");
  std::vector<std::pair<std::string, std::string>> facts = content.settings;
  if (content.train) facts.emplace_back("training images", with_thousands(content.train->size()));
  facts.emplace_back("test images", with_thousands(count));
  text += html::facts(facts);
  if (!content.command.empty()) text += "<p>Made by <code>" + escaped(content.command) + "</code></p>\n";

  if (!content.history.epochs.empty()) {
    text += detail::heading("Training");
    const EpochLogs& last = content.history.epochs.back();
    text += plot("curves",
                 "Training curves over " + std::to_string(content.history.epochs.size()) +
                     " epochs: " + digitnet::detail::metrics_text(last) + " at the end",
                 "Loss (logarithmic), accuracy and learning rate of each epoch", " class=\"plan\"");
    std::vector<std::vector<std::string>> rows;
    std::vector<std::string> headings{"epoch"};
    for (const auto& [name, value] : last.measured()) headings.emplace_back(name);
    headings.insert(headings.end(), {"learning rate", "seconds", "images/s"});
    for (const EpochLogs& epoch : content.history.epochs) {
      std::vector<std::string> row{std::to_string(epoch.epoch)};
      for (const auto& [name, value] : epoch.measured()) row.push_back(rounded(value, 4));
      row.push_back(digitnet::detail::number_text(epoch.learning_rate));
      row.push_back(rounded(epoch.seconds, 2));
      row.push_back(with_thousands(static_cast<std::size_t>(std::max(0.0, epoch.images_per_second))));
      rows.push_back(std::move(row));
    }
    text += "<details><summary>All epochs as a table</summary>\n" + html::table("Epochs", headings, rows, 0) +
            "</details>\n";
  }

  text += detail::heading("Accuracy");
  const std::vector<ClassScores> scores = class_scores(answers.counts);
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const std::string& name, const ClassScores& score) {
    rows.push_back({name, rounded(score.precision, 4), rounded(score.recall, 4), rounded(score.f1, 4),
                    with_thousands(score.support)});
  };
  for (std::size_t i = 0; i < scores.size(); ++i) add(class_name(content, i), scores[i]);
  add("macro average", macro_average(scores));
  add("weighted average", weighted_average(scores));
  text += html::table("Classification report", {"class", "precision", "recall", "F1", "images"}, rows);
  text += "<div class=\"plots\">\n";
  text += plot("confusion",
               "Confusion matrix: " + std::to_string(count - answers.mistakes.size()) + " of " +
                   std::to_string(count) + " images on the diagonal",
               "Confusion matrix; colors follow the logarithm of the counts");
  text += plot("reliability",
               "Reliability diagram with an expected calibration error of " +
                   percent(expected_calibration_error(answers.bins), 2),
               "How often answers of each confidence are right");
  text += "</div>\n";
  std::vector<std::string> headings{"true \\ predicted"};
  rows.clear();
  for (std::size_t i = 0; i < scores.size(); ++i) {
    headings.push_back(class_name(content, i));
    rows.push_back({class_name(content, i)});
    for (std::size_t j = 0; j < scores.size(); ++j)
      rows.back().push_back(std::to_string(answers.counts(i, j)));
  }
  text += "<details><summary>The confusion matrix as a table</summary>\n" +
          html::table("Confusion matrix", headings, rows) + "</details>\n";

  text += detail::heading("Images");
  if (!pictures.samples.empty())
    text +=
        "<h3>What it learned from</h3>\n<p class=\"quiet\">The first training images and their labels</p>\n" +
        detail::digit_list(pictures.samples);
  text += "<h3>Answers</h3>\n<p class=\"quiet\">The first test images: the answer and its probability</p>\n" +
          detail::digit_list(pictures.predictions);
  if (!pictures.mistakes.empty())
    text += "<h3>The most confident mistakes</h3>\n" + detail::digit_list(pictures.mistakes);

  if (pictures.filters || pictures.feature_maps) text += detail::heading("What the first layer sees");
  if (pictures.filters)
    text += detail::picture_figure(*pictures.filters, "Filters of the first layer",
                                   "Filters of the first layer: red is positive, blue negative, white zero");
  if (pictures.feature_maps)
    text += detail::picture_figure(
        *pictures.feature_maps, "Feature maps of the first test image",
        "What they make of the first test image (" + pictures.feature_map_layers + "): white is most");

  text += detail::heading("Model");
  const bool small = content.plan.size() <= 16;
  const std::string diagram =
      plot("plan", "Diagram of the model's operations; the table below has the same",
           "Operations from the input down; layers joined by + are one operation", " class=\"plan\"");
  if (!diagram.empty())
    text += small ? diagram : "<details><summary>Diagram</summary>\n" + diagram + "</details>\n";
  rows.clear();
  for (const PlannedOperation& operation : content.plan) {
    std::string shape;
    for (const std::size_t extent : operation.output)
      shape += (shape.empty() ? "" : " × ") + std::to_string(extent);
    rows.push_back({operation.layers, operation.method, shape, with_thousands(operation.multiply_adds)});
  }
  text += html::table("The plan: how the model runs", {"operation", "method", "output", "multiply-adds"},
                      rows, 2);

  text += detail::heading("Limits") + "<ul>\n";
  for (const std::string& limit : limits_of(content, answers)) text += "<li>" + escaped(limit) + "</li>\n";
  return text + "</ul>\n</main>\n</body>\n</html>\n";
}

}  // namespace digitnet::report
