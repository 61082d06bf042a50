// BatchNormalization: brings each channel to mean 0 and variance 1 over the batch, then scales and shifts it.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>

#include "digitnet/kernels/batch_normalization.hpp"
#include "digitnet/kernels/gather_gemm.hpp"
#include "digitnet/layers/elementwise.hpp"
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
  static constexpr auto settings = std::tuple{setting<"center">(Center), setting<"scale">(Scale),
                                              setting<"epsilon">(&BasicBatchNormalization::epsilon),
                                              setting<"momentum">(&BasicBatchNormalization::momentum)};
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
    static constexpr LayerTraits traits{.backward_reads_y = false,
                                        .keeps_dy = true,
                                        .barriers = 1,
                                        .statistics = 2 * channels,
                                        .rematerializes_y = true};

    /// How a channel is normalized: y = factor * (x - mean) + offset. The mean is subtracted first, so that
    /// precision does not depend on how far from zero the numbers are; what of it T cannot hold is in the
    /// offset.
    template <class T>
    struct Map {
      T mean, factor, offset;
      Map(const Layer& layer, ParameterViews<const T, Parameters> parameters, std::size_t c,
          double exact_mean, double variance)
          : mean(static_cast<T>(exact_mean)) {
        const double exact_factor = gamma(parameters, c) / std::sqrt(variance + layer.epsilon);
        factor = static_cast<T>(exact_factor);
        offset = static_cast<T>(beta(parameters, c) - exact_factor * (exact_mean - mean));
      }
    };
    template <class T>
    static Map<T> inference_map(const Layer& layer, ParameterViews<const T, Parameters> parameters,
                                std::size_t c) {
      return {layer, parameters, c, get<"moving_mean">(parameters).data[c],
              get<"moving_variance">(parameters).data[c]};
    }

    /// Of a channel, in inference.
    template <class T>
    static double deviation(const Layer& layer, ParameterViews<const T, Parameters> parameters,
                            std::size_t c) {
      return std::sqrt(double{get<"moving_variance">(parameters).data[c]} + layer.epsilon);
    }

    /// First each channel's mean and the sum of its squared differences from it; then y, through an
    /// activation if one is given.
    template <std::size_t stage, class Activation = kernels::Identity, class Io>
    static void forward_stage(const Io& io) {
      using T = typename Io::Real;
      if constexpr (stage == 0) {
        if (io.mode == Mode::inference) return;
        kernels::channel_moments<channels>(io.samples() * positions, io.x.data, io.statistics.partial,
                                           io.statistics.partial + channels);
      } else {
        kernels::map_channels<channels>(
            io.samples() * positions, io.y.data,
            [&](std::size_t c) {
              const Map<T> map =
                  io.mode == Mode::inference
                      ? inference_map<T>(io.layer, io.parameters, c)
                      : training_map<T>(io.layer, io.parameters,
                                        Moments(io.statistics.total, io.statistics.batch, c), c);
              return std::array{map.mean, map.factor, map.offset};
            },
            [](const auto& c, auto x) { return Activation::value(normalized(x, c[0], c[1], c[2])); },
            io.x.data);
      }
    }

    /// The moments of more samples together: Chan, Golub, LeVeque, Updating Formulae and a Pairwise Algorithm
    /// for Computing Sample Variances (1979).
    template <std::size_t stage>
    static void merge_statistics(const MergedStatistics& merge) {
      if (merge.samples_before == 0) {
        std::copy_n(merge.partial, traits.statistics, merge.total);
        return;
      }
      const auto before = static_cast<double>(merge.samples_before),
                 here = static_cast<double>(merge.samples);
      const double part = here / (before + here), weight = before * part * positions;
      for (std::size_t c = 0; c < channels; ++c) {
        const double difference = merge.partial[c] - merge.total[c];
        merge.total[c] += part * difference;
        merge.total[channels + c] += merge.partial[channels + c] + weight * difference * difference;
      }
    }

    /// First the sums of dy and dy * normalized x; then dx, which the mean and variance's dependence on x
    /// makes a mixture of dy, x and these sums. dy is that of the activation, if one is given.
    template <std::size_t stage, class Activation = kernels::Identity, class Io>
    static void backward_stage(const Io& io) {
      using T = typename Io::Real;
      const auto moments_of = [&](std::size_t c) {
        return Moments(io.forward_totals, io.statistics.batch, c);
      };
      const T* const dy = io.dy.data;
      if constexpr (stage == 0) {
        double* const sums = io.statistics.partial;
        std::fill_n(sums, traits.statistics, 0.0);
        kernels::add_channel_sums<channels>(
            io.samples() * positions, sums,
            [&](std::size_t c) {
              const Map<T> map = training_map<T>(io.layer, io.parameters, moments_of(c), c);
              return std::array{map.mean, map.factor, map.offset};
            },
            [](const auto& add, const auto& c, auto gradient, auto x) {
              gradient = before<Activation>(gradient, x, c[0], c[1], c[2]);
              add(gradient, gradient * (x - c[0]));
            },
            dy, io.x.data);
        for (std::size_t c = 0; c < channels; ++c) {
          const Moments moments = moments_of(c);
          const double inverse = 1 / std::sqrt(moments.variance + io.layer.epsilon);
          // What the mean lost when it became a T.
          const double rest = moments.mean - static_cast<T>(moments.mean);
          sums[channels + c] = inverse * (sums[channels + c] - rest * sums[c]);
          if constexpr (Center) get<"beta">(io.gradients).data[c] += static_cast<T>(sums[c]);
          if constexpr (Scale) get<"gamma">(io.gradients).data[c] += static_cast<T>(sums[channels + c]);
          if (!io.statistics.first_micro_batch) continue;
          const double share = 1 - double{io.layer.momentum};
          get<"moving_mean">(io.gradients).data[c] +=
              change(get<"moving_mean">(io.parameters).data[c], moments.mean, share);
          get<"moving_variance">(io.gradients).data[c] +=
              change(get<"moving_variance">(io.parameters).data[c], moments.variance, share);
        }
      } else if constexpr (Io::wants_dx) {
        const auto count = static_cast<double>(io.statistics.batch * positions);
        kernels::map_channels<channels>(
            io.samples() * positions, io.dx.data,
            [&](std::size_t c) {
              const Moments moments = moments_of(c);
              const Map<T> map = training_map<T>(io.layer, io.parameters, moments, c);
              const double inverse = 1 / std::sqrt(moments.variance + io.layer.epsilon);
              const double factor = gamma(io.parameters, c) * inverse;
              const double slope = -factor * inverse * io.statistics.total[channels + c] / count;
              const double constant =
                  -factor * io.statistics.total[c] / count - slope * (moments.mean - map.mean);
              return std::array{map.mean, map.factor, map.offset, static_cast<T>(slope),
                                static_cast<T>(constant)};
            },
            [](const auto& c, auto gradient, auto x) {
              return simd::fma(c[1], before<Activation>(gradient, x, c[0], c[1], c[2]),
                               simd::fma(c[3], x - c[0], c[4]));
            },
            dy, io.x.data);
      }
    }

   private:
    // Mean and variance of a channel over the batch.
    struct Moments {
      double mean, variance;
      Moments(const double* totals, std::size_t batch, std::size_t c)
          : mean(totals[c]), variance(totals[channels + c] / static_cast<double>(batch * positions)) {}
    };
    template <class T>
    static Map<T> training_map(const Layer& layer, ParameterViews<const T, Parameters> parameters,
                               const Moments& moments, std::size_t c) {
      return {layer, parameters, c, moments.mean, moments.variance};
    }
    template <class V>
    static V normalized(V x, V mean, V factor, V offset) {
      return simd::fma(factor, x - mean, offset);
    }
    // The gradient before the activation: its result is rematerialized, as forward computed it.
    template <class Activation, class V>
    static V before(V gradient, V x, V mean, V factor, V offset) {
      if constexpr (std::is_same_v<Activation, kernels::Identity>)
        return gradient;
      else {
        const V argument = normalized(x, mean, factor, offset);
        if constexpr (detail::slope_of_argument<Activation>)
          return Activation::slope(argument) * gradient;
        else
          return Activation::slope(Activation::value(argument)) * gradient;
      }
    }
    // What moves a number by a share of its way to another. Where that is less than half the step from it to
    // the next T, it moves by one of these, or it would stand still far from where it should be.
    template <class T>
    static T change(T from, double to, double share) {
      T next = static_cast<T>(from + share * (to - from));
      if (next == from && share > 0) {
        const T neighbour = std::nextafter(from, static_cast<T>(to));
        if (std::abs(to - neighbour) < std::abs(to - from)) next = neighbour;
      }
      return next - from;
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
