// What a chain knows of its operations as plain numbers, and which of their results and gradients share
// memory.
#pragma once
#include <array>
#include <cstddef>

#include "digitnet/layers/layer.hpp"

namespace digitnet::detail {

struct OperationTraits {
  bool is_view, in_place, reads_x, reads_y, has_parameters, folds;
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

template <class On>
constexpr OperationTraits traits_of() {
  return {On::is_view,
          On::in_place,
          On::backward_reads_x,
          On::backward_reads_y,
          (On::Parameters::arena_size > 0),
          On::folds,
          On::Output::size,
          On::multiply_adds,
          On::kept,
          On::synchronizations,
          On::statistics};
}

/// What one of several layers is asked to prepare.
constexpr Purpose purpose_for(Purpose all, const OperationTraits& layer, bool gradient_goes_on) {
  if (all == Purpose::inference) return layer.folds ? all : Purpose::forward;
  if (all == Purpose::forward) return all;
  return all == Purpose::all_gradients || gradient_goes_on ? Purpose::all_gradients
                                                           : Purpose::weight_gradients;
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
