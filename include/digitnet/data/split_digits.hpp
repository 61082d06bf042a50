// Finds the digits of a number that was written in a row.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "digitnet/data/ink_image.hpp"
#include "digitnet/data/ink_pieces.hpp"

namespace digitnet {

/// The digits of a number that was written in a row, from the left: boxes around connected ink. Strokes that
/// lie above one another belong to one digit (the bar of a 5 that does not touch); specks are left out.
inline std::vector<InkBox> split_digits(const InkImage& image) {
  image.check();
  std::vector<detail::InkPiece> pieces = detail::ink_pieces(image);
  const double most = detail::largest_mass(pieces);
  std::erase_if(pieces, [&](const detail::InkPiece& piece) { return piece.mass < 0.03 * most; });
  // What is much lower than the highest is no digit, but a bar or a part that does not touch: it belongs to
  // the piece that is nearest.
  std::size_t tallest = 0;
  for (const detail::InkPiece& piece : pieces) tallest = std::max(tallest, piece.box.height());
  std::vector<InkBox> boxes, parts;
  for (const detail::InkPiece& piece : pieces)
    (5 * piece.box.height() < 2 * tallest ? parts : boxes).push_back(piece.box);
  for (const InkBox& part : parts) {
    // Between columns, and then between rows; below 0 where they overlap.
    const auto distance = [&](const InkBox& box) {
      const auto gap = [](std::size_t a_begin, std::size_t a_end, std::size_t b_begin, std::size_t b_end) {
        return std::max(static_cast<double>(a_begin) - static_cast<double>(b_end),
                        static_cast<double>(b_begin) - static_cast<double>(a_end));
      };
      return gap(part.left, part.right, box.left, box.right) +
             std::max(0.0, gap(part.top, part.bottom, box.top, box.bottom));
    };
    const auto nearest = std::min_element(boxes.begin(), boxes.end(), [&](const InkBox& a, const InkBox& b) {
      return distance(a) < distance(b);
    });
    if (4 * distance(*nearest) < static_cast<double>(tallest))
      *nearest = nearest->with(part);
    else
      boxes.push_back(part);
  }
  std::sort(boxes.begin(), boxes.end(), [](const InkBox& a, const InkBox& b) { return a.left < b.left; });
  std::vector<InkBox> digits;
  for (const InkBox& box : boxes) {
    if (!digits.empty()) {
      InkBox& last = digits.back();
      const std::size_t right = std::min(last.right, box.right);
      const std::size_t shared = right > box.left ? right - box.left : 0;
      if (2 * shared > std::min(last.width(), box.width())) {
        last = last.with(box);
        continue;
      }
    }
    digits.push_back(box);
  }
  return digits;
}

}  // namespace digitnet
