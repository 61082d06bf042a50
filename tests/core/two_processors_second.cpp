#include "core/two_processors.hpp"

std::uint64_t bits_of_second_unit() { return trained_bits(); }
