// The progress of a training on the screen: Keras 3's bar on a terminal, one plain line an epoch elsewhere.
#pragma once
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/number_text.hpp"
#include "digitnet/train/history.hpp"

namespace digitnet {

/// How much `fit` prints: `automatic` shows a bar on a terminal and lines elsewhere.
enum class Verbose { automatic, silent, bar, lines };

namespace detail {

/// Seconds as Keras writes them: "7s", "1:05", "2:03:04".
DIGITNET_INLINE std::string duration_text(double seconds);

DIGITNET_INLINE std::string per_step_text(double seconds);

/// "accuracy: 0.9876" for each quantity: four digits, or an exponent where those would show nothing.
DIGITNET_INLINE std::vector<std::string> metric_texts(const EpochLogs& logs);

DIGITNET_INLINE std::string joined(const std::vector<std::string>& texts, const char* between);

/// "accuracy: 0.9876 - loss: 0.0432".
inline std::string metrics_text(const EpochLogs& logs) { return joined(metric_texts(logs), " - "); }

/// Keras' progress line, with colors, in fewer characters than a terminal has columns: what matters least
/// gives way first.
DIGITNET_INLINE std::string progress_text(std::size_t columns, std::size_t done, std::size_t steps,
                                          std::string time, std::string per_step,
                                          std::vector<std::string> metrics);

}  // namespace detail

/// Prints one training's progress to standard output.
class ProgressLine {
 public:
  ProgressLine(Verbose verbose, std::size_t epochs) : epochs_(epochs), mode_(verbose) {
    if (mode_ == Verbose::automatic) mode_ = isatty(STDOUT_FILENO) ? Verbose::bar : Verbose::lines;
  }

