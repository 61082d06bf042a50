// Normalization of channels by their mean and variance: sums over positions, and maps of one factor a
// channel.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/simd.hpp"

namespace digitnet::kernels {

namespace detail {

// Few channels: so many positions are taken for one that a vector is full.
template <std::size_t channels, std::size_t width>
constexpr std::size_t positions_together = channels < width&& width % channels == 0 ? width / channels : 1;

// Each channel's constants, one for each column of positions that are taken together.
template <std::size_t channels, std::size_t count, class Arch, class T>
struct ByColumn {
  static constexpr std::size_t width = simd::width<T, Arch>;
  static constexpr std::size_t columns = channels * positions_together<channels, width>;

  explicit ByColumn(const std::array<const T*, count>& constants) {
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t column = 0; column < columns; ++column)
        values[i][column] = constants[i][column % channels];
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

}  // namespace detail

/// For each channel c, sums[c] += sum of first and sums[channels + c] += sum of second over the positions,
/// where (first, second) = terms(numbers...) of vectors, and `constants` gives each channel's numbers that
/// terms gets first. Short runs are summed in T, so are the sums of a few runs, and these in double.
template <std::size_t channels, class Arch = DefaultArch, class T, std::size_t count, class Terms,
          class... Inputs>
void add_channel_sums(std::size_t positions, double* sums, const std::array<const T*, count>& constants,
                      const Terms& terms, const Inputs*... inputs) {
  using Vector = simd::Vector<T, Arch>;
  using Columns = detail::ByColumn<channels, count, Arch, T>;
  constexpr std::size_t columns = Columns::columns, width = Columns::width;
  constexpr std::size_t run = 16, runs = 16;  // rows in a run: few enough to stay in the first-level cache
  const Columns by_column(constants);
  const std::size_t size = positions * channels;
  alignas(64) T of_runs[2][round_up(columns, width)];
  for (std::size_t first_row = 0; first_row < size; first_row += run * runs * columns) {
    const std::size_t end = std::min(size, first_row + run * runs * columns);
    std::fill_n(of_runs[0], 2 * round_up(columns, width), T{0});
    for (std::size_t begin = first_row; begin < end; begin += run * columns) {
      const std::size_t end_of_run = std::min(end, begin + run * columns);
      for (std::size_t column = 0; column < columns; column += width) {
        const std::size_t lanes = std::min(width, columns - column);
        const auto here = by_column.vectors(column, lanes);
        Vector first = simd::read<Arch>(of_runs[0] + column), second = simd::read<Arch>(of_runs[1] + column);
        Vector first_sum(T{0}), second_sum(T{0});
        const auto add = [&](const Vector& a, const Vector& b) {
          first_sum += a;
          second_sum += b;
        };
        for (std::size_t at = begin + column; at < end_of_run; at += columns) {
          const std::size_t valid = std::min(lanes, size - at);
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
    for (std::size_t which = 0; which < 2; ++which)
      for (std::size_t position = 0; position < columns; position += channels)
        for (std::size_t c = 0; c < channels; ++c) sums[which * channels + c] += of_runs[which][position + c];
  }
}

/// y = map(constants of the channel, numbers...) for every position and channel. y may be one of the inputs.
template <std::size_t channels, class Arch = DefaultArch, class T, std::size_t count, class Map,
          class... Inputs>
void map_channels(std::size_t positions, T* y, const std::array<const T*, count>& constants, const Map& map,
                  const Inputs*... inputs) {
  using Columns = detail::ByColumn<channels, count, Arch, T>;
  const Columns by_column(constants);
  const std::size_t size = positions * channels;
  for (std::size_t row = 0; row < size; row += Columns::columns)
    for (std::size_t column = 0; column < Columns::columns && row + column < size; column += Columns::width) {
      const std::size_t at = row + column;
      const std::size_t lanes = std::min({Columns::width, Columns::columns - column, size - at});
      const auto here = by_column.vectors(column, lanes);
      if (lanes == Columns::width)
        simd::write<Arch>(y + at, map(here, simd::read<Arch>(inputs + at)...));
      else
        simd::write_part<Arch>(y + at, map(here, simd::read_part<Arch>(inputs + at, lanes)...), lanes);
    }
}

}  // namespace digitnet::kernels
