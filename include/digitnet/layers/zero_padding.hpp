// ZeroPadding2D: a border of zeros around an image.
#pragma once
#include <algorithm>

#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// Keras' ZeroPadding2D: (height, width, channels) to (height + 2 rows, width + 2 columns, channels);
/// `ZeroPadding2D<1>`, `ZeroPadding2D<Extent{2, 1}>`.
template <Extent Border = 1>
struct ZeroPadding2D {
  static constexpr std::string_view class_name = "ZeroPadding2D";
  static constexpr auto settings = std::tuple{setting<"padding">(Border)};

  template <class In>
  struct On : LayerDefaults {
    static constexpr bool is_image = In::rank == 3;
    static_assert(is_image, "ZeroPadding2D needs an image (height, width, channels): put Reshape before it");
    using Padded = Shape<In::height + 2 * Border.height, In::width + 2 * Border.width, In::channels>;
    using Output = std::conditional_t<is_image, Padded, In>;
    static constexpr LayerTraits traits{.backward_reads_x = false, .backward_reads_y = false};
    static constexpr std::size_t line = In::width * In::channels;
    static constexpr std::size_t offset(std::size_t row) {
      return ((row + Border.height) * Output::width + Border.width) * In::channels;
    }

    template <class Io>
    static void forward(const Io& io) {
      std::fill_n(io.y.data, io.y.size(), typename Io::Real{0});
      for (std::size_t i = 0; i < io.samples(); ++i)
        for (std::size_t row = 0; row < In::height; ++row)
          std::copy_n(io.x.sample(i) + row * line, line, io.y.sample(i) + offset(row));
    }
    template <class Io>
    static void backward(const Io& io) {
      if constexpr (Io::wants_dx)
        for (std::size_t i = 0; i < io.samples(); ++i)
          for (std::size_t row = 0; row < In::height; ++row)
            std::copy_n(io.dy.sample(i) + offset(row), line, io.dx.sample(i) + row * line);
    }
  };
};

}  // namespace digitnet
