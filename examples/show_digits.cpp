// Draws a sheet of synthetic digits, a column for each class: show_digits digits.png. Without a file, digits
// are shown in the terminal.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <digitnet/digitnet.hpp>
#ifdef DIGITNET_WITH_REPORT
#include <digitnet/report/image_grid.hpp>
#include <digitnet/report/png.hpp>
#endif

using namespace digitnet;

namespace {

void show_in_terminal(const Dataset& data) {
  const bool color = ::isatty(STDOUT_FILENO) && std::getenv("NO_COLOR") == nullptr;
  for (std::size_t i = 0; i < 3; ++i)
    std::printf("%d\n%s", static_cast<int>(data.labels(i)),
                terminal_image(&data.images(i, 0, 0, 0), 28, 28, color).c_str());
}

void draw(const Dataset& data, const std::string& path) {
#ifdef DIGITNET_WITH_REPORT
  constexpr std::size_t rows = 8;
  std::vector<GridCell> cells(10 * rows, GridCell{Picture(28, 28)});
  std::size_t used[10] = {};
  for (std::size_t i = 0; i < data.size(); ++i)
    if (const std::size_t digit = data.labels(i), row = used[digit]++; row < rows)
      cells[row * 10 + digit].picture = picture_of(&data.images(i, 0, 0, 0), 28, 28, 1);
  write_png(path, image_grid(cells, {.columns = 10, .scale = 1, .gap = 4, .frame = 0}));
#else
  (void)data;
  fail(path + ": this program was built without pictures (Debian: libpng-dev)");
#endif
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 2) {
    std::fprintf(stderr, "usage: %s [FILE.png]\n", argv[0]);
    return 2;
  }
  try {
    const Dataset data = synthetic_digits(400, Seed{2});
    if (argc == 2)
      draw(data, argv[1]);
    else
      show_in_terminal(data);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
