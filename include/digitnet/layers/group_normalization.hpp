// GroupNormalization: the channels of each sample in groups, each group at mean 0 and variance 1, then scaled
// and shifted by channel.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// Keras' GroupNormalization over the last axis, for inputs of any rank; training and inference are the same.
/// Groups must divide the channels; as many as channels are instance normalization. Parameters, each
/// (channels): with Scale "gamma", with Center "beta". Wu, He: Group Normalization (2018).
template <std::size_t Groups = 32, bool Center = true, bool Scale = true>
struct BasicGroupNormalization {
  static constexpr std::string_view class_name = "GroupNormalization";
  static constexpr OutputKind output_kind = OutputKind::numbers;

  float epsilon = 1e-3f;
  static constexpr auto settings =
      std::tuple{setting<"groups">(Groups), setting<"center">(Center), setting<"scale">(Scale),
                 setting<"epsilon">(&BasicGroupNormalization::epsilon)};
  Initializer beta_initializer = Zeros{};
  Initializer gamma_initializer = Ones{};
  Regularizer beta_regularizer{};
  Regularizer gamma_regularizer{};

  template <class In>
  struct On : LayerDefaults {
    using Layer = BasicGroupNormalization;
    using Output = In;
    static constexpr std::size_t channels = In::last, positions = In::size / channels;
    static constexpr bool divides = Groups > 0 && channels % Groups == 0;
    static_assert(divides, "GroupNormalization's groups must divide the channels, the input's last axis");
    // Channels in a group, and numbers that are normalized together.
    static constexpr std::size_t width = divides ? channels / Groups : 1;
    static constexpr std::size_t count = width * positions;
    using Gamma = Parameter<"gamma", Shape<channels>, &Layer::gamma_initializer, &Layer::gamma_regularizer>;
    using Beta = Parameter<"beta", Shape<channels>, &Layer::beta_initializer, &Layer::beta_regularizer>;
    using Parameters =
        std::conditional_t<Scale,
                           std::conditional_t<Center, ParameterList<Gamma, Beta>, ParameterList<Gamma>>,
                           std::conditional_t<Center, ParameterList<Beta>, ParameterList<>>>;
    static constexpr LayerTraits traits{.backward_reads_y = false, .keeps_dy = true};

    // Five numbers for each channel.
    template <class T>
    static constexpr std::size_t scratch_bytes(std::size_t) {
      return round_up(5 * channels * sizeof(T), alignment_bytes);
    }

    template <class Io>
    static void forward(const Io& io) {
      using T = typename Io::Real;
      for (std::size_t sample = 0; sample < io.samples(); ++sample) {
        const T* const x = io.x.data + sample * In::size;
        T* const y = io.y.data + sample * In::size;
        const Moments<T> m(x, io.layer.epsilon, io.scratch);
        each([&](std::size_t i, std::size_t c) {
          y[i] = gamma<T>(io.parameters, c) * m.normalized(x[i], c) + beta<T>(io.parameters, c);
        });
      }
    }
    template <class Io>
    static void backward(const Io& io) {
      using T = typename Io::Real;
      T* const mean = io.scratch + 3 * channels;
      T* const slope = io.scratch + 4 * channels;
      for (std::size_t sample = 0; sample < io.samples(); ++sample) {
        const T* const x = io.x.data + sample * In::size;
        const T* const dy = io.dy.data + sample * In::size;
        const Moments<T> m(x, io.layer.epsilon, io.scratch);
        std::fill_n(mean, 2 * channels, T{0});
        each([&](std::size_t i, std::size_t c) {
          mean[c] += dy[i];
          slope[c] += dy[i] * m.normalized(x[i], c);
        });
        for (std::size_t c = 0; c < channels; ++c) {
          if constexpr (Center) get<"beta">(io.gradients).data[c] += mean[c];
          if constexpr (Scale) get<"gamma">(io.gradients).data[c] += slope[c];
          mean[c] *= gamma<T>(io.parameters, c);
          slope[c] *= gamma<T>(io.parameters, c);
        }
        if constexpr (Io::wants_dx) {
          average(mean);
          average(slope);
          T* const dx = io.dx.data + sample * In::size;
          each([&](std::size_t i, std::size_t c) {
            dx[i] = m.inverse[c] *
                    (dy[i] * gamma<T>(io.parameters, c) - mean[c] - m.normalized(x[i], c) * slope[c]);
          });
        }
      }
    }

   private:
    // visit(number, its channel) for every number of a sample. What is summed lies side by side for the
    // channels, so that it is a vector to the compiler.
    template <class Visit>
    static void each(const Visit& visit) {
      for (std::size_t position = 0; position < positions; ++position)
        for (std::size_t c = 0; c < channels; ++c) visit(position * channels + c, c);
    }
    // Each channel's sum becomes its group's mean.
    template <class T>
    static void average(T* sums) {
      for (T* group = sums; group < sums + channels; group += width) {
        T sum{0};
        for (std::size_t c = 0; c < width; ++c) sum += group[c];
        std::fill_n(group, width, sum / T{count});
      }
    }
    // Mean and 1 / deviation, for each channel those of its group. The mean is kept as what it exceeds the
    // group's first number by, so that precision does not depend on how far from zero the numbers are.
    template <class T>
    struct Moments {
      T *first, *mean, *inverse;
      Moments(const T* x, float epsilon, T* memory)
          : first(memory), mean(memory + channels), inverse(memory + 2 * channels) {
        for (std::size_t c = 0; c < channels; ++c) first[c] = x[c / width * width];
        std::fill_n(mean, 2 * channels, T{0});
        each([&](std::size_t i, std::size_t c) { mean[c] += x[i] - first[c]; });
        average(mean);
        each([&](std::size_t i, std::size_t c) {
          const T difference = x[i] - first[c] - mean[c];
          inverse[c] += difference * difference;
        });
        average(inverse);
        for (std::size_t c = 0; c < channels; ++c)
          inverse[c] = 1 / std::sqrt(inverse[c] + static_cast<T>(epsilon));
      }
      T normalized(T value, std::size_t c) const { return (value - first[c] - mean[c]) * inverse[c]; }
    };
    template <class T, class Views>
    static T gamma(const Views& parameters, std::size_t c) {
      if constexpr (Scale) return get<"gamma">(parameters).data[c];
      return 1;
    }
    template <class T, class Views>
    static T beta(const Views& parameters, std::size_t c) {
      if constexpr (Center) return get<"beta">(parameters).data[c];
      return 0;
    }
  };
};

/// `GroupNormalization<8>`, `GroupNormalization<8>{.epsilon = 1e-6f}`; without beta or gamma,
/// BasicGroupNormalization.
template <std::size_t Groups = 32>
using GroupNormalization = BasicGroupNormalization<Groups>;

}  // namespace digitnet
