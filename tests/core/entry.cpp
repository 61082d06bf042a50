// Compiled for each processor.
#include "core/entry.hpp"

#include "core/two_processors.hpp"

DIGITNET_ENTRY(bits_of_training, trained_bits);
