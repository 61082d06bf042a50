// What a chain knows of its operations as plain numbers, and which of their results and gradients share
// memory.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>

#include "digitnet/layers/layer.hpp"

namespace digitnet::detail {

struct OperationTraits {
  bool is_view, in_place, reads_x, reads_y, has_parameters, folds, rematerializes_y, reads_x_once,
      dx_in_place;
  std::size_t output_size, multiply_adds, deferred, barriers, statistics;
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
          On::rematerializes_y,
          On::reads_x_once || On::barriers == 0,
          On::dx_in_place,
          On::Output::size,
          On::multiply_adds,
          On::deferred,
          On::barriers,
          On::statistics};
}

/// What one of several layers is asked to pack.
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

/// [i]: the result of operation i is not kept from forward to backward but computed again, which costs less
/// than to write it to memory and read it. Only if one operation reads it, as soon as it is there.
template <std::size_t N>
constexpr std::array<bool, N> results_computed_again(const std::array<OperationTraits, N>& traits,
                                                     const std::array<bool, N>& shares) {
  std::array<bool, N> result{};
  for (std::size_t i = 0; i + 1 < N; ++i)
    result[i] = traits[i].rematerializes_y && !shares[i] && !shares[i + 1] && traits[i + 1].reads_x_once;
  return result;
}

/// The gradients of the results take turns in two buffers: [i] is the number of the change that brings that
/// of result i, counted from the end; 0 is the caller's own, where what fits may follow.
template <std::size_t N>
constexpr std::array<std::size_t, N> gradient_turns(const std::array<OperationTraits, N>& traits,
                                                    const std::array<bool, N>& shares) {
  std::array<std::size_t, N> result{};
  for (std::size_t i = N - 1; i > 0; --i) {
    const bool fits = result[i] > 0 || traits[i - 1].output_size <= traits[N - 1].output_size;
    const bool stays = shares[i] || (traits[i].dx_in_place && fits);
    result[i - 1] = result[i] + (stays ? 0 : 1);
  }
  return result;
}

/// Where everything of a chain lies, in bytes: results and the operations' own caches from the start of the
/// chain's cache, but results that are computed again, in two places in turn, from the start of its scratch.
/// The two buffers of gradients are in the cache if operations synchronize, and so find them again in the
/// next stage; else in scratch, behind which is what the operations need.
template <std::size_t N>
struct ChainLayout {
  std::array<std::size_t, N> result{}, cache{};
  std::array<std::size_t, 2> gradients{};
  std::size_t cache_bytes = 0, scratch_bytes = 0;
};

/// What decides where a chain's parts lie.
template <std::size_t N>
struct ChainMemory {
  std::array<OperationTraits, N> traits;
  std::array<bool, N> shares = results_that_overwrite(traits);
  std::array<bool, N> at_output = results_at_output(shares);
  std::array<bool, N> again = results_computed_again(traits, shares);
  std::array<std::size_t, N> turn = gradient_turns(traits, shares);
  bool synchronizes = sum_before(traits, N, &OperationTraits::barriers) > 0;

  constexpr ChainLayout<N> layout(std::size_t sample_bytes, const std::array<std::size_t, N>& caches) const {
    ChainLayout<N> to;
    const auto take = [](std::size_t& end, std::size_t bytes) {
      const std::size_t begin = end;
      end += round_up(bytes, alignment_bytes);
      return begin;
    };
    std::size_t of_slot[2] = {0, 0}, of_turn[2] = {0, 0}, slot = 0;
    for (std::size_t i = 0; i < N; ++i) {
      const std::size_t bytes = round_up(sample_bytes * traits[i].output_size, alignment_bytes);
      if (turn[i] > 0) of_turn[turn[i] % 2] = std::max(of_turn[turn[i] % 2], bytes);
      if (again[i]) of_slot[slot % 2] = std::max(of_slot[slot % 2], bytes);
      if (again[i]) ++slot;
    }
    const std::size_t slots[2] = {take(to.scratch_bytes, of_slot[0]), take(to.scratch_bytes, of_slot[1])};
    slot = 0;
    for (std::size_t i = 0; i < N; ++i) {
      if (i > 0 && shares[i])
        to.result[i] = to.result[i - 1];
      else if (again[i])
        to.result[i] = slots[slot++ % 2];
      else
        to.result[i] = take(to.cache_bytes, at_output[i] ? 0 : sample_bytes * traits[i].output_size);
      to.cache[i] = take(to.cache_bytes, caches[i]);
    }
    for (std::size_t parity = 0; parity < 2; ++parity)
      to.gradients[parity] = take(synchronizes ? to.cache_bytes : to.scratch_bytes, of_turn[parity]);
    return to;
  }
};

}  // namespace digitnet::detail
