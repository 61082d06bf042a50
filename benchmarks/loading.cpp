// How long MNIST takes from compressed files to memory.
#include <benchmark/benchmark.h>

#include <digitnet/data/datasets.hpp>

namespace {

void load_mnist(benchmark::State& state) {
  try {
    for (auto _ : state) benchmark::DoNotOptimize(digitnet::datasets::mnist({.allow_download = false}));
  } catch (const digitnet::Error& error) {
    state.SkipWithError(error.what());
  }
}
BENCHMARK(load_mnist)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
