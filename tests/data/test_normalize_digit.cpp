// Drawings and photos become what MNIST looks like: MNIST's own images, drawn large, shifted and inverted,
// come back.
#include <digitnet/data/datasets.hpp>
#include <digitnet/data/normalize_digit.hpp>
#include <digitnet/data/synthetic_digits.hpp>
#include <limits>

#include "support/support.hpp"

using namespace digitnet;

namespace {

// An image of 28 x 28, each pixel scale x scale, somewhere on a larger sheet; dark on light if inverted.
struct Sheet {
  std::size_t height, width;
  std::vector<std::uint8_t> bytes;

  Sheet(std::size_t height_, std::size_t width_, std::uint8_t color)
      : height(height_), width(width_), bytes(height_ * width_, color) {}
  void draw(const std::uint8_t* image, std::size_t top, std::size_t left, std::size_t scale, bool inverted) {
    for (std::size_t y = 0; y < 28 * scale; ++y)
      for (std::size_t x = 0; x < 28 * scale; ++x) {
        const std::uint8_t value = image[y / scale * 28 + x / scale];
        if (value > 0)
          bytes[(top + y) * width + left + x] = inverted ? static_cast<std::uint8_t>(255 - value) : value;
      }
  }
  InkImage ink() const { return find_ink(bytes.data(), height, width, 1); }
};

double mean_error(const std::array<float, 784>& found, const std::uint8_t* wanted) {
  double sum = 0;
  for (std::size_t i = 0; i < 784; ++i)
    sum += std::abs(double{found[i]} - static_cast<double>(wanted[i]) / 255);
  return sum / 784;
}

}  // namespace

TEST_CASE("real digits, drawn five times as large, shifted and inverted, come back") {
  Dataset data;
  try {
    data = datasets::mnist({.allow_download = false}).test;
  } catch (const Error&) {
    MESSAGE("MNIST is not here: nothing was compared");
    return;
  }
  double sum = 0;
  std::size_t alike = 0;
  constexpr std::size_t count = 500;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* const image = &data.images(i, 0, 0, 0);
    Sheet sheet(180, 220, 255);
    sheet.draw(image, 7 + i % 30, 3 + i % 70, 5, true);
    const double error = mean_error(normalize_digit(sheet.ink()), image);
    sum += error;
    alike += error < 0.003;
  }
  MESSAGE("mean error ", sum / count, " of 1, ", alike, " of ", count, " the same");
  CHECK(sum / count < 0.02);
  CHECK(alike > count * 8 / 10);
}

TEST_CASE("a digit fills a box of 20 by 20 around its center of mass") {
  const Dataset data = synthetic_digits(50, Seed{3});
  for (std::size_t i = 0; i < data.size(); ++i) {
    Sheet sheet(300, 200, 0);
    sheet.draw(&data.images(i, 0, 0, 0), 100, 20, 6, false);
    const auto found = normalize_digit(sheet.ink());
    InkImage image{28, 28, {found.begin(), found.end()}};
    const InkBox box = box_of_ink(image);
    CHECK(std::max(box.height(), box.width()) == 20);
    double mass = 0, row = 0, column = 0;
    for (std::size_t p = 0; p < 784; ++p) {
      mass += double{found[p]};
      row += double{found[p]} * static_cast<double>(p / 28);
      column += double{found[p]} * static_cast<double>(p % 28);
    }
    // Half a pixel, unless the image's edge is in the way.
    if (box.top > 0 && box.bottom < 28) CHECK(std::abs(row / mass - 14) <= 0.51);
    if (box.left > 0 && box.right < 28) CHECK(std::abs(column / mass - 14) <= 0.51);
  }
}

TEST_CASE("the ink is found on light, dark, colored and noisy sheets") {
  const Dataset data = synthetic_digits(1, Seed{5});
  const std::uint8_t* const digit = data.images.data();
  Sheet dark(60, 60, 0), light(60, 60, 255);
  dark.draw(digit, 10, 12, 1, false);
  light.draw(digit, 10, 12, 1, true);
  support::check_close(normalize_digit(dark.ink()), normalize_digit(light.ink()), 1e-5);

  // Blue ink on yellow paper with noise.
  Random random(Seed{6});
  std::vector<std::uint8_t> colored(60 * 60 * 3);
  for (std::size_t i = 0; i < 3600; ++i) {
    const double ink = static_cast<double>(dark.bytes[i]) / 255;
    const double paper[] = {250, 240, 170}, pen[] = {20, 30, 120};
    for (std::size_t c = 0; c < 3; ++c)
      colored[3 * i + c] = static_cast<std::uint8_t>(
          std::clamp(paper[c] + ink * (pen[c] - paper[c]) + 3 * random.normal(), 0.0, 255.0));
  }
  const auto found = normalize_digit(find_ink(colored.data(), 60, 60, 3));
  const auto wanted = normalize_digit(dark.ink());
  double error = 0;
  for (std::size_t i = 0; i < 784; ++i) error += std::abs(double{found[i] - wanted[i]}) / 784;
  CHECK(error < 0.05);

  const std::vector<std::uint8_t> empty(100, 77);
  CHECK(box_of_ink(find_ink(empty.data(), 10, 10, 1)).empty());
  CHECK(normalize_digit(find_ink(empty.data(), 10, 10, 1)) == std::array<float, 784>{});
  const std::uint8_t pixel = 9;
  CHECK(normalize_digit(find_ink(&pixel, 1, 1, 1)) == std::array<float, 784>{});
  CHECK_ERROR("at least one pixel", find_ink(&pixel, 0, 1, 1));
}

