#include "core/two_processors.hpp"

std::uint64_t bits_of_first_unit() { return trained_bits(); }
