// The language that digitnet needs: C++20, and a standard library that reads floating-point numbers. Other
// compilers get an error of one line.
#pragma once

#if __cplusplus < 202002L
#define DIGITNET_REFUSES
#error \
    "digitnet needs C++20: compile with -std=c++20 (CMake: target_compile_features(my_program PRIVATE cxx_std_20))"
#else
#include <version>
#if defined(_LIBCPP_VERSION) && _LIBCPP_VERSION < 200000
#define DIGITNET_REFUSES
#error \
    "digitnet needs std::from_chars for floating point, which libc++ before 20 lacks: compile with -stdlib=libstdc++"
#endif
#endif

// Compilers go on after an #error, to thousands of lines; a file that is missing stops them.
#ifdef DIGITNET_REFUSES
#include "nothing more, because of the error above"
#endif
