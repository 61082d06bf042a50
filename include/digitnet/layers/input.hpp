// Input: the shape of one sample that enters a model.
#pragma once
#include "digitnet/core/processor.hpp"
#include "digitnet/core/shape.hpp"

namespace digitnet {
inline namespace DIGITNET_PROCESSOR {

/// Keras' Input: `Input<28, 28, 1>` for images, `Input<784>` for vectors. A Sequential that begins with it is
/// a model.
template <std::size_t... Extents>
struct Input {
  using Output = Shape<(Extents > 0 ? Extents : 1)...>;
  static_assert(((Extents > 0) && ...), "Every extent of an Input must be at least 1");
};

}  // namespace DIGITNET_PROCESSOR
}  // namespace digitnet
