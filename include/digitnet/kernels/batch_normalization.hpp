// Normalization of channels by mean and variance: sums over all positions, and maps with numbers of its own
// for each channel.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/simd.hpp"

namespace digitnet::kernels {

namespace detail {

// So many channels are treated at a time, that their constants stay in the first-level cache and fit any
// stack.
inline constexpr std::size_t most_channels = 256;

// Calls visit.operator()<block>(first) for the blocks of channels.
template <std::size_t channels, class Visit>
void for_each_channel_block(const Visit& visit) {
  constexpr std::size_t whole = channels / most_channels * most_channels;
  if constexpr (whole > 0)
    for (std::size_t first = 0; first < whole; first += most_channels)
      visit.template operator()<most_channels>(first);
  if constexpr (whole < channels) visit.template operator()<channels - whole>(whole);
}

// A block of channels at some positions. Where few channels are all there are, so many positions are taken
// for one that a vector is full.
template <std::size_t channels, std::size_t block, class Arch, class T>
struct ChannelBlock {
  static constexpr std::size_t width = simd::width<T, Arch>;
  static constexpr std::size_t together =
      block == channels && channels < width && width % channels == 0 ? width / channels : 1;
  static constexpr std::size_t columns = block * together;
  /// Whether there are whole vectors only.
  static constexpr bool is_whole = together == 1 && block % width == 0;
  /// Elements from row to row
  static constexpr std::size_t stride = channels * together;

  /// The first channel
  std::size_t first;
  /// Elements from the first one of the first row to the end of all positions
  std::size_t size;

  ChannelBlock(std::size_t first_channel, std::size_t positions)
      : first(first_channel), size(positions * channels - first_channel) {}
};

// Each channel's constants, one for each column.
template <class Block, std::size_t count, class Arch, class T>
struct ByColumn {
  static constexpr std::size_t width = simd::width<T, Arch>, columns = Block::columns;

  template <class ConstantsOf>
  ByColumn(std::size_t first, const ConstantsOf& constants_of) {
    constexpr std::size_t block = columns / Block::together;
    for (std::size_t c = 0; c < block; ++c) {
      const std::array<T, count> constants = constants_of(first + c);
      for (std::size_t i = 0; i < count; ++i)
        for (std::size_t column = c; column < columns; column += block) values[i][column] = constants[i];
    }
  }
  std::array<simd::Vector<T, Arch>, count> vectors(std::size_t column, std::size_t lanes) const {
    std::array<simd::Vector<T, Arch>, count> result;
    for (std::size_t i = 0; i < count; ++i) {
      const T* const from = values[i].data() + column;
      result[i] = lanes == width ? simd::read<Arch>(from) : simd::read_part<Arch>(from, lanes);
    }
    return result;
  }

