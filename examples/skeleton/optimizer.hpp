// An optimizer to copy: Signum, steps of one size in the direction of the mean gradient's sign.
#pragma once
#include <array>
#include <cstdint>
#include <digitnet/core/simd.hpp>
#include <digitnet/train/optimizer_settings.hpp>
#include <digitnet/train/schedules.hpp>
#include <string_view>
#include <vector>

namespace digitnet::skeleton {

/// m = momentum m + (1 - momentum) g and w -= rate * sign(m). Bernstein and others: signSGD (2018).
struct Signum {
  static constexpr std::string_view class_name = "Signum";
  LearningRate learning_rate = 1e-3f;
  float momentum = 0.9f;
  float weight_decay = 0, clipnorm = 0, global_clipnorm = 0, clipvalue = 0;

  // What the engine does before the formula.
  GradientTreatment treatment() const { return {weight_decay, clipnorm, global_clipnorm, clipvalue}; }
  // What Trainer checks before the first step, and what a checkpoint compares.
  std::vector<OptimizerSetting> settings() const {
    return detail::with_treatment(treatment(), {{"momentum", momentum, OptimizerSetting::below_one}});
  }

  // One number beside each parameter, which begins at 0.
  struct Formula {
    static constexpr std::size_t slots = 1;
    static constexpr float initial = 0;
    float rate, momentum;

    // Returns the new parameter; V is a vector of float.
    template <class V>
    V operator()(V w, V g, std::array<V, 1>& state) const {
      V& mean = state[0];
      mean = simd::fma(V(momentum), mean, V(1 - momentum) * g);
      const V zero(0.0f),
          sign = simd::select(mean > zero, V(1.0f), simd::select(mean < zero, V(-1.0f), zero));
      return simd::fma(V(-rate), sign, w);
    }
  };
  template <class Visit>
  void with_formula(std::uint64_t /*step, from 1*/, float rate, Visit&& visit) const {
    visit(Formula{rate, momentum});
  }
};

}  // namespace digitnet::skeleton