  void begin_epoch(std::size_t epoch, std::size_t steps);
  /// After `done` steps; draws at most 20 times a second.
  void step(std::size_t done, const EpochLogs& logs);
  void end_epoch(std::size_t done, const EpochLogs& logs);
  /// A line of its own, such as a callback's message.
  void note(const std::string& text) const {
    if (mode_ != Verbose::silent) std::printf("%s\n", text.c_str());
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds_since(Clock::time_point begin, Clock::time_point end) {
    return std::chrono::duration<double>(end - begin).count();
  }

  void draw(std::size_t done, const std::string& time, double per_step, const EpochLogs& logs,
            bool last) const;

  std::size_t epochs_;
  Verbose mode_;
  std::size_t epoch_ = 0;
  std::size_t steps_ = 0;
  Clock::time_point begun_, shown_;
};

}  // namespace digitnet

#if DIGITNET_BODIES
#include <sys/ioctl.h>

#include <algorithm>
#include <cmath>

namespace digitnet {

namespace detail {

DIGITNET_INLINE std::string duration_text(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  char text[48];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  else if (whole >= 60)
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%lds", whole);
  return text;
}

DIGITNET_INLINE std::string per_step_text(double seconds) {
  if (seconds >= 1) return to_fixed_text(seconds, 0) + "s/step";
  if (seconds >= 1e-3) return to_fixed_text(seconds * 1e3, 0) + "ms/step";
  return to_fixed_text(seconds * 1e6, 0) + "us/step";
}

DIGITNET_INLINE std::vector<std::string> metric_texts(const EpochLogs& logs) {
  std::vector<std::string> texts;
  for (const auto& [name, value] : logs.measured()) {
    // It is not measured yet.
    if (std::isnan(value) && name.starts_with("val_")) continue;
    texts.push_back(
        std::string(name) + ": " +
        (value == 0 || !(std::abs(value) < 1e-3) ? to_fixed_text(value, 4) : to_scientific_text(value, 4)));
  }
  return texts;
}

DIGITNET_INLINE std::string joined(const std::vector<std::string>& texts, const char* between) {
  std::string text;
  for (const std::string& part : texts) text.append(text.empty() ? "" : between).append(part);
  return text;
}

DIGITNET_INLINE std::string progress_text(std::size_t columns, std::size_t done, std::size_t steps,
                                          std::string time, std::string per_step,
                                          std::vector<std::string> metrics) {
  std::string count = std::to_string(steps), so_far = std::to_string(done);
  count = std::string(count.size() - std::min(count.size(), so_far.size()), ' ') + so_far + "/" + count;
  std::size_t bar = 20;
  const auto fits = [&] {
    std::size_t width = count.size();
    if (bar > 0) width += 1 + bar;
    if (!time.empty()) width += 1 + time.size();
    if (!per_step.empty()) width += 1 + per_step.size();
    for (const std::string& metric : metrics) width += 3 + metric.size();
    return width < columns;
  };
  if (!fits()) bar = 10;
  if (!fits()) per_step.clear();
  if (!fits()) bar = 0;
  if (!fits())
    for (std::string& metric : metrics)
      if (const std::size_t at = metric.find("accuracy"); at != std::string::npos)
        metric.replace(at, 8, "acc");
  while (!fits() && !metrics.empty()) metrics.erase(metrics.begin());
  if (!fits()) time.clear();
  std::string text = "\x1b[1m" + count + "\x1b[0m";
  const std::size_t full = steps == 0 ? bar : done * bar / steps;
  for (std::size_t i = 0; i < bar; ++i)
    text.append(i == 0 ? " " : "").append(i < full ? "\x1b[32m━\x1b[0m" : "\x1b[37m━\x1b[0m");
  if (!time.empty()) text += " \x1b[1m" + time + "\x1b[0m";
  if (!per_step.empty()) text += " " + per_step;
  for (const std::string& metric : metrics) text += " - " + metric;
  return text;
}

// Columns of the terminal that shows standard output; 80 where it does not say.
inline std::size_t terminal_columns() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : std::size_t{80};
}

}  // namespace detail

DIGITNET_INLINE void ProgressLine::begin_epoch(std::size_t epoch, std::size_t steps) {
  epoch_ = epoch;
  steps_ = steps;
  begun_ = shown_ = Clock::now();
  if (mode_ == Verbose::bar) std::printf("Epoch %zu/%zu\n", epoch_, epochs_);
}

DIGITNET_INLINE void ProgressLine::step(std::size_t done, const EpochLogs& logs) {
  if (mode_ != Verbose::bar || done == steps_) return;
  const auto now = Clock::now();
  if (now - shown_ < std::chrono::milliseconds(50)) return;
  shown_ = now;
  const double per_step = seconds_since(begun_, now) / static_cast<double>(done);
  draw(done, detail::duration_text(per_step * static_cast<double>(steps_ - done)), per_step, logs, false);
}

DIGITNET_INLINE void ProgressLine::end_epoch(std::size_t done, const EpochLogs& logs) {
  const double seconds = seconds_since(begun_, Clock::now());
  const double per_step = done == 0 ? 0 : logs.seconds / static_cast<double>(done);
  if (mode_ == Verbose::bar) {
    draw(done, detail::duration_text(seconds), per_step, logs, true);
  } else if (mode_ == Verbose::lines) {
    std::printf("Epoch %zu/%zu - %ss - %s - %s images/s - %s\n", epoch_, epochs_,
                to_fixed_text(seconds, 1).c_str(), detail::per_step_text(per_step).c_str(),
                to_fixed_text(logs.images_per_second, 0).c_str(), detail::metrics_text(logs).c_str());
    std::fflush(stdout);
  }
}

DIGITNET_INLINE void ProgressLine::draw(std::size_t done, const std::string& time, double per_step,
                                        const EpochLogs& logs, bool last) const {
  const std::string text = detail::progress_text(detail::terminal_columns(), done, steps_, time,
                                                 detail::per_step_text(per_step), detail::metric_texts(logs));
  // The line is cleared to its end, in case the one before was longer.
  std::printf("\r%s\x1b[K%s", text.c_str(), last ? "\n" : "");
  std::fflush(stdout);
}

}  // namespace digitnet
#endif
