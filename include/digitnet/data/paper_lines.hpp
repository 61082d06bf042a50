// Removes what is printed on a sheet: rulings, squares, margin lines, frames.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "digitnet/data/ink_image.hpp"
#include "digitnet/data/ink_pieces.hpp"

namespace digitnet {

namespace detail {

inline InkImage transposed(const InkImage& image) {
  InkImage result{image.width, image.height, std::vector<float>(image.ink.size())};
  constexpr std::size_t tile = 32;
  for (std::size_t top = 0; top < image.height; top += tile)
    for (std::size_t left = 0; left < image.width; left += tile)
      for (std::size_t row = top; row < std::min(top + tile, image.height); ++row)
        for (std::size_t column = left; column < std::min(left + tile, image.width); ++column)
          result.ink[column * image.height + row] = image.ink[row * image.width + column];
  return result;
}

// Straight lines from the left edge of a sheet to its right one, all at the same slight slope.
class SheetLines {
 public:
  // Lines from edge to edge, at the slope at which the most rows are ink: a sheet lies a little askew.
  explicit SheetLines(const InkImage& image)
      : image_(image), strip_(std::max<std::size_t>(4, image.width / 64)), strips_(image.width / strip_) {
    // Most sheets without lines end here.
    if (strips_ < 8 || image.height < 8 || !find_edges()) return;
    find_strips();
    const auto steepest = static_cast<int>(0.07 * static_cast<double>(image.width));
    std::vector<double> sums;
    for (int drop = -steepest; drop <= steepest; ++drop) {
      double& sum = sums.emplace_back(0);
      for (std::size_t row = 0; row < image.height; ++row) {
        if (!left_[row]) continue;
        const double covered = coverage(static_cast<std::ptrdiff_t>(row), drop);
        if (covered >= least_) sum += covered * covered * covered * covered;
      }
    }
    const auto best = std::max_element(sums.begin(), sums.end());
    if (*best <= 0) return;
    // In the middle of those that are about as good.
    auto first = best, last = best;
    while (first != sums.begin() && *(first - 1) > 0.97 * *best) --first;
    while (last + 1 != sums.end() && *(last + 1) > 0.97 * *best) ++last;
    drop_ = static_cast<int>((first - sums.begin() + (last - sums.begin())) / 2) - steepest;
    collect();
  }
  // What is left of lines at a known slope, where they fade in a shadow: they begin or end at an edge.
  SheetLines(const InkImage& image, int drop)
      : image_(image),
        strip_(std::max<std::size_t>(4, image.width / 64)),
        strips_(image.width / strip_),
        edges_(1),
        drop_(drop),
        least_(0.3) {
    if (strips_ < 8 || image.height < 8 || !find_edges()) return;
    find_strips();
    collect();
  }

  bool empty() const { return middles_.empty(); }
  std::size_t count() const { return middles_.size(); }
  // How many rows lower the lines end than they begin.
  int drop() const { return drop_; }

  // Takes the lines' ink, and leaves that of strokes which cross them or run along them: there the ink is
  // higher than the line is thick, or darker than the line.
  void erase(InkImage& image) const {
    struct Line {
      std::vector<Run> runs;
      std::size_t thickness;
      float level;
    };
    std::vector<Line> lines;
    std::vector<std::size_t> usual;
    for (const double middle : middles_) {
      Line line{traced(image, middle), 0, 0};
      std::vector<std::size_t> heights;
      std::vector<float> levels;
      for (const Run& run : line.runs)
        if (run.height() > 0) {
          heights.push_back(run.height());
          levels.push_back(run.darkest);
        }
      if (heights.empty()) continue;
      const auto thin = heights.begin() + static_cast<std::ptrdiff_t>(heights.size() / 4);
      std::nth_element(heights.begin(), thin, heights.end());
      const auto level = levels.begin() + static_cast<std::ptrdiff_t>(levels.size() / 2);
      std::nth_element(levels.begin(), level, levels.end());
      line.thickness = *thin;
      line.level = *level;
      usual.push_back(line.thickness);
      lines.push_back(std::move(line));
    }
    if (lines.empty()) return;
    const auto middle = usual.begin() + static_cast<std::ptrdiff_t>(usual.size() / 2);
    std::nth_element(usual.begin(), middle, usual.end());
    for (const Line& line : lines) {
      const std::size_t thickness = std::min(line.thickness, 2 * *middle);
      // A bar, not a line.
      if (20 * thickness > std::max<std::size_t>(image.height, 60)) continue;
      const std::size_t highest = thickness + std::max<std::size_t>(1, (thickness + 1) / 2);
      for (std::size_t column = 0; column < image.width; ++column) {
        const Run& run = line.runs[column];
        if (run.height() > highest || run.darkest > line.level + 0.25f) continue;
        for (std::size_t row = run.begin; row < run.end; ++row) image.at(row, column) = 0;
      }
    }
  }

 private:
  struct Run {
    std::size_t begin = 0, end = 0;
    float darkest = 0;

    std::size_t height() const { return end - begin; }
  };

