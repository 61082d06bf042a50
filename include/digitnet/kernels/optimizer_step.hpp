// The end of a training step, in one sweep over the memory: add up the shards' gradients, clip them, and step
// the parameters.
#pragma once
#include <array>
#include <cstddef>
#include <span>

#include "digitnet/core/simd.hpp"

namespace digitnet::kernels {

/// What happens to a gradient between the sum over the shards and the formula.
struct SweepSettings {
  float l1 = 0;
  float l2 = 0;
  /// Bound of each element of the gradient; 0: none
  float clipvalue = 0;
  /// Factor from clipping by norm
  float scale = 1;
  /// Factor on the parameter before the formula: 1 - rate * weight decay
  float shrink = 1;
};

/// What a sweep found.
struct SweepSums {
  /// l1 sum |w| + l2 sum w^2, before the step
  double penalty = 0;
  /// Square of the gradient's norm
  double square_norm = 0;
};

namespace detail {

template <class Vector>
Vector summed(std::span<float* const> shards, std::size_t i) {
  using Arch = typename Vector::arch_type;
  Vector sum = simd::read<Arch>(shards[0] + i);
  for (std::size_t shard = 1; shard < shards.size(); ++shard) sum += simd::read<Arch>(shards[shard] + i);
  return sum;
}

template <class Vector>
Vector with_penalty(Vector gradient, Vector weight, const SweepSettings& settings) {
  const Vector sign = simd::select(weight > Vector(0.0f), Vector(1.0f),
                                   simd::select(weight < Vector(0.0f), Vector(-1.0f), Vector(0.0f)));
  return simd::fma(Vector(2 * settings.l2), weight, simd::fma(Vector(settings.l1), sign, gradient));
}

}  // namespace detail

/// Sums the shards into the first one, adds the penalties' gradients, and measures the norm. `size` is a
/// multiple of 16.
template <class Arch = DefaultArch>
SweepSums reduce_gradients(std::size_t size, const float* weights, std::span<float* const> shards,
                           const SweepSettings& settings) {
  using Vector = simd::Vector<float, Arch>;
  const bool penalised = settings.l1 != 0 || settings.l2 != 0;
  SweepSums sums;
  Vector absolute(0.0f), square(0.0f), norm(0.0f);
  for (std::size_t i = 0; i < size; i += Vector::size) {
    Vector gradient = detail::summed<Vector>(shards, i);
    if (penalised) {
      const Vector weight = simd::read<Arch>(weights + i);
      absolute += simd::abs(weight);
      square = simd::fma(weight, weight, square);
      gradient = detail::with_penalty(gradient, weight, settings);
    }
    norm = simd::fma(gradient, gradient, norm);
    simd::write<Arch>(shards[0] + i, gradient);
    for (std::size_t shard = 1; shard < shards.size(); ++shard)
      simd::write<Arch>(shards[shard] + i, Vector(0.0f));
  }
  sums.penalty = double{settings.l1} * simd::add_lanes<Arch>(absolute) +
                 double{settings.l2} * simd::add_lanes<Arch>(square);
  sums.square_norm = simd::add_lanes<Arch>(norm);
  return sums;
}

/// Steps `size` (a multiple of 16) parameters by the sum of the shards' gradients, which become zero for the
/// next step. Slot s of parameter i is slots[s * slot_stride + i].
template <class Arch = DefaultArch, class Formula>
SweepSums step_parameters(std::size_t size, float* weights, std::span<float* const> shards, float* slots,
                          std::size_t slot_stride, const Formula& formula, const SweepSettings& settings) {
  using Vector = simd::Vector<float, Arch>;
  const bool penalised = settings.l1 != 0 || settings.l2 != 0;
  SweepSums sums;
  Vector absolute(0.0f), square(0.0f);
  for (std::size_t i = 0; i < size; i += Vector::size) {
    Vector gradient = detail::summed<Vector>(shards, i);
    Vector weight = simd::read<Arch>(weights + i);
    if (penalised) {
      absolute += simd::abs(weight);
      square = simd::fma(weight, weight, square);
      gradient = detail::with_penalty(gradient, weight, settings);
    }
    if (settings.scale != 1) gradient *= Vector(settings.scale);
    if (settings.clipvalue > 0)
      gradient = simd::min(simd::max(gradient, Vector(-settings.clipvalue)), Vector(settings.clipvalue));
    if (settings.shrink != 1) weight *= Vector(settings.shrink);
    std::array<Vector, Formula::slots> state;
    for (std::size_t slot = 0; slot < Formula::slots; ++slot)
      state[slot] = simd::read<Arch>(slots + slot * slot_stride + i);
    simd::write<Arch>(weights + i, formula(weight, gradient, state));
    for (std::size_t slot = 0; slot < Formula::slots; ++slot)
      simd::write<Arch>(slots + slot * slot_stride + i, state[slot]);
    for (std::size_t shard = 0; shard < shards.size(); ++shard)
      simd::write<Arch>(shards[shard] + i, Vector(0.0f));
  }
  sums.penalty = double{settings.l1} * simd::add_lanes<Arch>(absolute) +
                 double{settings.l2} * simd::add_lanes<Arch>(square);
  return sums;
}

}  // namespace digitnet::kernels
