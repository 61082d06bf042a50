#include "contest.hpp"

#include <benchmark/benchmark.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <digitnet/data/datasets.hpp>
#include <digitnet/data/synthetic_digits.hpp>
#include <iostream>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <string_view>

namespace contest {

Digits<std::uint8_t> digit_bytes(const Task& task) {
  constexpr std::size_t small = 28;
  const std::size_t count = task.images(), side = task.side(), channels = task.channels(),
                    scale = side / small, margin = (side - scale * small) / 2;
  const digitnet::Dataset data = [count] {
    try {
      return digitnet::slice(digitnet::datasets::mnist().train, 0, count);
    } catch (const digitnet::Error&) {
      std::cerr << "MNIST was not found: measured on synthetic digits\n";
      return digitnet::synthetic_digits(count, digitnet::Seed{1});
    }
  }();
  Digits<std::uint8_t> digits{.count = count,
                              .pixels = std::vector<std::uint8_t>(count * task.image_size()),
                              .labels = {data.labels.begin(), data.labels.end()}};
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t y = 0; y < scale * small; ++y)
      for (std::size_t x = 0; x < scale * small; ++x)
        std::fill_n(digits.pixels.data() + ((i * side + margin + y) * side + margin + x) * channels, channels,
                    data.images(i, y / scale, x / scale, 0));
  return digits;
}

Digits<float> digit_floats(const Task& task) {
  Digits<std::uint8_t> bytes = digit_bytes(task);
  Digits<float> digits{.count = bytes.count, .labels = std::move(bytes.labels)};
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
  for (auto _ : state) network->train(task.images());
  count_images(state, task.images());
}

void infer(benchmark::State& state, Factory factory, const Task& task) {
  const auto network = factory(task);
  std::size_t first = 0;
  const auto next = [&] {
    benchmark::DoNotOptimize(network->predict(first));
    first = (first + task.batch) % task.images();
  };
  for (int i = 0; i < 10; ++i) next();
  for (auto _ : state) next();
  count_images(state, task.batch);
}

// Each call by its own clock; the first one, of a network that has just been made, apart from the others.
void latency(benchmark::State& state, Factory factory, const Task& task) {
  const auto network = factory(task);
  std::vector<double> microseconds;
  microseconds.reserve(static_cast<std::size_t>(state.max_iterations));
  std::size_t image = 0;
  const auto call = [&] {
    const auto begin = Clock::now();
    benchmark::DoNotOptimize(network->predict(image));
    image = (image + 1) % task.images();
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
  };
  const double first = call();
  for (auto _ : state) microseconds.push_back(call());
  std::sort(microseconds.begin(), microseconds.end());
  const auto quantile = [&](double share) {
    return microseconds[static_cast<std::size_t>(share * static_cast<double>(microseconds.size()))];
  };
  state.counters["first us"] = first;
  state.counters["p50 us"] = quantile(0.5);
  state.counters["p99 us"] = quantile(0.99);
  state.counters["p99.9 us"] = quantile(0.999);
  state.counters["most us"] = microseconds.back();
}

// Takes "--calls=N" from the command line.
int calls_of(int& argc, char** argv) {
  constexpr std::string_view option = "--calls=";
  int calls = 20000;
  const auto end = std::remove_if(argv + 1, argv + argc, [&](const char* argument) {
    if (!std::string_view(argument).starts_with(option)) return false;
    calls = std::max(1, std::atoi(argument + option.size()));
    return true;
  });
  argc = static_cast<int>(end - argv);
  argv[argc] = nullptr;
  return calls;
}

}  // namespace

int run(int argc, char** argv, Factory factory, const char* trained, const char* inferred,
        const char* on_bytes) {
  const int calls = calls_of(argc, argv);
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
          ->Iterations(calls);
    }
    for (const char* network = on_bytes; *network; ++network)
      for (const std::size_t batch : {1, 256})
        add("int8", infer, {*network, batch, threads, false, true})->Unit(benchmark::kMicrosecond);
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
