// BatchNormalization: each channel at mean 0 and variance 1 over the batch, then scaled and shifted.
#pragma once
#include <array>
#include <cmath>

#include "digitnet/kernels/batch_normalization.hpp"
#include "digitnet/kernels/gather_gemm.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// Keras' BatchNormalization over the last axis, for inputs of any rank. Parameters, each (channels): with
/// Scale "gamma", with Center "beta", and "moving_mean", "moving_variance", which no optimizer steps. In
/// training it normalizes by the mean and the (biased) variance of the whole batch, whatever the number of
/// threads, and moves the moving ones towards them by 1 - momentum at each step; in inference it normalizes
/// by the moving ones. Ioffe, Szegedy: Batch Normalization (2015).
template <bool Center = true, bool Scale = true>
struct BasicBatchNormalization {
  static constexpr std::string_view class_name = "BatchNormalization";
  static constexpr OutputKind output_kind = OutputKind::numbers;

  float momentum = 0.99f;
  float epsilon = 1e-3f;
  Initializer beta_initializer = Zeros{};
  Initializer gamma_initializer = Ones{};
  Initializer moving_mean_initializer = Zeros{};
  Initializer moving_variance_initializer = Ones{};
  Regularizer beta_regularizer{};
  Regularizer gamma_regularizer{};

  template <class In>
  struct On : LayerDefaults {
    using Layer = BasicBatchNormalization;
    using Output = In;
    static constexpr std::size_t channels = In::last, positions = In::size / channels;
    using Gamma = Parameter<"gamma", Shape<channels>, &Layer::gamma_initializer, &Layer::gamma_regularizer>;
    using Beta = Parameter<"beta", Shape<channels>, &Layer::beta_initializer, &Layer::beta_regularizer>;
    using MovingMean =
        Parameter<"moving_mean", Shape<channels>, &Layer::moving_mean_initializer, nullptr, false>;
    using MovingVariance =
        Parameter<"moving_variance", Shape<channels>, &Layer::moving_variance_initializer, nullptr, false>;
    using Parameters =
        std::conditional_t<Scale,
                           std::conditional_t<Center, ParameterList<Gamma, Beta, MovingMean, MovingVariance>,
                                              ParameterList<Gamma, MovingMean, MovingVariance>>,
                           std::conditional_t<Center, ParameterList<Beta, MovingMean, MovingVariance>,
                                              ParameterList<MovingMean, MovingVariance>>>;
    static constexpr bool backward_reads_y = false;
    static constexpr bool recomputes_y = true;
    static constexpr std::size_t synchronizations = 1;
    static constexpr std::size_t statistics = 2 * channels;

    /// What y = factor * x + offset is for each channel in inference; see kernels::map_channels.
    template <class T>
    static void inference_map(const Layer& layer, ParameterViews<const T, Parameters> parameters,
                              std::array<T, channels>& factors, std::array<T, channels>& offsets) {
      for (std::size_t c = 0; c < channels; ++c)
        set(layer, parameters, c, get<"moving_mean">(parameters).data[c],
            get<"moving_variance">(parameters).data[c], factors, offsets);
    }

    /// First the sums of x and x^2, both less the moving mean, which is near; then y, through an activation
    /// if one is given.
    template <std::size_t phase, class Activation = kernels::Identity, class Io>
    static void forward_phase(const Io& io) {
      using T = typename Io::Real;
      const auto moving_mean = get<"moving_mean">(io.parameters).data;
      if constexpr (phase == 0) {
        if (io.mode == Mode::inference) return;
        std::fill_n(io.statistics.partial, statistics, 0.0);
        kernels::add_channel_sums<channels>(
            io.samples() * positions, io.statistics.partial, std::array{moving_mean},
            [](const auto& add, const auto& shift, auto x) {
              const auto difference = x - shift[0];
              add(difference, difference * difference);
            },
            io.x.data);
      } else {
        std::array<T, channels> factors, offsets;
        if (io.mode == Mode::inference)
          inference_map<T>(io.layer, io.parameters, factors, offsets);
        else
          training_map<T>(io.layer, io.parameters, io.statistics.total, io.statistics.batch, factors,
                          offsets);
        const std::array<const T*, 2> constants{factors.data(), offsets.data()};
        kernels::map_channels<channels>(
            io.samples() * positions, io.y.data, constants,
            [](const auto& c, auto x) { return Activation::value(simd::fma(c[0], x, c[1])); }, io.x.data);
      }
    }

