// Draws a sheet of synthetic digits, a column for each class, as a PGM picture: show_digits digits.pgm
#include <cstdio>
#include <digitnet/core/atomic_file.hpp>
#include <digitnet/digitnet.hpp>

using namespace digitnet;

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FILE.pgm\n", argv[0]);
    return 2;
  }
  try {
    constexpr std::size_t rows = 8, side = 28, gap = 4, width = 10 * (side + gap) + gap,
                          height = rows * (side + gap) + gap;
    std::string picture = "P5 " + std::to_string(width) + " " + std::to_string(height) + " 255\n";
    const std::size_t header = picture.size();
    picture.append(width * height, '\0');
    const Dataset data = synthetic_digits(400, Seed{2});
    std::size_t used[10] = {};
    for (std::size_t i = 0; i < data.size(); ++i) {
      const std::size_t digit = data.labels(i), row = used[digit]++;
      if (row >= rows) continue;
      for (std::size_t y = 0; y < side; ++y)
        for (std::size_t x = 0; x < side; ++x)
          picture[header + (gap + row * (side + gap) + y) * width + gap + digit * (side + gap) + x] =
              static_cast<char>(data.images(i, y, x, 0));
    }
    AtomicFile file(argv[1]);
    file.write(picture.data(), picture.size());
    file.commit();
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
