// The name of the instruction set that this translation unit is compiled for.
#pragma once
#include "digitnet/core/language.hpp"

// Code that uses vectors has this inline namespace in its name, its own or that of a type that it is made
// for: a Shape, an Input, a loss. So translation units for different processors have functions of their own
// in one program, and each computes what it computes alone.
#if defined(DIGITNET_NO_SIMD) && defined(__FMA__)
#define DIGITNET_PROCESSOR for_no_simd_fma
#elif defined(DIGITNET_NO_SIMD)
#define DIGITNET_PROCESSOR for_no_simd
#elif (defined(__AMX_INT8__) || defined(__AMXINT8__)) && (defined(__AMX_BF16__) || defined(__AMXBF16__))
#define DIGITNET_PROCESSOR for_amx
#elif defined(__AMX_INT8__) || defined(__AMXINT8__)
#define DIGITNET_PROCESSOR for_amx_int8
#elif defined(__AMX_BF16__) || defined(__AMXBF16__)
#define DIGITNET_PROCESSOR for_amx_bf16
#elif defined(__AVX512BW__) && defined(__AVX512BF16__)
#define DIGITNET_PROCESSOR for_avx512bf16
#elif defined(__AVX512BW__) && defined(__AVX512VNNI__)
#define DIGITNET_PROCESSOR for_avx512vnni
#elif defined(__AVX512BW__)
#define DIGITNET_PROCESSOR for_avx512bw
#elif defined(__AVX512F__)
#define DIGITNET_PROCESSOR for_avx512f
#elif defined(__AVX2__) && defined(__AVXVNNI__)
#define DIGITNET_PROCESSOR for_avxvnni
#elif defined(__AVX2__) && defined(__FMA__)
#define DIGITNET_PROCESSOR for_avx2_fma
#elif defined(__AVX2__)
#define DIGITNET_PROCESSOR for_avx2
#elif defined(__AVX__) && defined(__FMA__)
#define DIGITNET_PROCESSOR for_avx_fma
#elif defined(__AVX__)
#define DIGITNET_PROCESSOR for_avx
#elif defined(__SSE4_1__)
#define DIGITNET_PROCESSOR for_sse4
#elif defined(__SSE2__)
#define DIGITNET_PROCESSOR for_sse2
#elif defined(__aarch64__)
#define DIGITNET_PROCESSOR for_neon64
#else
#define DIGITNET_PROCESSOR for_any_processor
#endif
