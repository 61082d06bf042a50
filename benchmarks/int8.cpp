// Inference in float32 and on bytes, in one program: float32/C/256 and int8/C/256 (network, batch). C is the
// CNN of contest.hpp, D ResNet-20, E MobileNet, with random weights. On one thread: taskset -c 0.
#include <benchmark/benchmark.h>

#include <digitnet/applications/mobilenet.hpp>
#include <digitnet/applications/resnet.hpp>
#include <digitnet/digitnet.hpp>
#include <digitnet/quantized.hpp>

#include "contest.hpp"

using namespace digitnet;

namespace {

using C = Sequential<Input<28, 28, 1>, Conv2D<32, 3>, ReLU, MaxPooling2D<2>, Conv2D<64, 3>, ReLU,
                     MaxPooling2D<2>, Flatten, Dense<64>, ReLU, Dense<10>, Softmax>;
using D = applications::ResNet<>;
using E = applications::MobileNet<>;

template <class Model, bool on_bytes>
void infer(benchmark::State& state) {
  const auto batch = static_cast<std::size_t>(state.range(0));
  const auto digits = contest::digit_floats(2048);
  std::vector<Matrix> batches;
  for (std::size_t first = 0; first < digits.count; first += batch) {
    batches.push_back(Matrix::from_shape({batch, contest::image_size}));
    std::copy_n(digits.pixels.data() + first * contest::image_size, batch * contest::image_size,
                batches.back().data());
  }
  const std::vector<Samples> samples(batches.begin(), batches.end());
  std::vector<float> answers(batch * 10);
  const Model model{Seed{1}};
  const Quantized<Model> quantized = quantize(model, samples[0]);
  const Predictor<Model> predictor(model);
  std::size_t next = 0;
  for (auto _ : state) {
    const Samples& x = samples[next++ % samples.size()];
    if constexpr (on_bytes)
      quantized.predict(x, answers.data());
    else
      predictor.predict(x, answers.data());
    benchmark::DoNotOptimize(answers.data());
  }
  state.counters["images/s"] = benchmark::Counter(
      static_cast<double>(batch) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

template <class Model>
void add(const std::string& name) {
  for (const int batch : {1, 256}) {
    benchmark::RegisterBenchmark(("float32/" + name).c_str(), infer<Model, false>)->Arg(batch)->UseRealTime();
    benchmark::RegisterBenchmark(("int8/" + name).c_str(), infer<Model, true>)->Arg(batch)->UseRealTime();
  }
}

}  // namespace

int main(int argc, char** argv) {
  add<C>("C");
  add<D>("D");
  add<E>("E");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
