// What a person sees during training: Keras 3's progress line on a terminal, one plain line an epoch
// elsewhere.
#pragma once
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>

#include "digitnet/train/history.hpp"

namespace digitnet {

/// How much `fit` prints: `automatic` shows a bar on a terminal and lines elsewhere.
enum class Verbose { automatic, silent, bar, lines };

namespace detail {

inline std::string formatted(const char* format, double value) {
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

/// Seconds as Keras writes them: "7s", "1:05", "2:03:04".
inline std::string duration_text(double seconds) {
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

inline std::string per_step_text(double seconds) {
  if (seconds >= 1) return formatted("%.0fs/step", seconds);
  if (seconds >= 1e-3) return formatted("%.0fms/step", seconds * 1e3);
  return formatted("%.0fus/step", seconds * 1e6);
}

/// "accuracy: 0.9876 - loss: 0.0432", four digits, or an exponent where those would show nothing.
inline std::string metrics_text(const EpochLogs& logs) {
  std::string text;
  for (const auto& [name, value] : logs.measured()) {
    if (std::isnan(value) && name.starts_with("val_")) continue;  // not yet
    if (!text.empty()) text += " - ";
    text.append(name).append(": ").append(
        formatted(value == 0 || std::abs(value) >= 1e-3 ? "%.4f" : "%.4e", value));
  }
  return text;
}

}  // namespace detail

/// Prints one training's progress to standard output.
class ProgressLine {
 public:
  ProgressLine(Verbose verbose, std::size_t epochs) : epochs_(epochs), mode_(verbose) {
    if (mode_ == Verbose::automatic) mode_ = isatty(STDOUT_FILENO) ? Verbose::bar : Verbose::lines;
  }

  void begin_epoch(std::size_t epoch, std::size_t steps) {
    epoch_ = epoch;
    steps_ = steps;
    begun_ = shown_ = Clock::now();
    if (mode_ == Verbose::bar) std::printf("Epoch %zu/%zu\n", epoch_, epochs_);
  }
  /// After `done` steps; draws at most 20 times a second.
  void step(std::size_t done, const EpochLogs& logs) {
    if (mode_ != Verbose::bar || done == steps_) return;
    const auto now = Clock::now();
    if (now - shown_ < std::chrono::milliseconds(50)) return;
    shown_ = now;
    const double per_step = seconds_since(begun_, now) / static_cast<double>(done);
    draw(done, detail::duration_text(per_step * static_cast<double>(steps_ - done)), per_step, logs, false);
  }
  void end_epoch(std::size_t done, const EpochLogs& logs) {
    const double seconds = seconds_since(begun_, Clock::now());
    const double per_step = done == 0 ? 0 : logs.seconds / static_cast<double>(done);
    if (mode_ == Verbose::bar) {
      draw(done, detail::duration_text(seconds), per_step, logs, true);
    } else if (mode_ == Verbose::lines) {
      std::printf("Epoch %zu/%zu - %.1fs - %s - %.0f images/s - %s\n", epoch_, epochs_, seconds,
                  detail::per_step_text(per_step).c_str(), logs.images_per_second,
                  detail::metrics_text(logs).c_str());
      std::fflush(stdout);
    }
  }
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
            bool last) const {
    constexpr std::size_t width = 20;
    const std::size_t full = steps_ == 0 ? width : done * width / steps_;
    std::string bar;
    for (std::size_t i = 0; i < width; ++i) bar += i < full ? "\x1b[32m━\x1b[0m" : "\x1b[37m━\x1b[0m";
    const std::string count = std::to_string(steps_);
    // The line is cleared to its end, in case the one before was longer.
    std::printf("\r\x1b[1m%*zu/%s\x1b[0m %s \x1b[1m%s\x1b[0m %s - %s\x1b[K%s", static_cast<int>(count.size()),
                done, count.c_str(), bar.c_str(), time.c_str(), detail::per_step_text(per_step).c_str(),
                detail::metrics_text(logs).c_str(), last ? "\n" : "");
    std::fflush(stdout);
  }

  std::size_t epochs_;
  Verbose mode_;
  std::size_t epoch_ = 0;
  std::size_t steps_ = 0;
  Clock::time_point begun_, shown_;
};

}  // namespace digitnet
