// Pictures side by side in rows, each with a frame and lines of text below.
#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "digitnet/report/picture.hpp"

namespace digitnet {

/// One picture of a grid.
struct GridCell {
  Picture picture;
  /// Lines of text below the picture
  std::vector<std::string> caption{};
  /// Color of the caption, and of the frame where there is one
  Color color = colors::text;
  bool framed = false;
};

/// How a grid is laid out; lengths in pixels.
struct GridLayout {
  std::size_t columns = 6;
  /// How many pixels wide and high a pixel of the cells' pictures is drawn
  std::size_t scale = 5;
  /// The same for the letters' pixels; less where captions would not fit
  std::size_t text_scale = 3;
  /// Pixels between cells, and around them
  std::size_t gap = 10;
  std::size_t frame = 4;

  /// The upper left corner of a cell's picture, inside its frame, in a grid of these cells.
  std::size_t left(std::size_t cell, std::size_t cell_width) const {
    return gap + frame + cell % columns * (cell_width + 2 * frame + gap);
  }
  std::size_t top(std::size_t cell, std::size_t cell_height, std::size_t caption_height) const {
    return gap + frame + cell / columns * (cell_height + 2 * frame + caption_height + gap);
  }
};

/// The grid as one picture. All cells take the room of the largest.
inline Picture image_grid(const std::vector<GridCell>& cells, const GridLayout& layout = {}) {
  if (cells.empty() || layout.columns == 0) fail("A grid of images needs at least one image and one column");
  std::size_t width = 0, height = 0, lines = 0, letters = 0;
  for (const GridCell& cell : cells) {
    width = std::max(width, cell.picture.width() * layout.scale);
    height = std::max(height, cell.picture.height() * layout.scale);
    lines = std::max(lines, cell.caption.size());
    for (const std::string& line : cell.caption) letters = std::max(letters, line.size());
  }
  std::size_t text_scale = layout.text_scale;
  const std::size_t room = width + 2 * layout.frame;
  while (text_scale > 1 && letters * (Glyphs::width + 1) * text_scale > room) --text_scale;
  const std::size_t line_height = (Glyphs::height + 3) * text_scale;
  const std::size_t columns = std::min(layout.columns, cells.size());
  const std::size_t rows = (cells.size() + layout.columns - 1) / layout.columns;
  Picture grid(layout.gap + columns * (room + layout.gap),
               layout.gap + rows * (height + 2 * layout.frame + lines * line_height + layout.gap));
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const GridCell& cell = cells[i];
    const std::size_t x = layout.left(i, width), y = layout.top(i, height, lines * line_height);
    if (cell.framed)
      grid.fill(x - layout.frame, y - layout.frame, cell.picture.width() * layout.scale + 2 * layout.frame,
                cell.picture.height() * layout.scale + 2 * layout.frame, cell.color);
    grid.draw(cell.picture, x, y, layout.scale);
    for (std::size_t line = 0; line < cell.caption.size(); ++line) {
      const std::size_t text = Picture::text_width(cell.caption[line], text_scale);
      const std::size_t left = x - layout.frame + (room > text ? (room - text) / 2 : 0);
      grid.write(cell.caption[line], left,
                 y + height + layout.frame + line * line_height + 3 * text_scale / 2, text_scale, cell.color);
    }
  }
  return grid;
}

}  // namespace digitnet
