// Dropout: in training, a random part of the numbers becomes zero and the rest grows to make up for it.
#pragma once
#include <algorithm>
#include <cmath>

#include "digitnet/core/error.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// Keras' Dropout. `rate` in [0, 1) is the part that is dropped, to a precision of 1/65536; what stays is
/// divided by 1 - rate. Which numbers, is decided by (seed, epoch, step, sample, layer). No effect in
/// inference. Srivastava and others: Dropout (2014).
struct Dropout {
  static constexpr std::string_view class_name = "Dropout";
  float rate = 0.5f;

  constexpr Dropout() = default;
  constexpr explicit Dropout(float part) : rate(part) {
    if (!(part >= 0 && part < 1))
      fail("Dropout's rate must be at least 0 and below 1, but is " + std::to_string(part));
  }

  template <class In>
  struct On : LayerDefaults {
    using Output = In;
    using Cache = Buffer<std::uint8_t, In::size>;  // 1 where a number stays
    static constexpr bool in_place = true;
    static constexpr bool backward_reads_x = false;
    static constexpr bool backward_reads_y = false;

    template <class Io>
    static void forward(const Io& io) {
      using T = typename Io::Real;
      if (io.mode == Mode::inference) {
        if (io.x.data != io.y.data) std::copy_n(io.x.data, io.x.size(), io.y.data);
        return;
      }
      const auto threshold = static_cast<std::uint32_t>(std::lround(io.layer.rate * 65536));
      for (std::size_t i = 0; i < io.samples(); ++i) {
        Random random(io.key(i));
        std::uint8_t* const stays = io.cache + i * In::size;
        std::uint64_t bits = 0;
        for (std::size_t j = 0; j < In::size; ++j, bits >>= 16) {
          if (j % 4 == 0) bits = random();
          stays[j] = (bits & 0xffff) >= threshold;
        }
      }
      scale<T>(io.layer, io.x.size(), io.cache, io.x.data, io.y.data);
    }
    template <class Io>
    static void backward(const Io& io) {
      using T = typename Io::Real;
      if constexpr (Io::wants_dx)
        scale<T>(io.layer, io.x.size(), io.cache, static_cast<const T*>(io.dy.data), io.dx.data);
    }

   private:
    template <class T>
    static void scale(const Dropout& layer, std::size_t size, const std::uint8_t* stays, const T* from,
                      T* to) {
      const T factor = T{1} / (T{1} - static_cast<T>(layer.rate));
      for (std::size_t i = 0; i < size; ++i) to[i] = from[i] * (factor * static_cast<T>(stays[i]));
    }
  };
};

}  // namespace digitnet
