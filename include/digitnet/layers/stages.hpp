// Forward and backward of any layer, whether it has stages or not.
#pragma once
#include <cstddef>

#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// A stage of forward, from 0 to On::traits.barriers; that of a layer without stages is all of it.
template <class On, std::size_t stage, class Io>
void run_forward_stage(const Io& io) {
  static_assert(stage <= On::traits.barriers);
  if constexpr (requires { On::template forward_stage<stage>(io); })
    On::template forward_stage<stage>(io);
  else
    On::forward(io);
}
template <class On, std::size_t stage, class Io>
void run_backward_stage(const Io& io) {
  static_assert(stage <= On::traits.barriers);
  if constexpr (requires { On::template backward_stage<stage>(io); })
    On::template backward_stage<stage>(io);
  else
    On::backward(io);
}

/// What forward's stage made of a micro-batch joins what it made of those before.
template <class On, std::size_t stage>
void merge_stage_statistics(const MergedStatistics& merge) {
  if constexpr (requires { On::template merge_statistics<stage>(merge); })
    On::template merge_statistics<stage>(merge);
  else
    for (std::size_t i = 0; i < On::traits.statistics; ++i)
      merge.total[i] = (merge.samples_before == 0 ? 0 : merge.total[i]) + merge.partial[i];
}

}  // namespace digitnet
