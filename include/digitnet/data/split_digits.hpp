// The digits of a number that was written in a row.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "digitnet/data/ink_image.hpp"

namespace digitnet {

/// The digits of a number that was written in a row, from the left: boxes around connected ink. Strokes that
/// lie above one another belong to one digit (the bar of a 5 that does not touch); specks are left out.
[[gnu::cold]] inline std::vector<InkBox> split_digits(const InkImage& image) {
  image.check();
  struct Piece {
    InkBox box;
    double mass;
  };
  std::vector<Piece> pieces;
  std::vector<bool> seen(image.ink.size());
  std::vector<std::size_t> stack;
  for (std::size_t start = 0; start < image.ink.size(); ++start) {
    if (seen[start] || !(image.ink[start] > 0)) continue;
    Piece piece{{image.height, image.width, 0, 0}, 0};
    seen[start] = true;
    stack.assign(1, start);
    while (!stack.empty()) {
      const std::size_t row = stack.back() / image.width, column = stack.back() % image.width;
      stack.pop_back();
      piece.mass += double{image.at(row, column)};
      piece.box = {std::min(piece.box.top, row), std::min(piece.box.left, column),
                   std::max(piece.box.bottom, row + 1), std::max(piece.box.right, column + 1)};
      for (std::size_t r = row > 0 ? row - 1 : 0; r < std::min(row + 2, image.height); ++r)
        for (std::size_t c = column > 0 ? column - 1 : 0; c < std::min(column + 2, image.width); ++c)
          if (const std::size_t next = r * image.width + c; !seen[next] && image.ink[next] > 0) {
            seen[next] = true;
            stack.push_back(next);
          }
    }
    pieces.push_back(piece);
  }
  double most = 0;
  for (const Piece& piece : pieces) most = std::max(most, piece.mass);
  std::erase_if(pieces, [&](const Piece& piece) { return piece.mass < 0.03 * most; });
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.box.left < b.box.left; });
  std::vector<InkBox> digits;
  for (const Piece& piece : pieces) {
    if (!digits.empty()) {
      InkBox& last = digits.back();
      const std::size_t right = std::min(last.right, piece.box.right);
      const std::size_t shared = right > piece.box.left ? right - piece.box.left : 0;
      if (2 * shared > std::min(last.width(), piece.box.width())) {
        last = {std::min(last.top, piece.box.top), last.left, std::max(last.bottom, piece.box.bottom),
                std::max(last.right, piece.box.right)};
        continue;
      }
    }
    digits.push_back(piece.box);
  }
  return digits;
}

}  // namespace digitnet
