// Pictures as PNG files. Needs libpng (Debian: libpng-dev; CMake target digitnet::report).
#pragma once
#include <png.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "digitnet/core/atomic_file.hpp"
#include "digitnet/report/picture.hpp"

namespace digitnet {

/// The picture as the bytes of a PNG file.
inline std::string png_bytes(const Picture& picture) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width());
  image.height = static_cast<png_uint_32>(picture.height());
  image.format = PNG_FORMAT_RGB;
  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = bytes.size();
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.bytes().data(), 0, nullptr) == 0)
    fail(std::string("A picture cannot be written as PNG: ") + image.message);
  bytes.resize(size);
  return bytes;
}

/// Writes a PNG file; it appears whole or not at all. Errors are AtomicFile's.
inline void write_png(const std::string& path, const Picture& picture) {
  const std::string bytes = png_bytes(picture);
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

/// Pixels of a PNG file as bytes (height, width, channels): red, green, blue, and opacity where it has some.
struct PngPixels {
  std::size_t height = 0, width = 0, channels = 3;
  std::vector<std::uint8_t> bytes{};
};

namespace detail {

// Reads a PNG file; without opacity, what is transparent lies on white.
inline PngPixels read_png(std::span<const std::byte> bytes, std::size_t most_pixels, bool keeps_opacity) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) == 0)
    fail(std::string("This is not a PNG picture: ") + image.message);
  struct Free {
    png_image& image;
    ~Free() { png_image_free(&image); }
  } const free{image};
  if (std::size_t{image.width} * image.height > most_pixels)
    fail("A PNG picture of " + std::to_string(image.width) + " x " + std::to_string(image.height) +
         " pixels is larger than the " + std::to_string(most_pixels) + " pixels that are read");
  const bool opacity = keeps_opacity && (image.format & PNG_FORMAT_FLAG_ALPHA) != 0;
  image.format = opacity ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  PngPixels pixels{image.height, image.width, opacity ? std::size_t{4} : std::size_t{3}, {}};
  pixels.bytes.resize(pixels.height * pixels.width * pixels.channels);
  const png_color white{255, 255, 255};
  if (png_image_finish_read(&image, &white, pixels.bytes.data(), 0, nullptr) == 0)
    fail(std::string("A PNG picture is damaged: ") + image.message);
  return pixels;
}

}  // namespace detail

/// The pixels in the bytes of a PNG file, with their opacity. Errors are decode_png's.
inline PngPixels decode_png_pixels(std::span<const std::byte> bytes,
                                   std::size_t most_pixels = std::size_t{1} << 26) {
  return detail::read_png(bytes, most_pixels, true);
}

/// The picture in the bytes of a PNG file; what is transparent lies on white. Throws an Error for anything
/// else, and for more than `most_pixels`.
inline Picture decode_png(std::span<const std::byte> bytes, std::size_t most_pixels = std::size_t{1} << 26) {
  const PngPixels pixels = detail::read_png(bytes, most_pixels, false);
  Picture picture(pixels.width, pixels.height);
  std::copy(pixels.bytes.begin(), pixels.bytes.end(), picture.bytes().begin());
  return picture;
}

}  // namespace digitnet
