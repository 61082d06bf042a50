// The plots of a report (training curves, confusion matrix, reliability), as scripts for gnuplot.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "digitnet/inspect/plan.hpp"
#include "digitnet/report/calibration.hpp"
#include "digitnet/report/classification_report.hpp"
#include "digitnet/report/gnuplot.hpp"
#include "digitnet/train/history.hpp"

namespace digitnet {

/// The colors of a plot, for a light or a dark page.
struct PlotTheme {
  const char *paper, *text, *grid, *first, *second, *right, *wrong;
};
inline constexpr PlotTheme light_plot{.paper = "#ffffff",
                                      .text = "#1f2328",
                                      .grid = "#d1d9e0",
                                      .first = "#0969da",
                                      .second = "#bc4c00",
                                      .right = "#1a7f37",
                                      .wrong = "#cf222e"};
inline constexpr PlotTheme dark_plot{.paper = "#0d1117",
                                     .text = "#e6edf3",
                                     .grid = "#3d444d",
                                     .first = "#58a6ff",
                                     .second = "#f0883e",
                                     .right = "#3fb950",
                                     .wrong = "#f85149"};

/// A plot: the name of its files, its size in pixels, and gnuplot's commands in the colors of a theme.
struct Plot {
  std::string name;
  std::size_t width, height;
  std::function<std::string(const PlotTheme& theme)> commands;
};

/// A plot as files: PNG, and SVG for light and for dark pages.
struct DrawnPlot {
  std::string png, svg, dark_svg;
};

namespace detail {

inline std::string number_text(double value) {
  char text[40];
  if (std::isfinite(value))
    std::snprintf(text, sizeof text, "%.9g", value);
  else
    std::snprintf(text, sizeof text, "NaN");
  return text;
}

// gnuplot's text within single quotes (within double ones, backquotes would run a command); noenhanced text
// needs no more.
inline std::string plot_text(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'') result += c;
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + "'";
}

// What an axis shows, and where its tics stand.
struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();

  void include(std::initializer_list<double> values) {
    for (const double value : values) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  Range padded() const {
    const double room = high > low ? 0.05 * (high - low) : std::max(1e-6, 0.1 * std::abs(high));
    return {low - (low == 0 ? 0 : room), high + room};
  }
  /// At most `most` tics, at multiples of 1, 2 or 5 times a power of ten.
  std::string tics(char axis, int most, double smallest_step = 0) const {
    if (!(high >= low)) return "";
    double step = std::pow(10, std::floor(std::log10(std::max((high - low) / most, 1e-12))));
    for (const double factor : {2.0, 2.5, 2.0, 2.0})
      if ((high - low) / step > most) step *= factor;
    step = std::max(step, smallest_step);
    const std::string name(1, axis);
    return (axis == 'y' ? "set yrange [" + number_text(low) + ":" + number_text(high) + "]\n" : "") + "set " +
           name + "tics " + number_text(std::ceil(low / step) * step) + ", " + number_text(step) + "\n";
  }
  /// A logarithmic y axis, with tics at 1, 2 and 5 times powers of ten where a few of those are shown.
  std::string logarithmic_tics() const {
    if (!(high >= low) || low <= 0) return padded().tics('y', 6);
    const Range shown{low / 1.15, high * 1.15};
    const bool few = shown.high / shown.low < 300;
    std::string list;
    for (double decade = std::pow(10, std::floor(std::log10(shown.low))); decade <= shown.high; decade *= 10)
      for (const double factor : {1.0, 2.0, 5.0})
        if ((few || factor == 1.0) && decade * factor >= shown.low && decade * factor <= shown.high)
          list += (list.empty() ? "" : ", ") + number_text(decade * factor);
    return "set logscale y\nset yrange [" + number_text(shown.low) + ":" + number_text(shown.high) +
           "]\nset ytics (" + list + ")\n";
  }
};

inline std::string themed(const PlotTheme& theme) {
  const std::string text = theme.text, grid = theme.grid;
  return "reset\nset border 3 lc rgb '" + grid + "'\nset tics nomirror scale 0.5 textcolor rgb '" + text +
         "'\nset grid ytics lc rgb '" + grid + "' lw 0.5\nset key noenhanced textcolor rgb '" + text +
         "'\nset xlabel textcolor rgb '" + text + "'\nset ylabel textcolor rgb '" + text +
         "'\nset title noenhanced textcolor rgb '" + text + "'\n";
}

}  // namespace detail

