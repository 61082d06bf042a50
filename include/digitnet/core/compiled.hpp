// Header-only is the default. With digitnet::compiled, which defines DIGITNET_COMPILED, functions that need
// no template are only declared where they are used: their bodies are compiled once, into its library
// (src/compiled.cpp).
#pragma once
#include "digitnet/core/language.hpp"

#if defined(DIGITNET_COMPILED) && !defined(DIGITNET_COMPILING)
#define DIGITNET_BODIES 0
#else
#define DIGITNET_BODIES 1
#endif

/// Stands before such a function.
#if defined(DIGITNET_COMPILED)
#define DIGITNET_INLINE
#else
#define DIGITNET_INLINE inline
#endif
