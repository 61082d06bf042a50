// The pictures of a report: samples, answers and mistakes as lists of images with captions.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include "digitnet/report/content.hpp"
#include "digitnet/report/image_grid.hpp"

namespace digitnet::report {

/// How many images a grid of the report shows at most.
inline constexpr std::size_t most_shown = 24;

/// Image `index` of a dataset as a picture. Throws an Error if there is none.
inline Picture picture_of_image(const Dataset& data, std::size_t index) {
  const auto& extents = data.images.shape();
  if (index >= extents[0])
    fail("Image " + std::to_string(index) + " was asked for, but the dataset has " +
         std::to_string(extents[0]) + " images");
  const std::size_t size = extents[1] * extents[2] * extents[3];
  return digitnet::picture_of(data.images.data() + index * size, extents[1], extents[2], extents[3]);
}

/// "98.1 %"
inline std::string percent(double part, int digits = 1) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*f %%", digits, 100 * part);
  return text;
}

/// The first images of a dataset with their labels.
inline std::vector<GridCell> sample_cells(const Content& content, const Dataset& data) {
  std::vector<GridCell> cells;
  for (std::size_t i = 0; i < std::min(most_shown, data.size()); ++i)
    cells.push_back({picture_of_image(data, i), {class_name(content, data.labels(i))}});
  return cells;
}

/// Test images with the model's answers: framed in green where they are right, in red where they are wrong.
inline std::vector<GridCell> answer_cells(const Content& content, const Answers& answers,
                                          const std::vector<std::size_t>& samples) {
  std::vector<GridCell> cells;
  for (const std::size_t i : samples) {
    const std::size_t label = content.test->labels(i), answer = answers.classes(i);
    GridCell cell{.picture = picture_of_image(*content.test, i),
                  .caption = {class_name(content, answer) + " " + percent(double{answers.confidences[i]})},
                  .color = label == answer ? colors::right : colors::wrong,
                  .framed = true};
    if (label != answer) cell.caption.push_back("is " + class_name(content, label));
    cells.push_back(std::move(cell));
  }
  return cells;
}

/// The first test images.
inline std::vector<std::size_t> first_samples(const Content& content) {
  std::vector<std::size_t> samples(std::min(most_shown, content.test->size()));
  std::iota(samples.begin(), samples.end(), std::size_t{0});
  return samples;
}
/// The most confident mistakes.
inline std::vector<std::size_t> worst_mistakes(const Answers& answers) {
  return {answers.mistakes.begin(), answers.mistakes.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                   most_shown, answers.mistakes.size()))};
}

}  // namespace digitnet::report
