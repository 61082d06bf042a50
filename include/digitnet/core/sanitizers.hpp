// DIGITNET_SANITIZED: a sanitizer checks every access to memory. g++ says so by macros, clang++ by features.
#pragma once
#include "digitnet/core/language.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DIGITNET_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DIGITNET_SANITIZED
#endif
#endif