TEST_CASE("photos under uneven light are read like clean drawings") {
  const Dataset data = synthetic_digits(20, Seed{8});
  Random random(Seed{9});
  constexpr std::size_t height = 240, width = 320;
  // Paper whose light falls from 220 to 120, with noise.
  const auto photo = [&](const Sheet& sheet, double contrast) {
    std::vector<std::uint8_t> bytes(height * width);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const double x = static_cast<double>(i % width) / width, y = static_cast<double>(i / width) / height;
      const double paper = 220 - 70 * x - 30 * y * y;
      const double ink = contrast * static_cast<double>(sheet.bytes[i]) / 255;
      bytes[i] = static_cast<std::uint8_t>(std::clamp(paper * (1 - ink) + 3 * random.normal(), 0.0, 255.0));
    }
    return find_ink(bytes.data(), height, width, 1);
  };
  double worst = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    Sheet sheet(height, width, 0);
    sheet.draw(&data.images(i, 0, 0, 0), 20 + i, 30 + 5 * i, 5, false);
    const InkImage ink = photo(sheet, 0.7);
    CHECK(split_digits(ink).size() == split_digits(sheet.ink()).size());
    const auto found = normalize_digit(ink), wanted = normalize_digit(sheet.ink());
    double error = 0;
    for (std::size_t p = 0; p < 784; ++p) error += std::abs(double{found[p] - wanted[p]}) / 784;
    worst = std::max(worst, error);
  }
  MESSAGE("largest mean error ", worst, " of 1");
  CHECK(worst < 0.08);
  CHECK(box_of_ink(photo(Sheet(height, width, 0), 0.7)).empty());
}

TEST_CASE("extreme shapes stay inside") {
  for (const auto& [height, width] : {std::pair<std::size_t, std::size_t>{400, 3}, {2, 500}, {1, 1}}) {
    Sheet sheet(420, 520, 255);
    for (std::size_t y = 0; y < height; ++y)
      for (std::size_t x = 0; x < width; ++x) sheet.bytes[(10 + y) * 520 + 10 + x] = 0;
    const auto found = normalize_digit(sheet.ink());
    const InkBox box = box_of_ink({28, 28, {found.begin(), found.end()}});
    CHECK(std::max(box.height(), box.width()) == 20);
    // A line is as wide as a pen.
    const std::size_t narrow = std::min(box.height(), box.width());
    CHECK((height == width ? narrow == 20 : narrow >= 2 && narrow <= 3));
  }
}

TEST_CASE("numbers are split into digits, from the left") {
  Sheet sheet(100, 300, 255);
  const auto bar = [&](std::size_t top, std::size_t left, std::size_t height, std::size_t width) {
    for (std::size_t y = 0; y < height; ++y)
      for (std::size_t x = 0; x < width; ++x) sheet.bytes[(top + y) * 300 + left + x] = 0;
  };
  bar(20, 200, 60, 10);  // a one at the right
  bar(20, 30, 5, 40);    // a five whose bar does not touch
  bar(30, 30, 40, 8);
  bar(65, 38, 8, 30);
  bar(50, 120, 2, 2);  // a speck
  const auto digits = split_digits(sheet.ink());
  REQUIRE(digits.size() == 2);
  CHECK(digits[0].left == 30);
  CHECK(digits[0].right == 70);
  CHECK(digits[0].top == 20);
  CHECK(digits[0].bottom == 73);
  CHECK(digits[1].left == 200);
  CHECK(split_digits(Sheet(9, 9, 1).ink()).empty());
}

TEST_CASE("what is no number is no ink, and boxes beyond the sheet are cut off") {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  InkImage image{60, 50, std::vector<float>(3000)};
  for (std::size_t row = 20; row < 40; ++row) image.at(row, 25) = 1;
  const auto wanted = normalize_digit(image);
  const InkBox box = box_of_ink(image);
  InkImage damaged = image;
  damaged.at(0, 0) = nan;
  damaged.at(1, 1) = -inf;
  damaged.at(2, 2) = -3;
  damaged.at(30, 25) = inf;
  CHECK(normalize_digit(damaged) == wanted);
  REQUIRE(split_digits(damaged).size() == 1);
  CHECK(split_digits(damaged)[0].left == box.left);
  CHECK(normalize_digit(damaged, {0, 0, 999, 999}) == normalize_digit(image, {0, 0, 60, 50}));
  CHECK(normalize_digit(damaged, {70, 70, 999, 999}) == std::array<float, 784>{});
  for (const float value : {nan, -inf}) {
    const InkImage nothing{60, 50, std::vector<float>(3000, value)};
    CHECK(normalize_digit(nothing) == std::array<float, 784>{});
    CHECK(split_digits(nothing).empty());
  }
  for (const float value : normalize_digit(InkImage{60, 50, std::vector<float>(3000, inf)}))
    CHECK(value <= 1);

  for (const InkImage& empty : {InkImage{}, InkImage{0, 9, {}}, InkImage{9, 0, {}}}) {
    CHECK(normalize_digit(empty) == std::array<float, 784>{});
    CHECK(split_digits(empty).empty());
  }
  CHECK(resized(image, {5, 5, 5, 9}, 3, 3).ink == std::vector<float>(9));
  CHECK(resized(image, box, 0, 3).ink.empty());
  CHECK_ERROR("3 x 3 pixels has 4 values", normalize_digit(InkImage{3, 3, std::vector<float>(4)}));
  CHECK_ERROR("3 x 3 pixels has 4 values", split_digits(InkImage{3, 3, std::vector<float>(4)}));
}
