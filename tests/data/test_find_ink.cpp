// Digits on real paper: drawn with thin and bold pens, on ruled, squared, framed and shaded sheets, and on
// transparent ones, the bundled network reads them.
#include <cmath>
#include <digitnet/data/datasets.hpp>
#include <digitnet/data/normalize_digit.hpp>
#include <digitnet/data/skeleton.hpp>
#include <digitnet/data/synthetic_digits.hpp>
#include <digitnet/io/safetensors.hpp>
#include <digitnet/model/predictor.hpp>
#include <functional>
#include <string>

#include "../../examples/support/pretrained_cnn.hpp"
#include "support/support.hpp"

using namespace digitnet;

namespace {

constexpr std::size_t side = 280;

// Brightness of (side, side) pixels, from 0 to 1.
struct Sheet {
  std::vector<double> light = std::vector<double>(side * side, 1.0);

  void shade(const std::function<double(double x, double y)>& factor) {
    for (std::size_t i = 0; i < light.size(); ++i)
      light[i] *= factor(static_cast<double>(i % side) / side, static_cast<double>(i / side) / side);
  }
  // From edge to edge, turned by an angle about the sheet's middle row or column.
  void line(double place, double width, double darkness, double angle, bool down) {
    for (std::size_t along = 0; along < side; ++along) {
      const double middle = place + (static_cast<double>(along) - side / 2.0) * std::tan(angle);
      for (std::size_t across = 0; across < side; ++across) {
        const double covered =
            std::clamp(width / 2 - std::abs(static_cast<double>(across) + 0.5 - middle) + 0.5, 0.0, 1.0);
        double& pixel = light[down ? along * side + across : across * side + along];
        pixel = std::min(pixel, 1 - darkness * covered);
      }
    }
  }
  std::vector<std::uint8_t> bytes() const {
    std::vector<std::uint8_t> result(light.size());
    std::transform(light.begin(), light.end(), result.begin(), [](double value) {
      return static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0, 1.0)));
    });
    return result;
  }
};

// A digit as strokes in a box 1 wide and 1 high.
struct Written {
  detail::Drawing drawing;
  std::uint32_t label;
};

// `count` of MNIST's test digits where they are, and as many drawn ones; else twice as many drawn ones.
std::vector<Written> written_digits(std::size_t count) {
  std::vector<Written> result;
  try {
    const Dataset data = datasets::mnist({.allow_download = false}).test;
    for (std::size_t i = 0; i < count; ++i) {
      InkImage image{28, 28, std::vector<float>(784)};
      std::transform(&data.images(i, 0, 0, 0), &data.images(i, 0, 0, 0) + 784, image.ink.begin(),
                     [](std::uint8_t value) { return static_cast<float>(value) / 255; });
      constexpr std::size_t finer = 28 * 6;
      const InkImage large = resized(image, {0, 0, 28, 28}, finer, finer);
      detail::Mask mask(finer, finer);
      for (std::size_t row = 0; row < finer; ++row)
        for (std::size_t column = 0; column < finer; ++column)
          mask.at(row, column) = large.at(row, column) > 0.45f;
      detail::thin(mask);
      result.push_back({detail::trace(mask), data.labels(i)});
    }
  } catch (const DatasetNotFound&) {
    MESSAGE("MNIST is not here: only synthetic digits are read");
  }
  for (std::size_t i = 0; result.size() < 2 * count; ++i) {
    Random random(RandomKey(Seed{21}).child(i));
    const auto digit = static_cast<std::uint32_t>(random.below(10));
    result.push_back({detail::written_digit(digit, Writers::usual, random), digit});
  }
  for (Written& digit : result) {
    const detail::InkExtent extent(digit.drawing);
    const double size = std::max({extent.width(), extent.height(), 1e-6});
    for (detail::Stroke& stroke : digit.drawing)
      for (detail::Point& point : stroke)
        point = {(point.x - extent.middle().x) / size + 0.5, (point.y - extent.middle().y) / size + 0.5};
  }
  return result;
}

// What the pen left: 0 nothing, 1 ink. Digits lie apart from the edges, 55 to 75 % of the sheet high or wide.
InkImage penned(const Written& digit, double pen, Random& random) {
  const double size = random.uniform(0.55, 0.75) * side - pen;
  const double room = side - size - pen;
  const double left = pen / 2 + room * random.uniform(0.2, 0.8),
               top = pen / 2 + room * random.uniform(0.2, 0.8);
  detail::Drawing drawing = digit.drawing;
  for (detail::Stroke& stroke : drawing)
    for (detail::Point& point : stroke) point = {left + size * point.x, top + size * point.y};
  InkImage ink{side, side, std::vector<float>(side * side)};
  detail::draw_strokes(drawing, pen, 1, ink);
  return ink;
}

