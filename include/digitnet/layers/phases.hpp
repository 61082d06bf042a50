// Forward and backward of any layer, whether it has phases or not.
#pragma once
#include <cstddef>

#include "digitnet/core/for_each_index.hpp"
#include "digitnet/layers/layer.hpp"

namespace digitnet {

/// A phase of forward, from 0 to On::synchronizations; that of a layer without phases is all of it.
template <class On, std::size_t phase, class Io>
void run_forward_phase(const Io& io) {
  static_assert(phase <= On::synchronizations);
  if constexpr (requires { On::template forward_phase<phase>(io); })
    On::template forward_phase<phase>(io);
  else
    On::forward(io);
}
template <class On, std::size_t phase, class Io>
void run_backward_phase(const Io& io) {
  static_assert(phase <= On::synchronizations);
  if constexpr (requires { On::template backward_phase<phase>(io); })
    On::template backward_phase<phase>(io);
  else
    On::backward(io);
}

/// What forward's phase made of a micro-batch joins what it made of those before.
template <class On, std::size_t phase>
void merge_phase_statistics(const MergedStatistics& merge) {
  if constexpr (requires { On::template merge_statistics<phase>(merge); })
    On::template merge_statistics<phase>(merge);
  else
    for (std::size_t i = 0; i < On::statistics; ++i)
      merge.total[i] = (merge.samples_before == 0 ? 0 : merge.total[i]) + merge.partial[i];
}

/// All phases, one after the other. In training the micro-batch must then be the whole batch.
template <class On, class Io>
void run_forward(const Io& io) {
  for_each_index<On::synchronizations + 1>([&]<std::size_t phase>() { run_forward_phase<On, phase>(io); });
}
template <class On, class Io>
void run_backward(const Io& io) {
  for_each_index<On::synchronizations + 1>([&]<std::size_t phase>() { run_backward_phase<On, phase>(io); });
}

}  // namespace digitnet
