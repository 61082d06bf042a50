// What a chain knows of its operations as plain numbers, and which of their results and gradients share
// memory.
#pragma once
#include <array>
#include <cstddef>

namespace digitnet::detail {

struct OperationTraits {
  bool is_view, in_place, reads_x, reads_y, has_parameters;
  std::size_t output_size, multiply_adds, kept, synchronizations, statistics;
};

/// The sum of a number over the operations before `index`.
template <std::size_t N>
constexpr std::size_t sum_before(const std::array<OperationTraits, N>& traits, std::size_t index,
                                 std::size_t OperationTraits::*number) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < index; ++i) sum += traits[i].*number;
  return sum;
}

/// [i]: operation i writes its result over its input. Only if nobody looks at that input afterwards: not
/// operation i, nor those before it that share the same memory and whose result it is.
template <std::size_t N>
constexpr std::array<bool, N> results_that_overwrite(const std::array<OperationTraits, N>& traits) {
  std::array<bool, N> result{};
  bool earlier_reads = traits[0].reads_y;
  for (std::size_t i = 1; i < N; ++i) {
    result[i] = traits[i].is_view || (traits[i].in_place && !traits[i].reads_x && !earlier_reads);
    earlier_reads = traits[i].reads_y || (result[i] && earlier_reads);
  }
  return result;
}

/// [i]: the result of operation i lies where the caller wants the chain's.
template <std::size_t N>
constexpr std::array<bool, N> results_at_output(const std::array<bool, N>& shares) {
  std::array<bool, N> result{};
  result[N - 1] = true;
  for (std::size_t i = N - 1; i > 0; --i) result[i - 1] = result[i] && shares[i];
  return result;
}

/// The gradients of the results take turns in two buffers: [i] is the number of the change that brings that
/// of result i, counted from the end; 0 is the caller's own.
template <std::size_t N>
constexpr std::array<std::size_t, N> gradient_turns(const std::array<bool, N>& shares) {
  std::array<std::size_t, N> result{};
  for (std::size_t i = N - 1; i > 0; --i) result[i - 1] = result[i] + (shares[i] ? 0 : 1);
  return result;
}

}  // namespace digitnet::detail