  std::array<std::array<T, columns>, count> values;
};

// For each channel c of a block, sums[0][c] += sum of first and sums[1][c] += sum of second over the
// positions, where (first, second) = terms(constants, numbers...) of vectors. Short runs are summed in T, so
// are the sums of a few runs, and these in double.
template <class Block, class Arch, class T, std::size_t count, class Terms, class... Inputs>
void add_block_sums(const Block& block, const ByColumn<Block, count, Arch, T>& by_column,
                    const std::array<double*, 2>& sums, const Terms& terms, const Inputs*... inputs) {
  using Vector = simd::Vector<T, Arch>;
  constexpr std::size_t columns = Block::columns, stride = Block::stride, width = Block::width;
  constexpr std::size_t run = 16, runs = 16;  // rows in a run: few enough to stay in the first-level cache
  alignas(64) T of_runs[2][round_up(columns, width)];
  for (std::size_t first_row = 0; first_row < block.size; first_row += run * runs * stride) {
    const std::size_t end = std::min(block.size, first_row + run * runs * stride);
    std::fill_n(of_runs[0], 2 * round_up(columns, width), T{0});
    for (std::size_t begin = first_row; begin < end; begin += run * stride) {
      const std::size_t end_of_run = std::min(end, begin + run * stride);
      for (std::size_t column = 0; column < columns; column += width) {
        const std::size_t lanes = Block::is_whole ? width : std::min(width, columns - column);
        const auto here = by_column.vectors(column, lanes);
        Vector first = simd::read<Arch>(of_runs[0] + column), second = simd::read<Arch>(of_runs[1] + column);
        Vector first_sum(T{0}), second_sum(T{0});
        const auto add = [&](const Vector& a, const Vector& b) {
          first_sum += a;
          second_sum += b;
        };
        for (std::size_t at = begin + column; at < end_of_run; at += stride) {
          const std::size_t valid = Block::is_whole ? width : std::min(lanes, block.size - at);
          if (valid == width)
            terms(add, here, simd::read<Arch>(inputs + at)...);
          else
            terms(
                [&](const Vector& a, const Vector& b) {
                  alignas(64) T part[2][width];
                  simd::write<Arch>(part[0], a);
                  simd::write<Arch>(part[1], b);
                  add(simd::read_part<Arch>(part[0], valid), simd::read_part<Arch>(part[1], valid));
                },
                here, simd::read_part<Arch>(inputs + at, valid)...);
        }
        simd::write<Arch>(of_runs[0] + column, first + first_sum);
        simd::write<Arch>(of_runs[1] + column, second + second_sum);
      }
    }
    constexpr std::size_t channels = columns / Block::together;
    for (std::size_t which = 0; which < 2; ++which)
      for (std::size_t position = 0; position < columns; position += channels)
        for (std::size_t c = 0; c < channels; ++c) sums[which][c] += of_runs[which][position + c];
  }
}

}  // namespace detail

/// For each channel c, means[c] = the mean of x over the positions, of which there is at least one, and
/// squares[c] = the sum of the squared differences from it: exact however far from zero the mean is, because
/// sums are of what exceeds the mean of a few positions.
template <std::size_t channels, class Arch = DefaultArch, class T>
void channel_moments(std::size_t positions, const T* x, double* means, double* squares) {
  detail::for_each_channel_block<channels>([&]<std::size_t size>(std::size_t first) {
    using Block = detail::ChannelBlock<channels, size, Arch, T>;
    const std::size_t few = std::min<std::size_t>(positions, 8);
    std::array<T, size> near{};
    for (std::size_t i = 0; i < few; ++i)
      for (std::size_t c = 0; c < size; ++c) near[c] += x[i * channels + first + c] / static_cast<T>(few);
    const detail::ByColumn<Block, 1, Arch, T> by_column(
        first, [&](std::size_t c) { return std::array{near[c - first]}; });
    std::array<double, size> sums{}, sums_of_squares{};
    detail::add_block_sums(
        Block(first, positions), by_column, {sums.data(), sums_of_squares.data()},
        [](const auto& add, const auto& shift, auto value) {
          const auto difference = value - shift[0];
          add(difference, difference * difference);
        },
        x + first);
    const auto count = static_cast<double>(positions);
    for (std::size_t c = 0; c < size; ++c) {
      means[first + c] = double{near[c]} + sums[c] / count;
      squares[first + c] = std::max(0.0, sums_of_squares[c] - sums[c] * sums[c] / count);
    }
  });
}

/// For each channel c, sums[c] += sum of first and sums[channels + c] += sum of second over the positions,
/// where (first, second) = terms(constants of the channel, numbers...) of vectors. constants_of(c) gives an
/// array.
template <std::size_t channels, class Arch = DefaultArch, class T, class ConstantsOf, class Terms,
          class... Inputs>
void add_channel_sums(std::size_t positions, double* sums, const ConstantsOf& constants_of,
                      const Terms& terms, const T* input, const Inputs*... inputs) {
  constexpr std::size_t count = std::tuple_size_v<decltype(constants_of(0))>;
  detail::for_each_channel_block<channels>([&]<std::size_t size>(std::size_t first) {
    using Block = detail::ChannelBlock<channels, size, Arch, T>;
    const detail::ByColumn<Block, count, Arch, T> by_column(first, constants_of);
    detail::add_block_sums(Block(first, positions), by_column, {sums + first, sums + channels + first}, terms,
                           input + first, (inputs + first)...);
  });
}

/// y = map(constants of the channel, numbers...) for every position and channel. constants_of(c) gives an
/// array; y may be one of the inputs.
template <std::size_t channels, class Arch = DefaultArch, class T, class ConstantsOf, class Map,
          class... Inputs>
void map_channels(std::size_t positions, T* y, const ConstantsOf& constants_of, const Map& map,
                  const Inputs*... inputs) {
  constexpr std::size_t count = std::tuple_size_v<decltype(constants_of(0))>;
  detail::for_each_channel_block<channels>([&]<std::size_t size>(std::size_t first) {
    using Block = detail::ChannelBlock<channels, size, Arch, T>;
    constexpr std::size_t columns = Block::columns, width = Block::width;
    const detail::ByColumn<Block, count, Arch, T> by_column(first, constants_of);
    const Block block(first, positions);
    for (std::size_t row = 0; row < block.size; row += Block::stride)
      for (std::size_t column = 0; column < columns && row + column < block.size; column += width) {
        const std::size_t at = row + column;
        const std::size_t lanes =
            Block::is_whole ? width : std::min({width, columns - column, block.size - at});
        const auto here = by_column.vectors(column, lanes);
        if (lanes == width)
          simd::write<Arch>(y + first + at, map(here, simd::read<Arch>(inputs + first + at)...));
        else
          simd::write_part<Arch>(y + first + at,
                                 map(here, simd::read_part<Arch>(inputs + first + at, lanes)...), lanes);
      }
  });
}

}  // namespace digitnet::kernels
