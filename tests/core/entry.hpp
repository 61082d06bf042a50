// A training whose bits are asked for by a program that chooses its processor.
#pragma once
#include <cstdint>
#include <digitnet/core/entry.hpp>

inline constinit digitnet::Entry<std::uint64_t()> bits_of_training{"bits_of_training"};
inline constinit digitnet::Entry<int()> nowhere{"nowhere"};
