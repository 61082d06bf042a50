#include "processes.hpp"

#include <digitnet/core/error.hpp>

#if defined(DIGITNET_WITH_MPI)
#include <algorithm>
#include <digitnet/mpi/communicator.hpp>
#include <digitnet/mpi/environment.hpp>
#include <digitnet/train/ranks.hpp>
#include <iostream>

namespace program {

int run_processes(int argc, char** argv, Flags& flags, bool shares_threads,
                  const std::function<int(const Flags&)>& main_function) {
  const digitnet::mpi::Environment environment(&argc, &argv);
  try {
    flags.communicator = digitnet::mpi::Communicator{};
    if (shares_threads)
      flags.threads = std::max<std::size_t>(
          1, digitnet::hardware_threads() / static_cast<std::size_t>(environment.size_here()));
    if (environment.rank() > 0) {
      flags.quiet = true;
      flags.json_path = flags.save_path = flags.report_folder = flags.tensorboard_folder = {};
      std::cout.setstate(std::ios::failbit);
    }
    const int status = main_function(flags);
    // Before MPI ends.
    flags.communicator = {};
    return status;
  } catch (const digitnet::SharedError& error) {
    flags.communicator = {};
    if (environment.rank() == 0) std::cerr << argv[0] << ": " << error.what() << "\n";
    return 1;
  } catch (const std::exception& error) {
    environment.abort(error.what());
  }
}

}  // namespace program
#else

namespace program {

int run_processes(int, char**, Flags&, bool, const std::function<int(const Flags&)>&) {
  digitnet::fail(
      "This program was built without MPI: install libopenmpi-dev and openmpi-bin, and build it again");
}

}  // namespace program
#endif
