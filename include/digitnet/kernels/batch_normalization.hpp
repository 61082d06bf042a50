// Normalization of channels by their mean and variance: sums over positions, and maps of one factor a
// channel.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "digitnet/core/simd.hpp"

namespace digitnet::kernels {

namespace detail {

// Few channels: so many positions are taken for one that a vector is full.
template <std::size_t channels, std::size_t width>
constexpr std::size_t positions_together = channels < width&& width % channels == 0 ? width / channels : 1;

// One number for each column of positions that are taken together.
template <std::size_t channels, class Arch, class T>
struct ByColumn {
  static constexpr std::size_t width = simd::width<T, Arch>;
  static constexpr std::size_t together = positions_together<channels, width>;
  static constexpr std::size_t columns = channels * together;
  std::array<T, columns> values{};

  template <class Value>
  void fill(const Value& value) {
    for (std::size_t i = 0; i < columns; ++i) values[i] = static_cast<T>(value(i % channels));
  }
};

// Calls visit(at, channel column, lanes) for every vector of the positions' numbers.
template <std::size_t channels, class Arch, class T, class Visit>
[[gnu::always_inline]] inline void for_each_vector(std::size_t positions, const Visit& visit) {
  using Columns = ByColumn<channels, Arch, T>;
  const std::size_t size = positions * channels;
  for (std::size_t row = 0; row < size; row += Columns::columns)
    for (std::size_t column = 0; column < Columns::columns && row + column < size; column += Columns::width)
      visit(row + column, column, std::min({Columns::width, Columns::columns - column, size - row - column}));
}

}  // namespace detail

/// For each channel c, sums[c] += sum of first and sums[channels + c] += sum of second over the positions,
/// where (first, second) = terms(numbers...) of vectors, and `constants` gives each channel's numbers that
/// terms gets first. Short runs are summed in T, these in double.
template <std::size_t channels, class Arch = DefaultArch, class T, std::size_t count, class Terms,
          class... Inputs>
void add_channel_sums(std::size_t positions, double* sums, const std::array<const T*, count>& constants,
                      const Terms& terms, const Inputs*... inputs) {
  using Vector = simd::Vector<T, Arch>;
  using Columns = detail::ByColumn<channels, Arch, T>;
  constexpr std::size_t run = 16;  // rows that are summed in T
  std::array<Columns, count> by_column;
  for (std::size_t i = 0; i < count; ++i)
    by_column[i].fill([&](std::size_t channel) { return constants[i][channel]; });
  const std::size_t size = positions * channels;
  for (std::size_t column = 0; column < Columns::columns; column += Columns::width) {
    const std::size_t lanes = std::min(Columns::width, Columns::columns - column);
    std::array<Vector, count> here;
    for (std::size_t i = 0; i < count; ++i)
      here[i] = simd::read_part<Arch>(by_column[i].values.data() + column, lanes);
    for (std::size_t row = 0; row < size;) {
      Vector first(T{0}), second(T{0});
      const auto add = [&](const Vector& a, const Vector& b) {
        first += a;
        second += b;
      };
      for (std::size_t i = 0; i < run && row < size; ++i, row += Columns::columns) {
        const std::size_t at = row + column;
        if (at >= size) continue;
        const std::size_t valid = std::min(lanes, size - at);
        if (valid == Columns::width)
          terms(add, here, simd::read<Arch>(inputs + at)...);
        else
          terms(
              [&](const Vector& a, const Vector& b) {
                alignas(64) T part[2][Columns::width];
                simd::write<Arch>(part[0], a);
                simd::write<Arch>(part[1], b);
                add(simd::read_part<Arch>(part[0], valid), simd::read_part<Arch>(part[1], valid));
              },
              here, simd::read_part<Arch>(inputs + at, valid)...);
      }
      alignas(64) T numbers[2][Columns::width];
      simd::write<Arch>(numbers[0], first);
      simd::write<Arch>(numbers[1], second);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const std::size_t channel = (column + lane) % channels;
        sums[channel] += numbers[0][lane];
        sums[channels + channel] += numbers[1][lane];
      }
    }
  }
}

/// y = map(constants of the channel, numbers...) for every position and channel. y may be one of the inputs.
template <std::size_t channels, class Arch = DefaultArch, class T, std::size_t count, class Map,
          class... Inputs>
void map_channels(std::size_t positions, T* y, const std::array<const T*, count>& constants, const Map& map,
                  const Inputs*... inputs) {
  using Columns = detail::ByColumn<channels, Arch, T>;
  std::array<Columns, count> by_column;
  for (std::size_t i = 0; i < count; ++i)
    by_column[i].fill([&](std::size_t channel) { return constants[i][channel]; });
  detail::for_each_vector<channels, Arch, T>(
      positions, [&](std::size_t at, std::size_t column, std::size_t lanes) __attribute__((always_inline)) {
        std::array<simd::Vector<T, Arch>, count> here;
        if (lanes == Columns::width) {
          for (std::size_t i = 0; i < count; ++i)
            here[i] = simd::read<Arch>(by_column[i].values.data() + column);
          simd::write<Arch>(y + at, map(here, simd::read<Arch>(inputs + at)...));
        } else {
          for (std::size_t i = 0; i < count; ++i)
            here[i] = simd::read_part<Arch>(by_column[i].values.data() + column, lanes);
          simd::write_part<Arch>(y + at, map(here, simd::read_part<Arch>(inputs + at, lanes)...), lanes);
        }
      });
}

}  // namespace digitnet::kernels
