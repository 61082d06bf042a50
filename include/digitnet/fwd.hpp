// Names only: for headers that mention digitnet's types without using them.
#pragma once
#include <cstddef>

#include "digitnet/core/language.hpp"
#include "digitnet/core/processor.hpp"

namespace digitnet {

class Error;
struct Seed;
struct RandomKey;
class Random;
class ThreadTeam;

inline namespace DIGITNET_PROCESSOR {
template <std::size_t... Extents>
struct Shape;
template <std::size_t... Extents>
struct Input;
}  // namespace DIGITNET_PROCESSOR
template <class... Layers>
struct Sequential;

template <class Model, class Optimizer, class Loss>
class Trainer;
struct TrainerOptions;
struct FitOptions;
struct History;
class Callback;

struct Dataset;
struct TrainTest;

}  // namespace digitnet