/// Loss, accuracy and learning rate over the epochs, one above the other.
inline std::string curves_commands(const History& history, const PlotTheme& theme) {
  using detail::number_text;
  const std::vector<EpochLogs>& epochs = history.epochs;
  const bool validation = !epochs.empty() && epochs.front().has_validation;
  const bool accuracy = !epochs.empty() && epochs.front().has_accuracy;
  std::string commands = detail::themed(theme) + "$epochs << END\n";
  detail::Range loss, percents, rate;
  for (const EpochLogs& epoch : epochs) {
    const double right = 100 * epoch.accuracy, val_right = 100 * epoch.val_accuracy;
    commands += std::to_string(epoch.epoch) + " " + number_text(epoch.loss) + " " +
                number_text(epoch.val_loss) + " " + number_text(right) + " " + number_text(val_right) + " " +
                number_text(epoch.learning_rate) + "\n";
    loss.include({epoch.loss, epoch.val_loss});
    percents.include({right, val_right});
    rate.include({0, epoch.learning_rate});
  }
  const double last = static_cast<double>(std::max<std::size_t>(1, epochs.size()));
  commands += "END\nset xrange [" + number_text(epochs.size() > 1 ? 1 : 0) + ":" +
              number_text(epochs.size() > 1 ? last : 2) + "]\n" +
              detail::Range{.low = 1, .high = last}.tics('x', 8, 1) +
              "set offsets graph 0.03, graph 0.03, 0, 0\nset lmargin 11\nset rmargin 3\n" +
              "set key horizontal outside top center\nset multiplot layout " + (accuracy ? "3" : "2") +
              ",1\n";
  // Points where they are few enough to be told apart.
  const std::string style = epochs.size() > 40 ? "with lines lw 2" : "with linespoints pt 7 ps 0.5 lw 2";
  const auto curve = [&](int column, const char* title, const char* color) {
    return "$epochs using 1:" + std::to_string(column) + " " + style + " lc rgb '" + color + "' title '" +
           title + "'";
  };
  const auto both = [&](const char* what, int column) {
    return std::string("set ylabel '") + what + "'\nplot " + curve(column, "training", theme.first) +
           (validation ? ", " + curve(column + 1, "validation", theme.second) : "") + "\n";
  };
  commands += loss.logarithmic_tics() + both("loss", 2) + "unset logscale y\nunset key\n";
  if (accuracy) commands += percents.padded().tics('y', 6) + both("accuracy, %", 4);
  return commands + rate.padded().tics('y', 5) + "set ylabel 'learning rate'\nset xlabel 'epoch'\nplot " +
         curve(6, "", theme.first) + "\nunset multiplot\n";
}

/// The confusion matrix as a heat map with its counts. Colors follow the logarithm of a count, so that single
/// mistakes are seen beside thousands of right answers.
inline std::string confusion_commands(const ConfusionMatrix& counts, const std::vector<std::string>& names,
                                      const PlotTheme& theme) {
  const std::size_t classes = counts.shape()[0];
  const auto name = [&](std::size_t i) {
    return detail::plot_text(names.size() < classes ? std::to_string(i) : names[i]);
  };
  std::string commands = detail::themed(theme), tics;
  for (std::size_t i = 0; i < classes; ++i) tics += (i ? ", " : "") + name(i) + " " + std::to_string(i);
  const bool long_names = names.size() >= classes &&
                          std::any_of(names.begin(), names.end(), [](const auto& n) { return n.size() > 3; });
  const std::string last = std::to_string(classes - 1) + ".5";
  commands +=
      "unset key\nunset grid\nunset colorbox\nset border 0\nset tics scale 0 noenhanced\nset xtics (" + tics +
      ")" + (long_names ? " rotate by 45 right" : "") + "\nset ytics (" + tics +
      ")\nset xlabel 'predicted class'\nset ylabel 'true class'\nset xrange [-0.5:" + last +
      "]\nset yrange [" + last + ":-0.5]\nset size ratio -1\nset style fill solid noborder\n";
  std::size_t most = 1;
  for (const std::size_t count : counts) most = std::max(most, count);
  // Cells are boxes of one color each: from the paper towards green on the diagonal, towards red beside it.
  std::string boxes[2] = {"$right << END\n", "$wrong << END\n"}, texts = "$texts << END\n";
  for (std::size_t i = 0; i < classes; ++i)
    for (std::size_t j = 0; j < classes; ++j) {
      if (counts(i, j) == 0) continue;
      const double depth =
          std::log1p(static_cast<double>(counts(i, j))) / std::log1p(static_cast<double>(most));
      const auto mixed = [&](const char* from, const char* to) {
        unsigned parts[2][3];
        std::sscanf(from, "#%02x%02x%02x", &parts[0][0], &parts[0][1], &parts[0][2]);
        std::sscanf(to, "#%02x%02x%02x", &parts[1][0], &parts[1][1], &parts[1][2]);
        unsigned value = 0;
        for (int part = 0; part < 3; ++part)
          value = value << 8 | static_cast<unsigned>(std::lround(
                                   parts[0][part] + depth * 0.8 * (double(parts[1][part]) - parts[0][part])));
        return value;
      };
      const std::string place = std::to_string(j) + " " + std::to_string(i) + " ";
      boxes[i != j] += place + std::to_string(mixed(theme.paper, i == j ? theme.right : theme.wrong)) + "\n";
      texts += place + std::to_string(counts(i, j)) + "\n";
    }
  for (std::string& data : boxes) commands += data + "END\n";
  const std::string box = " using 1:2:(0.48):(0.48):3 with boxxyerror lc rgb variable";
  return commands + texts + "END\nplot $right" + box + ", $wrong" + box + ", $texts using 1:2:3 with labels" +
         std::string(long_names ? " font ',10'" : "") + " tc rgb '" + theme.text + "'\n";
}

