// Training and prediction on several processes, over MPI. See docs/many-machines.md.
#pragma once
#include "digitnet/mpi/communicator.hpp"
#include "digitnet/mpi/environment.hpp"
#include "digitnet/mpi/predict.hpp"
