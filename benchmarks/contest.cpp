#include "contest.hpp"

#include <benchmark/benchmark.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <digitnet/data/datasets.hpp>
#include <digitnet/data/synthetic_digits.hpp>
#include <iostream>
#include <limits>
#include <numeric>
#include <random>
#include <string>

namespace contest {

Digits<std::uint8_t> digit_bytes(std::size_t count) {
  const digitnet::Dataset data = [count] {
    try {
      return digitnet::slice(digitnet::datasets::mnist().train, 0, count);
    } catch (const digitnet::Error&) {
      std::cerr << "MNIST was not found: measured on synthetic digits\n";
      return digitnet::synthetic_digits(count, digitnet::Seed{1});
    }
  }();
  return {.count = count,
          .pixels = {data.images.begin(), data.images.end()},
          .labels = {data.labels.begin(), data.labels.end()}};
}

Digits<float> digit_floats(std::size_t count) {
  Digits<std::uint8_t> bytes = digit_bytes(count);
  Digits<float> digits{.count = count, .labels = std::move(bytes.labels)};
  digits.pixels.reserve(bytes.pixels.size());
  for (const std::uint8_t pixel : bytes.pixels) digits.pixels.push_back(static_cast<float>(pixel) / 255);
  return digits;
}

std::vector<std::uint32_t> shuffled(std::size_t images) {
  static std::mt19937 random(1);
  std::vector<std::uint32_t> order(images);
  std::iota(order.begin(), order.end(), 0U);
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

namespace {

using Clock = std::chrono::steady_clock;

void count_images(benchmark::State& state, std::size_t images) {
  state.counters["images/s"] = benchmark::Counter(
      static_cast<double>(images) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["peak MiB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}

void train(benchmark::State& state, Factory factory, const Task& task) {
  const auto network = factory(task);
  network->train(warm_up_images);
  for (auto _ : state) network->train(pass_images(task));
  count_images(state, pass_images(task));
}

void infer(benchmark::State& state, Factory factory, const Task& task) {
  const auto network = factory(task);
  std::size_t first = 0;
  const auto next = [&] {
    benchmark::DoNotOptimize(network->predict(first));
    first = (first + task.batch) % inference_images;
  };
  for (int i = 0; i < 10; ++i) next();
  for (auto _ : state) next();
  count_images(state, task.batch);
}

// Each call by its own clock: the median and the 99th percentile.
void latency(benchmark::State& state, Factory factory, const Task& task) {
  const auto network = factory(task);
  std::vector<double> microseconds;
  std::size_t image = 0;
  for (auto _ : state) {
    const auto begin = Clock::now();
    benchmark::DoNotOptimize(network->predict(image));
    microseconds.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    image = (image + 1) % inference_images;
  }
  const auto quantile = [&](double share) {
    const auto at = microseconds.begin() + static_cast<std::ptrdiff_t>(share * double(microseconds.size()));
    std::nth_element(microseconds.begin(), at, microseconds.end());
    return *at;
  };
  state.counters["p50 us"] = quantile(0.5);
  state.counters["p99 us"] = quantile(0.99);
}

}  // namespace

int run(int argc, char** argv, Factory factory, const char* trained, const char* inferred) {
  const auto add = [factory](const char* what, auto function, const Task& task) {
    const std::string name = std::string(what) + "/" + task.network + "/" + std::to_string(task.batch) + "/" +
                             std::to_string(task.threads);
    return benchmark::RegisterBenchmark(name.c_str(), function, factory, task)->UseRealTime();
  };
  for (const int threads : {1, 2}) {
    for (const char* network = trained; *network; ++network)
      for (const std::size_t batch : {8, 32, 128})
        add("train", train, {*network, batch, threads, true})->Unit(benchmark::kMillisecond);
    for (const char* network = inferred; *network; ++network) {
      add("infer", infer, {*network, 256, threads, false})->Unit(benchmark::kMicrosecond);
      add("latency", latency, {*network, 1, threads, false})
          ->Unit(benchmark::kMicrosecond)
          ->Iterations(20000);
    }
  }
  // glibc gives large blocks back to the system when they are freed. What allocates its activations anew in
  // each step, as libtorch does, has to fault in all their pages again, which takes ResNet-20 two and
  // MobileNet seven times as long as if the memory is kept. Every contender keeps it.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace contest