const auto& network() {
  static const auto model = [] {
    auto cnn = program::cnn_with_dropout(Seed{1});
    load_safetensors(cnn, DIGITNET_MODELS "/mnist_cnn.safetensors");
    return cnn;
  }();
  return model;
}

// How many of the digits are read, in percent, on sheets that `prepare` makes for each of them.
double read(const std::vector<Written>& digits, double least_pen, double most_pen,
            const std::function<void(Sheet&, Random&)>& prepare,
            const std::function<void(Sheet&, Random&)>& light = {}) {
  Matrix images(std::array<std::size_t, 2>{digits.size(), 784});
  std::vector<std::size_t> pieces(digits.size());
  for (std::size_t i = 0; i < digits.size(); ++i) {
    Random random(RandomKey(Seed{22}).child(i));
    Sheet sheet;
    if (prepare) prepare(sheet, random);
    const double share = std::exp(random.uniform(std::log(least_pen), std::log(most_pen)));
    const InkImage pen = penned(digits[i], std::max(1.0, share * side), random);
    for (std::size_t p = 0; p < pen.ink.size(); ++p) sheet.light[p] *= 1 - 0.95 * double{pen.ink[p]};
    if (light) light(sheet, random);
    const InkImage ink = find_ink(sheet.bytes().data(), side, side, 1);
    const auto boxes = split_digits(ink);
    pieces[i] = boxes.size();
    const auto image = normalize_digit(ink, boxes.size() == 1 ? boxes[0] : box_of_ink(ink));
    std::copy(image.begin(), image.end(), images.data() + i * 784);
  }
  const auto classes = network().predict_classes(images);
  std::size_t right = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) right += pieces[i] == 1 && classes(i) == digits[i].label;
  return 100 * static_cast<double>(right) / static_cast<double>(digits.size());
}

void ruled(Sheet& sheet, Random& random, double least, double most, double angle, bool squared) {
  const double spacing = random.uniform(0.06, 0.14) * side, darkness = random.uniform(least, most);
  const double width = 1 + static_cast<double>(random.below(3)), turn = random.uniform(-angle, angle);
  for (double place = random.uniform(0.1, 0.9) * spacing; place < side; place += spacing) {
    sheet.line(place, width, darkness, turn, false);
    if (squared) sheet.line(place, width, darkness, -turn, true);
  }
}

}  // namespace

TEST_CASE("thin and bold pens are read") {
  const auto digits = written_digits(70);
  CHECK(read(digits, 0.0025, 0.005, {}) >= 96);
  CHECK(read(digits, 0.005, 0.02, {}) >= 96);
  CHECK(read(digits, 0.02, 0.06, {}) >= 96);
}

TEST_CASE("what is printed on a sheet is not read") {
  const auto digits = written_digits(50);
  const auto on = [&](const std::string& kind, const std::function<void(Sheet&, Random&)>& prepare) {
    const double share = read(digits, 0.01, 0.05, prepare);
    MESSAGE(kind, ": ", share, " % are read");
    CHECK_MESSAGE(share >= 90, kind);
  };
  on("ruled", [](Sheet& sheet, Random& random) { ruled(sheet, random, 0.4, 1, 0, false); });
  on("faintly ruled", [](Sheet& sheet, Random& random) { ruled(sheet, random, 0.08, 0.3, 0.03, false); });
  on("squared", [](Sheet& sheet, Random& random) { ruled(sheet, random, 0.2, 0.8, 0, true); });
  on("squared, askew", [](Sheet& sheet, Random& random) { ruled(sheet, random, 0.2, 0.6, 0.04, true); });
  on("beside a margin line", [](Sheet& sheet, Random& random) {
    sheet.line(random.uniform(0.02, 0.06) * side, 1 + static_cast<double>(random.below(4)),
               random.uniform(0.4, 1), 0, true);
  });
  for (const double inset : {0.0, 7.0})
    on("framed", [&](Sheet& sheet, Random& random) {
      const auto width = static_cast<double>(1 + random.below(6));
      sheet.shade([&](double x, double y) {
        const double edge = side * std::min(std::min(x, 1 - x - 1.0 / side), std::min(y, 1 - y - 1.0 / side));
        return edge >= inset - 0.01 && edge < inset + width - 0.01 ? 0.0 : 1.0;
      });
    });
}

