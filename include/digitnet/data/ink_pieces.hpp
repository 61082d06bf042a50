// Finds the pieces of connected ink on a sheet.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "digitnet/data/ink_image.hpp"

namespace digitnet {

namespace detail {

// Ink that hangs together, also across corners.
struct InkPiece {
  InkBox box{};
  double mass = 0;
  // Row * width + column.
  std::vector<std::size_t> pixels{};
};

// All pieces, in the order of their first pixels.
inline std::vector<InkPiece> ink_pieces(const InkImage& image) {
  std::vector<InkPiece> pieces;
  std::vector<std::uint8_t> seen(image.ink.size());
  for (std::size_t start = 0; start < image.ink.size(); ++start) {
    if (seen[start] || !(image.ink[start] > 0)) continue;
    InkPiece piece{{image.height, image.width, 0, 0}};
    seen[start] = 1;
    piece.pixels.push_back(start);
    for (std::size_t i = 0; i < piece.pixels.size(); ++i) {
      const std::size_t row = piece.pixels[i] / image.width, column = piece.pixels[i] % image.width;
      piece.mass += double{image.at(row, column)};
      piece.box = {std::min(piece.box.top, row), std::min(piece.box.left, column),
                   std::max(piece.box.bottom, row + 1), std::max(piece.box.right, column + 1)};
      for (std::size_t r = row > 0 ? row - 1 : 0; r < std::min(row + 2, image.height); ++r)
        for (std::size_t c = column > 0 ? column - 1 : 0; c < std::min(column + 2, image.width); ++c)
          if (const std::size_t next = r * image.width + c; !seen[next] && image.ink[next] > 0) {
            seen[next] = 1;
            piece.pixels.push_back(next);
          }
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

inline double largest_mass(const std::vector<InkPiece>& pieces) {
  double most = 0;
  for (const InkPiece& piece : pieces) most = std::max(most, piece.mass);
  return most;
}

inline void erase(InkImage& image, const InkPiece& piece) {
  for (const std::size_t pixel : piece.pixels) image.ink[pixel] = 0;
}

}  // namespace detail

}  // namespace digitnet
