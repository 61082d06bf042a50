// Whether this process may use AMX, the processor's tiles.
#pragma once
#include "digitnet/core/language.hpp"
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace digitnet {

/// Whether the processor multiplies tiles of bytes and of bfloat16, and Linux lets this process use them,
/// which has to be asked once.
inline bool amx_allowed() {
#if defined(__x86_64__) && defined(__linux__)
  static const bool result = [] {
    constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24, amx_int8 = 1u << 25,
                       all = amx_bf16 | amx_tile | amx_int8;
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || (edx & all) != all) return false;
    constexpr long request = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, request, tile_data) == 0;
  }();
  return result;
#else
  return false;
#endif
}

}  // namespace digitnet
