// Denormal numbers count as zero while the engine computes: they would take a hundred times as long as
// others.
#pragma once
#include "digitnet/core/language.hpp"
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace digitnet {

/// While it lives, the calling thread flushes denormals to zero; afterwards the thread's former mode is
/// restored.
class FlushDenormals {
 public:
#if defined(__SSE2__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | flush_to_zero | denormals_are_zero); }
  ~FlushDenormals() { _mm_setcsr(before_); }
#else
  FlushDenormals() {}
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__SSE2__)
  static constexpr unsigned flush_to_zero = 0x8000;
  static constexpr unsigned denormals_are_zero = 0x0040;
  unsigned before_;
#endif
};

}  // namespace digitnet
