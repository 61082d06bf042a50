// MPI from its initialization to its end. Needs an MPI-3 library (Debian: libopenmpi-dev or libmpich-dev).
#pragma once
// The C interface alone: MPI's C++ bindings are gone from its standard.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "digitnet/core/error.hpp"

namespace digitnet::mpi {

namespace detail {

/// Throws an Error with MPI's own words unless a call was successful.
inline void check(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  fail(std::string(call) + " failed: " + std::string(text, static_cast<std::size_t>(length)));
}

}  // namespace detail

/// Starts MPI, unless that is done, and ends it again. One at the top of main, before anything that may fail:
/// an exception that leaves its scope ends all ranks, with a sentence on standard error.
///
///     int main(int argc, char** argv) {
///       const digitnet::mpi::Environment environment(&argc, &argv);
class Environment {
 public:
  /// Throws an Error if MPI cannot be started, or lets no thread call it.
  explicit Environment(int* argc = nullptr, char*** argv = nullptr) {
    int running = 0, level = MPI_THREAD_SINGLE;
    MPI_Initialized(&running);
    owns_ = running == 0;
    if (owns_)
      detail::check(MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &level), "MPI_Init_thread");
    else
      MPI_Query_thread(&level);
    if (level < MPI_THREAD_FUNNELED)
      fail(
          "This MPI library was started for programs without threads: start it with MPI_THREAD_FUNNELED or "
          "more");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  }
  ~Environment() {
    if (std::uncaught_exceptions() > exceptions_) abort("it has thrown an exception");
    int done = 0;
    MPI_Finalized(&done);
    if (owns_ && done == 0) MPI_Finalize();
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  /// Says why, and ends all ranks.
  [[noreturn]] void abort(const std::string& sentence) const {
    std::fprintf(stderr, "digitnet: rank %d of %d ends all ranks: %s\n", rank(), size(), sentence.c_str());
    std::fflush(nullptr);
    MPI_Abort(MPI_COMM_WORLD, 1);
    std::_Exit(1);
  }

  /// This process among those that were started together.
  int rank() const {
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
  }
  int size() const {
    int size = 1;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    return size;
  }
  /// Those of them that run on this machine.
  int size_here() const {
    MPI_Comm here = MPI_COMM_NULL;
    detail::check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here),
                  "MPI_Comm_split_type");
    int size = 1;
    MPI_Comm_size(here, &size);
    MPI_Comm_free(&here);
    return size;
  }

 private:
  bool owns_ = false;
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace digitnet::mpi