    /// First the sums of dy and dy * normalized x; then dx, which the mean and variance's dependence on x
    /// makes a mixture of dy, x and these sums. dy is that of the activation, if one is given.
    template <std::size_t phase, class Activation = kernels::Identity, class Io>
    static void backward_phase(const Io& io) {
      using T = typename Io::Real;
      const auto moving_mean = get<"moving_mean">(io.parameters).data;
      const auto moments_of = [&](std::size_t c) {
        return Moments(io.forward_totals, io.statistics.batch, moving_mean, c);
      };
      const T* const dy = io.dy.data;
      if constexpr (phase == 0) {
        std::array<T, channels> means, inverses, factors, offsets;
        training_map<T>(io.layer, io.parameters, io.forward_totals, io.statistics.batch, factors, offsets);
        for (std::size_t c = 0; c < channels; ++c) {
          const Moments moments = moments_of(c);
          means[c] = static_cast<T>(moments.mean);
          inverses[c] = static_cast<T>(1 / std::sqrt(moments.variance + io.layer.epsilon));
        }
        double* const sums = io.statistics.partial;
        std::fill_n(sums, statistics, 0.0);
        const std::array<const T*, 4> constants{means.data(), inverses.data(), factors.data(),
                                                offsets.data()};
        kernels::add_channel_sums<channels>(
            io.samples() * positions, sums, constants,
            [](const auto& add, const auto& c, auto gradient, auto x) {
              gradient = before<Activation>(gradient, c[2], x, c[3]);
              add(gradient, gradient * (x - c[0]) * c[1]);
            },
            dy, io.x.data);
        for (std::size_t c = 0; c < channels; ++c) {
          if constexpr (Center) get<"beta">(io.gradients).data[c] += static_cast<T>(sums[c]);
          if constexpr (Scale) get<"gamma">(io.gradients).data[c] += static_cast<T>(sums[channels + c]);
          if (!io.statistics.leads) continue;
          const Moments moments = moments_of(c);
          const double share = 1 - double{io.layer.momentum};
          get<"moving_mean">(io.gradients).data[c] += static_cast<T>(share * (moments.mean - moving_mean[c]));
          get<"moving_variance">(io.gradients).data[c] +=
              static_cast<T>(share * (moments.variance - get<"moving_variance">(io.parameters).data[c]));
        }
      } else if constexpr (Io::wants_dx) {
        std::array<T, channels> of_dy, of_x, constant, factors, offsets;
        training_map<T>(io.layer, io.parameters, io.forward_totals, io.statistics.batch, factors, offsets);
        const auto count = static_cast<double>(io.statistics.batch * positions);
        for (std::size_t c = 0; c < channels; ++c) {
          const Moments moments = moments_of(c);
          const double inverse = 1 / std::sqrt(moments.variance + io.layer.epsilon);
          const double factor = gamma(io.parameters, c) * inverse;
          const double slope = -factor * inverse * io.statistics.total[channels + c] / count;
          of_dy[c] = static_cast<T>(factor);
          of_x[c] = static_cast<T>(slope);
          constant[c] = static_cast<T>(-factor * io.statistics.total[c] / count - slope * moments.mean);
        }
        const std::array<const T*, 5> constants{of_dy.data(), of_x.data(), constant.data(), factors.data(),
                                                offsets.data()};
        kernels::map_channels<channels>(
            io.samples() * positions, io.dx.data, constants,
            [](const auto& c, auto gradient, auto x) {
              return simd::fma(c[0], before<Activation>(gradient, c[3], x, c[4]), simd::fma(c[1], x, c[2]));
            },
            dy, io.x.data);
      }
    }

   private:
    // Mean and variance of a channel over the batch, from the sums of what exceeds the moving mean.
    struct Moments {
      double mean, variance;
      template <class T>
      Moments(const double* sums, std::size_t batch, const T* moving_mean, std::size_t c) {
        const auto count = static_cast<double>(batch * positions);
        const double shifted = sums[c] / count;
        mean = moving_mean[c] + shifted;
        variance = std::max(0.0, sums[channels + c] / count - shifted * shifted);
      }
    };
    template <class T>
    static void set(const Layer& layer, ParameterViews<const T, Parameters> parameters, std::size_t c,
                    double mean, double variance, std::array<T, channels>& factors,
                    std::array<T, channels>& offsets) {
      const double factor = gamma(parameters, c) / std::sqrt(variance + layer.epsilon);
      factors[c] = static_cast<T>(factor);
      offsets[c] = static_cast<T>(beta(parameters, c) - factor * mean);
    }
    template <class T>
    static void training_map(const Layer& layer, ParameterViews<const T, Parameters> parameters,
                             const double* totals, std::size_t batch, std::array<T, channels>& factors,
                             std::array<T, channels>& offsets) {
      for (std::size_t c = 0; c < channels; ++c) {
        const Moments moments(totals, batch, get<"moving_mean">(parameters).data, c);
        set(layer, parameters, c, moments.mean, moments.variance, factors, offsets);
      }
    }
    // The gradient before the activation: its result is computed again, as forward did.
    template <class Activation, class V>
    static V before(V gradient, V factor, V x, V offset) {
      if constexpr (std::is_same_v<Activation, kernels::Identity>)
        return gradient;
      else
        return Activation::slope(Activation::value(simd::fma(factor, x, offset))) * gradient;
    }
    template <class Views>
    static double gamma(const Views& parameters, std::size_t c) {
      if constexpr (Scale) return get<"gamma">(parameters).data[c];
      return 1;
    }
    template <class Views>
    static double beta(const Views& parameters, std::size_t c) {
      if constexpr (Center) return get<"beta">(parameters).data[c];
      return 0;
    }
  };
};

/// `BatchNormalization`, `BatchNormalization{.momentum = 0.9f}`; without beta or gamma,
/// BasicBatchNormalization.
using BatchNormalization = BasicBatchNormalization<>;

}  // namespace digitnet