/// Reliability diagram: the accuracy of each bin of confidence, and how many answers lie in it.
inline std::string reliability_commands(const std::vector<ConfidenceBin>& bins, const PlotTheme& theme) {
  using detail::number_text;
  using detail::rounded;
  std::string data = "$bins << END\n";
  for (const ConfidenceBin& bin : bins)
    data += number_text((bin.low + bin.high) / 2) + " " +
            (bin.count > 0 ? number_text(bin.accuracy) + " " + number_text(bin.confidence) : "NaN NaN") +
            " " + std::to_string(bin.count) + "\n";
  return detail::themed(theme) + data + "END\nset xrange [0:1]\nset boxwidth " +
         number_text(0.92 / static_cast<double>(bins.size())) +
         "\nset style fill solid 0.75 noborder\nset lmargin 10\nset rmargin 3\nset multiplot\n"
         "set size 1, 0.68\nset origin 0, 0.32\nset yrange [0:1.05]\nset key horizontal outside top center "
         "font ',12' samplen 2\n"
         "set title 'Expected calibration error " +
         rounded(100 * expected_calibration_error(bins), 2) +
         " %'\nset ylabel 'accuracy'\nplot $bins using 1:2 with boxes lc rgb '" + theme.first +
         "' title 'accuracy', x with lines dt 2 lw 1.5 lc rgb '" + theme.text +
         "' title 'as it should be', $bins using 3:2 with points pt 7 ps 0.8 lc rgb '" + theme.second +
         "' title 'mean confidence'\nset size 1, 0.34\nset origin 0, 0\nunset title\nunset key\n"
         "set xlabel 'confidence'\nset ylabel 'answers'\nset logscale y\nset yrange [0.8:*]\nplot $bins "
         "using "
         "1:($4>0?$4:NaN) with boxes lc rgb '" +
         theme.first + "'\nunset multiplot\n";
}

/// Draws plots in one run of gnuplot.
inline std::vector<DrawnPlot> draw_plots(const std::vector<Plot>& plots) {
  std::string script;
  std::vector<std::string> files;
  for (const Plot& plot : plots) {
    const std::string size = std::to_string(plot.width) + "," + std::to_string(plot.height);
    const auto add = [&](const std::string& terminal, const std::string& file, const PlotTheme& theme) {
      script += "set terminal " + terminal + " background rgb '" + theme.paper + "'\nset output '" + file +
                "'\n" + plot.commands(theme) + "unset output\nreset\n";
      files.push_back(file);
    };
    const std::string png_size = std::to_string(2 * plot.width) + "," + std::to_string(2 * plot.height);
    add("pngcairo size " + png_size + " font 'DejaVu Sans,11' fontscale 2 linewidth 2", plot.name + ".png",
        light_plot);
    const std::string svg = "svg size " + size + " dynamic font 'DejaVu Sans,sans-serif,14'";
    add(svg, plot.name + ".svg", light_plot);
    add(svg, plot.name + "-dark.svg", dark_plot);
  }
  const std::vector<std::string> contents = run_gnuplot(script, files);
  std::vector<DrawnPlot> drawn;
  for (std::size_t i = 0; i < contents.size(); i += 3)
    drawn.push_back({.png = contents[i], .svg = contents[i + 1], .dark_svg = contents[i + 2]});
  return drawn;
}

}  // namespace digitnet
