// A model card: what a model is, what it was made from, how well it does, and what it is not for. Mitchell
// and others: Model Cards for Model Reporting (2019).
#pragma once
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "digitnet/report/content.hpp"
#include "digitnet/report/pictures.hpp"
#include "digitnet/report/terminal.hpp"

namespace digitnet::report {

namespace detail {

inline std::string shape_words(const std::vector<std::size_t>& shape) {
  std::string text;
  for (const std::size_t extent : shape) text += (text.empty() ? "" : " x ") + std::to_string(extent);
  return text;
}
// Text that stands for itself in Markdown, in a table too: no HTML, no emphasis, no links.
inline std::string markdown(std::string_view text) {
  static constexpr std::string_view special = "\\`*{}[]<>#|~!$";
  const auto in_word = [&](std::size_t i) {
    return i < text.size() && std::isalnum(static_cast<unsigned char>(text[i])) != 0;
  };
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '&')
      result += "&amp;";
    else if (c == '<')
      result += "&lt;";
    else if (special.find(c) != std::string_view::npos || (c == '_' && !(in_word(i - 1) && in_word(i + 1))))
      result.append("\\").append(1, c);
    else
      result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result;
}
// Text as code: fenced by more backticks than it has in a row.
inline std::string code(std::string_view text) {
  std::string result;
  std::size_t longest = 0, run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  const std::string fence(longest + 1, '`');
  return longest == 0 ? fence + result + fence : fence + " " + result + " " + fence;
}

}  // namespace detail

/// The limits that the numbers show, as sentences.
inline std::vector<std::string> limits_of(const Content& content, const Answers& answers) {
  const std::vector<ClassScores> scores = class_scores(answers.counts);
  std::size_t weakest = 0, from = 0, to = 0, most = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i].support > 0 && (scores[weakest].support == 0 || scores[i].recall < scores[weakest].recall))
      weakest = i;
    for (std::size_t j = 0; j < scores.size(); ++j)
      if (i != j && answers.counts(i, j) > most) {
        most = answers.counts(i, j);
        from = i;
        to = j;
      }
  }
  const std::size_t count = content.test->size();
  std::vector<std::string> limits;
  limits.push_back(
      "Measured on " + std::to_string(count) + " test images" +
      (content.dataset.empty() ? "" : " of " + content.dataset) + " only: with " +
      std::to_string(answers.mistakes.size()) + " mistakes among them, the accuracy is known to about ± " +
      digitnet::detail::rounded(
          196 * std::sqrt(content.evaluation.accuracy * (1 - content.evaluation.accuracy) /
                          static_cast<double>(count)),
          2) +
      " % (95 % confidence). Images from elsewhere (other writers, cameras, sizes, placement) may "
      "be read worse.");
  limits.push_back("Every image gets one of the " + std::to_string(scores.size()) +
                   " classes, also one that shows none of them.");
  limits.push_back("The weakest class is " + class_name(content, weakest) + ": " +
                   percent(scores[weakest].recall, 2) + " of its images are read correctly.");
  if (most > 0)
    limits.push_back("The most frequent mistake: " + class_name(content, from) + " read as " +
                     class_name(content, to) + ", " + std::to_string(most) + " times.");
  limits.push_back("Confidence and accuracy differ by " +
                   percent(expected_calibration_error(answers.bins), 2) +
                   " on average (expected calibration error).");
  return limits;
}

/// The card as Markdown.
inline std::string model_card(const Content& content, const Answers& answers) {
  std::string layers;
  for (const LayerDescription& layer : content.model.layers) {
    layers += "| " + detail::markdown(layer.name) + " | " + detail::markdown(layer.text()) + " | " +
              detail::shape_words(layer.output) + " |\n";
  }
  std::string text =
      "# " + detail::markdown(content.title) + "\n\n## Model\n\nA classifier of images of " +
      detail::shape_words(content.model.input) + " values, with " +
      digitnet::detail::with_thousands(content.model.parameter_count()) +
      " parameters, trained with digitnet.\n\n| layer | what it is | output |\n|---|---|---|\n" + layers +
      "\n## Data\n\n";
  if (!content.dataset.empty()) text += "- Dataset: " + detail::markdown(content.dataset) + "\n";
  if (content.train)
    text += "- Training images: " + digitnet::detail::with_thousands(content.train->size()) + "\n";
  text += "- Test images: " + digitnet::detail::with_thousands(content.test->size()) +
          ", not used in training\n\n## Settings\n\n";
  for (const auto& [name, value] : content.settings)
    text += "- " + detail::markdown(name) + ": " + detail::markdown(value) + "\n";
  if (!content.command.empty()) text += "- Command: " + detail::code(content.command) + "\n";
  text += "\n## Accuracy\n\n" + percent_with_error(content.evaluation.accuracy, content.test->size()) +
          " of the test images (with the standard error), loss " +
          digitnet::detail::rounded(content.evaluation.loss, 4) +
          ".\n\n| class | images | read correctly | precision | F1 |\n|---|---|---|---|---|\n";
  const std::vector<ClassScores> scores = class_scores(answers.counts);
  for (std::size_t i = 0; i < scores.size(); ++i)
    text += "| " + detail::markdown(class_name(content, i)) + " | " + std::to_string(scores[i].support) +
            " | " + percent(scores[i].recall, 2) + " | " + percent(scores[i].precision, 2) + " | " +
            digitnet::detail::rounded(scores[i].f1, 4) + " |\n";
  text += "\n## Limits\n\n";
  for (const std::string& limit : limits_of(content, answers)) text += "- " + detail::markdown(limit) + "\n";
  return text;
}

}  // namespace digitnet::report
