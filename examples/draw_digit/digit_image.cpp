#include "digit_image.hpp"

#include <algorithm>
#include <digitnet/report/png.hpp>
#include <span>
#include <utility>

namespace draw {

using digitnet::fail;

namespace {

// The numbers of a PGM file's header: width, height, largest value. Between them is white space, or a
// comment.
class PgmHeader {
 public:
  explicit PgmHeader(std::string_view file) : file_(file) {}

  std::size_t number(const char* what, std::size_t most) {
    skip_space();
    std::size_t value = 0, digits = 0;
    for (; place_ < file_.size() && file_[place_] >= '0' && file_[place_] <= '9'; ++place_, ++digits) {
      value = 10 * value + static_cast<std::size_t>(file_[place_] - '0');
      if (value > most)
        fail(std::string("The PGM picture's ") + what + " is more than the " + std::to_string(most) +
             " that is read");
    }
    if (digits == 0 || value == 0) fail(std::string("The PGM picture's header has no ") + what);
    return value;
  }
  // One character of white space ends the header.
  std::string_view rest() const { return file_.substr(std::min(file_.size(), place_ + 1)); }

 private:
  void skip_space() {
    for (; place_ < file_.size(); ++place_) {
      if (file_[place_] == '#')
        place_ = std::min(file_.find('\n', place_), file_.size() - 1);
      else if (file_[place_] != ' ' && file_[place_] != '\n' && file_[place_] != '\t' &&
               file_[place_] != '\r')
        return;
    }
  }

  std::string_view file_;
  std::size_t place_ = 2;
};

// The number of pixels.
std::size_t checked_size(const char* format, std::size_t width, std::size_t height) {
  if (width == 0 || height == 0) fail(std::string("The ") + format + " picture has no pixels");
  if (width > most_pixels / height)
    fail(std::string("A ") + format + " picture of " + std::to_string(width) + " x " +
         std::to_string(height) + " pixels is larger than the " + std::to_string(most_pixels) +
         " pixels that are read");
  return width * height;
}

DigitImage decode_pgm(std::string_view file) {
  PgmHeader header(file);
  DigitImage image;
  image.width = header.number("width", most_pixels);
  image.height = header.number("height", most_pixels);
  const std::size_t size = checked_size("PGM", image.width, image.height),
                    largest = header.number("largest value", 255);
  const std::string_view bytes = header.rest();
  if (bytes.size() != size)
    fail("The PGM picture has " + std::to_string(bytes.size()) + " bytes after its header, but " +
         std::to_string(image.width) + " x " + std::to_string(image.height) + " pixels are " +
         std::to_string(size));
  image.bytes.resize(size);
  std::transform(bytes.begin(), bytes.end(), image.bytes.begin(), [&](char byte) {
    return static_cast<std::uint8_t>(std::min<std::size_t>(static_cast<std::uint8_t>(byte), largest) * 255 /
                                     largest);
  });
  return image;
}

}  // namespace

std::size_t pixels_of_image(std::string_view file) {
  if (file.starts_with("P5")) {
    PgmHeader header(file);
    const std::size_t width = header.number("width", most_pixels);
    return checked_size("PGM", width, header.number("height", most_pixels));
  }
  if (!file.starts_with("\x89PNG"))
    fail(file.empty() ? "There is no picture in the request: send a PNG or PGM file as its body"
                      : "The body is neither a PNG nor a binary PGM picture (P5): send one of these");
  // PNG (third edition), section 11.2.1: IHDR is the first chunk, and begins with width and height.
  constexpr std::size_t header_place = 12, width_place = 16, height_place = 20;
  if (file.size() < height_place + 4 || file.substr(header_place, 4) != "IHDR")
    fail("The PNG picture is damaged: it does not begin with its header");
  const auto number = [&](std::size_t place) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = 256 * value + static_cast<std::uint8_t>(file[place + i]);
    return value;
  };
  return checked_size("PNG", number(width_place), number(height_place));
}

DigitImage decode_image(std::string_view file) {
  pixels_of_image(file);
  if (file.starts_with("P5")) return decode_pgm(file);
  digitnet::PngPixels pixels =
      digitnet::decode_png_pixels(std::as_bytes(std::span(file.data(), file.size())), most_pixels);
  return {pixels.height, pixels.width, pixels.channels, std::move(pixels.bytes)};
}

}  // namespace draw