TEST_CASE("digits are read under uneven light") {
  const auto digits = written_digits(50);
  const auto under = [&](const std::string& kind, const std::function<void(Sheet&, Random&)>& light) {
    const double share = read(digits, 0.01, 0.05, {}, [&](Sheet& sheet, Random& random) {
      light(sheet, random);
      for (double& value : sheet.light) value += 0.008 * random.normal();
    });
    MESSAGE(kind, ": ", share, " % are read");
    CHECK_MESSAGE(share >= 90, kind);
  };
  under("gradient", [](Sheet& sheet, Random& random) {
    const double angle = random.uniform(0, 6.28), fall = random.uniform(0.2, 0.7);
    sheet.shade([&](double x, double y) {
      return 0.9 - fall * (0.5 + 0.7 * ((x - 0.5) * std::cos(angle) + (y - 0.5) * std::sin(angle)));
    });
  });
  under("dark corners", [](Sheet& sheet, Random& random) {
    const double fall = random.uniform(0.5, 1.4);
    sheet.shade(
        [&](double x, double y) { return 1 - fall * ((x - 0.5) * (x - 0.5) + (y - 0.5) * (y - 0.5)); });
  });
  under("shadow", [](Sheet& sheet, Random& random) {
    const double angle = random.uniform(0, 6.28), place = random.uniform(-0.2, 0.2);
    const double soft = random.uniform(0.002, 0.2), depth = random.uniform(0.2, 0.6);
    sheet.shade([&](double x, double y) {
      const double behind = (x - 0.5) * std::cos(angle) + (y - 0.5) * std::sin(angle) - place;
      return 1 - depth * std::clamp(behind / soft + 0.5, 0.0, 1.0);
    });
  });
}

TEST_CASE("light and dark ink is found on transparent sheets") {
  const auto digits = written_digits(1);
  Random random(Seed{3});
  const InkImage pen = penned(digits.back(), 8, random);
  std::vector<std::uint8_t> opaque(side * side);
  for (std::size_t i = 0; i < opaque.size(); ++i)
    opaque[i] = static_cast<std::uint8_t>(255 - std::lround(255 * pen.ink[i]));
  const auto wanted = normalize_digit(find_ink(opaque.data(), side, side, 1));
  for (const std::size_t channels : {2u, 4u})
    for (const int ink : {0, 60, 200, 255})
      // What is behind opacity 0 may be anything.
      for (const int hidden : {0, 255}) {
        std::vector<std::uint8_t> bytes;
        for (const float value : pen.ink) {
          for (std::size_t c = 0; c + 1 < channels; ++c)
            bytes.push_back(static_cast<std::uint8_t>(value > 0 ? ink : hidden));
          bytes.push_back(static_cast<std::uint8_t>(std::lround(255 * value)));
        }
        support::check_close(normalize_digit(find_ink(bytes.data(), side, side, channels)), wanted, 0.05);
      }
  // An opaque sheet whose corners are cut off.
  std::vector<std::uint8_t> cut;
  for (std::size_t i = 0; i < opaque.size(); ++i) {
    const std::size_t x = i % side, y = i / side,
                      corner = std::min(x, side - 1 - x) + std::min(y, side - 1 - y);
    cut.insert(cut.end(), {corner < 20 ? std::uint8_t{0} : opaque[i],
                           corner < 20 ? std::uint8_t{0} : std::uint8_t{255}});
  }
  const auto found = normalize_digit(find_ink(cut.data(), side, side, 2));
  double error = 0;
  for (std::size_t i = 0; i < 784; ++i) error += std::abs(double{found[i] - wanted[i]}) / 784;
  CHECK(error < 0.02);
  CHECK(box_of_ink(find_ink(std::vector<std::uint8_t>(400).data(), 10, 10, 4)).empty());
}

TEST_CASE("a line alone is a one, rulings alone are nothing, and large images are made smaller") {
  Sheet one;
  one.line(140, 8, 1, 0.02, true);
  CHECK_FALSE(box_of_ink(find_ink(one.bytes().data(), side, side, 1)).empty());
  Sheet paper;
  for (double place = 20; place < side; place += 25) paper.line(place, 1, 0.7, 0.01, false);
  CHECK(box_of_ink(find_ink(paper.bytes().data(), side, side, 1)).empty());

  const InkImage small = find_ink(one.bytes().data(), side, side, 1, 100);
  CHECK(std::pair(small.height, small.width) == std::pair<std::size_t, std::size_t>(100, 100));
  for (const auto& [height, width] :
       {std::pair<std::size_t, std::size_t>{1, 1}, {1, 900}, {900, 1}, {3, 2}, {9, 17}}) {
    std::vector<std::uint8_t> noise(height * width);
    Random random(Seed{4});
    for (std::uint8_t& value : noise) value = static_cast<std::uint8_t>(random.below(256));
    for (const float value : normalize_digit(find_ink(noise.data(), height, width, 1))) CHECK(value <= 1);
  }
}