  // Which rows have ink along at least half of each strip of columns; a row above or below counts too.
  void find_strips() {
    inked_.assign(image_.height * strips_, 0);
    for (std::size_t row = 0; row < image_.height; ++row)
      for (std::size_t s = 0; s < strips_; ++s) {
        std::size_t count = 0;
        for (std::size_t i = 0; i < strip_; ++i) count += image_.ink[row * image_.width + s * strip_ + i] > 0;
        if (2 * count < strip_) continue;
        for (std::size_t r = row > 0 ? row - 1 : 0; r < std::min(row + 2, image_.height); ++r)
          inked_[r * strips_ + s] = 1;
      }
  }
  // The rows in which lines could begin and end; false if there are none.
  bool find_edges() {
    const std::size_t edge = std::max<std::size_t>(2, image_.width / 100);
    const auto has_ink = [&](std::size_t row, std::size_t first) {
      for (std::size_t i = 0; i < edge; ++i)
        if (image_.ink[row * image_.width + first + i] > 0) return true;
      return false;
    };
    const auto rows_with_ink = [&](std::size_t first) {
      std::vector<bool> rows(image_.height);
      for (std::size_t row = 0; row < image_.height; ++row)
        if (has_ink(row, first))
          for (std::size_t r = row > 0 ? row - 1 : 0; r < std::min(row + 2, image_.height); ++r)
            rows[r] = true;
      return rows;
    };
    left_ = rows_with_ink(0);
    right_ = rows_with_ink(image_.width - edge);
    const bool left = std::find(left_.begin(), left_.end(), true) != left_.end(),
               right = std::find(right_.begin(), right_.end(), true) != right_.end();
    return edges_ == 2 ? left && right : left || right;
  }

  // The share of strips with ink along a line that begins in a row and ends `drop` rows below, as far as it
  // lies on the sheet; 0 if it does not begin and end with ink there, or is
  // short.
  double coverage(std::ptrdiff_t row, int drop) const {
    const auto height = static_cast<std::ptrdiff_t>(image_.height), last = row + drop;
    const bool begins = row < 0 || row >= height || left_[static_cast<std::size_t>(row)],
               ends = last < 0 || last >= height || right_[static_cast<std::size_t>(last)];
    if (begins + ends < edges_) return 0;
    std::size_t count = 0, inside = 0;
    const std::ptrdiff_t divisor = 2 * static_cast<std::ptrdiff_t>(strips_);
    for (std::size_t s = 0; s < strips_; ++s) {
      const std::ptrdiff_t at = row + static_cast<std::ptrdiff_t>(2 * s + 1) * drop / divisor;
      if (at < 0 || at >= height) continue;
      ++inside;
      count += inked_[static_cast<std::size_t>(at) * strips_ + s];
    }
    return 16 * inside < strips_ ? 0 : static_cast<double>(count) / static_cast<double>(inside);
  }

  // Rows beside each other are one line. One that begins above or ends below the sheet counts as well.
  void collect() {
    const auto height = static_cast<std::ptrdiff_t>(image_.height);
    double sum = 0, weight = 0;
    for (std::ptrdiff_t row = std::min(0, -drop_) - 1; row <= height + std::max(0, -drop_); ++row) {
      const double covered = coverage(row, drop_);
      if (covered >= least_) {
        sum += covered * static_cast<double>(row);
        weight += covered;
      } else if (weight > 0) {
        middles_.push_back(sum / weight);
        sum = weight = 0;
      }
    }
    if (weight > 0) middles_.push_back(sum / weight);
  }

  // The ink of each column where a line crosses it. The line is followed from its middle to both sides,
  // because neither paper nor lens is quite straight.
  std::vector<Run> traced(const InkImage& image, double middle) const {
    std::vector<Run> runs(image.width);
    const auto follow = [&](std::size_t first, std::size_t count, bool to_right) {
      double off = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t column = to_right ? first + i : first - i;
        const double expected = off + middle +
                                static_cast<double>(drop_) * (static_cast<double>(column) + 0.5) /
                                    static_cast<double>(image.width);
        const Run run = run_at(image, expected, column);
        runs[column] = run;
        if (run.height() == 0 || run.height() > 8) continue;
        const double found = static_cast<double>(run.begin + run.end - 1) / 2;
        off += std::clamp(0.1 * (found - expected), -0.1, 0.1);
      }
    };
    const std::size_t half = image.width / 2;
    follow(half, image.width - half, true);
    follow(half, half + 1, false);
    return runs;
  }

  // The ink of a column near a row.
  static Run run_at(const InkImage& image, double expected, std::size_t column) {
    const auto center = static_cast<std::ptrdiff_t>(std::lround(expected));
    for (const std::ptrdiff_t off : {0, -1, 1, -2, 2}) {
      const std::ptrdiff_t row = center + off;
      if (row < 0 || row >= static_cast<std::ptrdiff_t>(image.height)) continue;
      const auto inside = static_cast<std::size_t>(row);
      if (!(image.at(inside, column) > 0)) continue;
      Run run{inside, inside + 1};
      while (run.begin > 0 && image.at(run.begin - 1, column) > 0) --run.begin;
      while (run.end < image.height && image.at(run.end, column) > 0) ++run.end;
      for (std::size_t r = run.begin; r < run.end; ++r)
        run.darkest = std::max(run.darkest, image.at(r, column));
      return run;
    }
    return {};
  }

