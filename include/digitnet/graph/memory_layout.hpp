// Where buffers lie: those that live at different times share memory.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "digitnet/core/arena.hpp"

namespace digitnet::detail {

/// A buffer and its life. Step s is the times 2s, at which it reads, and 2s + 1, at which it has written.
struct PlannedBuffer {
  std::size_t bytes = 0;
  std::size_t birth = 0, death = 0;
  /// Whether it outlives a batch barrier: such a buffer belongs to a micro-batch, the others to a thread.
  bool lasts = false;
  std::size_t offset = 0;
};

/// Gives each of the buffers that last, or of those that don't, its offset: the larger first, each at the
/// lowest place that is free for as long as it lives. Returns the bytes of all.
inline std::size_t lay_out(std::vector<PlannedBuffer>& buffers, bool lasts) {
  // The larger first; equal ones as they come.
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].lasts != lasts || buffers[i].bytes == 0) continue;
    auto place = order.end();
    while (place != order.begin() && buffers[*(place - 1)].bytes < buffers[i].bytes) --place;
    order.insert(place, i);
  }
  std::size_t end = 0;
  // By offset.
  std::vector<std::size_t> placed;
  for (const std::size_t i : order) {
    PlannedBuffer& here = buffers[i];
    const std::size_t bytes = round_up(here.bytes, alignment_bytes);
    std::size_t at = 0;
    for (const std::size_t other : placed) {
      if (buffers[other].birth > here.death || here.birth > buffers[other].death) continue;
      if (at + bytes <= buffers[other].offset) break;
      at = std::max(at, buffers[other].offset + round_up(buffers[other].bytes, alignment_bytes));
    }
    here.offset = at;
    end = std::max(end, at + bytes);
    auto place = placed.end();
    while (place != placed.begin() && buffers[*(place - 1)].offset > at) --place;
    placed.insert(place, i);
  }
  return end;
}

}  // namespace digitnet::detail
