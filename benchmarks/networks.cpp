// Training and inference of three networks, in images a second: A 784-100-10, B 784-512-512-10, C the seed
// CNN. The images are synthetic digits; an iteration is an epoch of training, or one prediction.
#include <benchmark/benchmark.h>

#include <digitnet/digitnet.hpp>

using namespace digitnet;

namespace {

using A = Sequential<Input<784>, Dense<100>, ReLU, Dense<10>, Softmax>;
using B = Sequential<Input<784>, Dense<512>, ReLU, Dense<512>, ReLU, Dense<10>, Softmax>;
using C = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                     MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;

const Dataset& digits() {
  static const Dataset data = synthetic_digits(20000, Seed{1});
  return data;
}

void count_images(benchmark::State& state, std::size_t images) {
  state.counters["images/s"] = benchmark::Counter(
      static_cast<double>(images) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

template <class Model, class Optimizer>
void train(benchmark::State& state) {
  Model model{Seed{1}};
  Trainer trainer{
      model, Optimizer{}, CategoricalCrossentropy{}, {.threads = static_cast<std::size_t>(state.range(1))}};
  const FitOptions options{.batch_size = static_cast<std::size_t>(state.range(0)),
                           .verbose = Verbose::silent};
  digits();  // drawn before the clock starts
  for (auto _ : state) trainer.fit(digits(), options);
  count_images(state, digits().size());
}
BENCHMARK(train<A, SGD>)->Args({32, 1})->Args({32, 2})->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(train<B, Adam>)->Args({128, 1})->Args({128, 2})->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(train<C, Adam>)
    ->Args({32, 1})
    ->Args({32, 2})
    ->Args({128, 1})
    ->Args({128, 2})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

template <class Model>
void predict(benchmark::State& state) {
  const Model model{Seed{1}};
  const Dataset data = slice(digits(), 0, static_cast<std::size_t>(state.range(0)));
  const Samples samples(data.images);
  std::vector<float> answers(data.size() * 10);
  for (auto _ : state) model.predict(samples, answers.data());
  count_images(state, data.size());
}
BENCHMARK(predict<A>)->Arg(1)->Arg(256)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(predict<B>)->Arg(1)->Arg(256)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(predict<C>)->Arg(1)->Arg(256)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