  const InkImage& image_;
  // Columns of a strip, and how many strips there are.
  std::size_t strip_, strips_;
  // The number of edges at which a line must have ink.
  int edges_ = 2;
  int drop_ = 0;
  // The least part of a line that is ink: it may have gaps.
  double least_ = 0.7;
  // Shape (height, strips).
  std::vector<std::uint8_t> inked_;
  // The rows with ink at the edges.
  std::vector<bool> left_, right_;
  // The rows in which lines begin.
  std::vector<double> middles_;
};

// Takes what lies around other ink and only along the edges of its own box: a frame.
inline void erase_frames(InkImage& image, std::vector<InkPiece>& pieces) {
  const double most = largest_mass(pieces);
  const auto is_frame = [&](const InkPiece& frame) {
    const InkBox& box = frame.box;
    if (2 * box.height() < image.height || 2 * box.width() < image.width) return false;
    const std::size_t near = std::max<std::size_t>(3, std::min(box.height(), box.width()) / 16);
    const auto inner = static_cast<std::size_t>(
        std::count_if(frame.pixels.begin(), frame.pixels.end(), [&](std::size_t pixel) {
          const std::size_t row = pixel / image.width, column = pixel % image.width;
          return row >= box.top + near && row + near < box.bottom && column >= box.left + near &&
                 column + near < box.right;
        }));
    return 50 * inner < frame.pixels.size() &&
           std::any_of(pieces.begin(), pieces.end(), [&](const InkPiece& piece) {
             return piece.mass > 0.02 * most && piece.box.top > box.top && piece.box.left > box.left &&
                    piece.box.bottom < box.bottom && piece.box.right < box.right &&
                    12 * std::max(piece.box.height(), piece.box.width()) >
                        std::min(box.height(), box.width());
           });
  };
  for (std::size_t i = pieces.size(); i-- > 0;)
    if (is_frame(pieces[i])) {
      erase(image, pieces[i]);
      pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(i));
    }
}

// Takes pieces that are no stroke of a digit: too little ink beside the largest, and not within its reach.
inline void erase_specks(InkImage& image, const std::vector<InkPiece>& pieces) {
  const double most = largest_mass(pieces);
  InkBox kept{image.height, image.width, 0, 0};
  const auto is_speck = [&](const InkPiece& piece) { return piece.mass < 0.03 * most; };
  for (const InkPiece& piece : pieces)
    if (!is_speck(piece)) kept = kept.with(piece.box);
  for (const InkPiece& piece : pieces)
    if (is_speck(piece) && (piece.box.top < kept.top || piece.box.left < kept.left ||
                            piece.box.bottom > kept.bottom || piece.box.right > kept.right))
      erase(image, piece);
}

inline bool has_ink_above_or_below(const InkImage& image) {
  const std::size_t edge = std::min(image.height, std::max<std::size_t>(2, image.height / 100));
  const auto is_ink = [](float value) { return value > 0; };
  const auto rows = static_cast<std::ptrdiff_t>(edge * image.width);
  return std::any_of(image.ink.begin(), image.ink.begin() + rows, is_ink) ||
         std::any_of(image.ink.end() - rows, image.ink.end(), is_ink);
}

// All of it. What is left of a sheet that has one line and nothing else is the line: somebody wrote a one.
inline void erase_print(InkImage& image) {
  InkImage without = image;
  const SheetLines across(image);
  across.erase(without);
  InkImage turned = has_ink_above_or_below(without) ? transposed(without) : InkImage{};
  const SheetLines down(turned);
  if (!down.empty()) {
    InkImage cleared = turned;
    down.erase(cleared);
    without = transposed(cleared);
  }
  const std::size_t count = across.count() + down.count();
  if (count > 2) {
    // Rows and columns meet at right angles.
    const auto other = [](int drop, std::size_t from, std::size_t to) {
      return static_cast<int>(-drop * static_cast<double>(to) / static_cast<double>(from));
    };
    const int drop = across.empty() ? other(down.drop(), image.height, image.width) : across.drop();
    InkImage cleared = without;
    SheetLines(without, drop).erase(cleared);
    turned = transposed(cleared);
    without = turned;
    SheetLines(turned, down.empty() ? other(drop, image.width, image.height) : down.drop()).erase(without);
    without = transposed(without);
  }
  std::vector<InkPiece> pieces = ink_pieces(without);
  erase_frames(without, pieces);
  erase_specks(without, pieces);
  std::size_t largest = 0;
  for (const InkPiece& piece : pieces) largest = std::max({largest, piece.box.height(), piece.box.width()});
  const bool nothing = 25 * largest < std::max(image.height, image.width);
  if (nothing && count == 1) return;
  image = std::move(without);
  if (nothing && count > 1) std::fill(image.ink.begin(), image.ink.end(), 0.0f);
}

}  // namespace detail

}  // namespace digitnet
