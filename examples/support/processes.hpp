// The example programs on several processes (--mpi).
#pragma once
#include <functional>

#include "flags.hpp"

namespace program {

/// Runs the program as one of the processes that mpirun has started. Rank 0 alone prints and writes files.
/// The machine's threads are shared out if `shares_threads`. An error of one rank ends all.
int run_processes(int argc, char** argv, Flags& flags, bool shares_threads,
                  const std::function<int(const Flags&)>& main_function);

}  // namespace program
