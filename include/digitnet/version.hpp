// The version of digitnet. CMake's project version is read from here; versions follow semver.org.
#pragma once
#include "digitnet/core/language.hpp"

#define DIGITNET_VERSION_MAJOR 0
#define DIGITNET_VERSION_MINOR 1
#define DIGITNET_VERSION_PATCH 0

/// One number that grows with the version: `#if DIGITNET_VERSION >= 10200` asks for 1.2.0 or later.
#define DIGITNET_VERSION \
  (10000 * DIGITNET_VERSION_MAJOR + 100 * DIGITNET_VERSION_MINOR + DIGITNET_VERSION_PATCH)
