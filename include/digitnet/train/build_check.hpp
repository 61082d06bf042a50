// A warning, once, when training starts: the program runs far below what the machine can do, and why.
#pragma once
#include <cstdio>
#include <string>
#include <string_view>

#include "digitnet/core/blas.hpp"

namespace digitnet {

namespace detail {

inline std::string slow_build_advice() {
  std::string advice;
#if defined(__GNUC__) && !defined(__OPTIMIZE__)
  advice += "digitnet: this program was compiled without optimisation; use -O3 (CMAKE_BUILD_TYPE=Release).\n";
#endif
#if defined(__x86_64__) && defined(__GNUC__)
#if !defined(__AVX2__)
  if (__builtin_cpu_supports("avx2"))
    advice +=
        "digitnet: this program was compiled for SSE2 alone, but the CPU has wider vectors; link "
        "digitnet::native "
        "or use -march=native.\n";
#endif
  const std::string_view core = blas::core_name();
  const bool older = core == "Haswell" || core == "Sandybridge" || core == "Nehalem" || core == "Prescott" ||
                     core == "Core2" || core == "Zen" || core == "Barcelona";
  if (__builtin_cpu_supports("avx512f") && older) {
    advice += "digitnet: OpenBLAS runs its kernels for ";
    advice.append(core).append(", an older CPU than this one; unset OPENBLAS_CORETYPE.\n");
  }
#endif
  return advice;
}

}  // namespace detail

/// Prints the advice to standard error, the first time it is called.
inline void warn_once_of_slow_build() {
  static const bool warned = [] {
    std::fputs(detail::slow_build_advice().c_str(), stderr);
    return true;
  }();
  (void)warned;
}

}  // namespace digitnet
