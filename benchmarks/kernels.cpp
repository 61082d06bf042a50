// Kernels on the shapes of the CNN example, on one thread, beside OpenBLAS' product of large matrices.
#include <benchmark/benchmark.h>

#include <digitnet/core/arena.hpp>
#include <digitnet/core/blas.hpp>
#include <digitnet/core/random.hpp>
#include <digitnet/kernels/conv2d.hpp>
#include <digitnet/kernels/conv2d_relu_maxpool_backward.hpp>
#include <digitnet/kernels/dense.hpp>
#include <digitnet/kernels/depthwise_conv2d.hpp>
#include <string>
#include <utility>

using namespace digitnet;
using namespace digitnet::kernels;

namespace {

constexpr std::size_t samples = 8;

Arena<float> random_numbers(std::size_t size) {
  Arena<float> arena(size);
  Random random(Seed{1});
  for (float& value : arena.span()) value = static_cast<float>(random.uniform(-1, 1));
  return arena;
}

void count_operations(benchmark::State& state, double operations) {
  state.counters["FLOP/s"] =
      benchmark::Counter(operations * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void sgemm(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const Arena<float> a = random_numbers(n * n), b = random_numbers(n * n);
  Arena<float> c(n * n);
  const blas::SingleThread single;
  for (auto _ : state)
    blas::gemm(blas::Transpose::no, blas::Transpose::no, n, n, n, a.data(), n, b.data(), n, 0.0f, c.data(),
               n);
  count_operations(state, 2.0 * static_cast<double>(n * n * n));
}
BENCHMARK(sgemm)->Arg(1536);

template <Conv2DExtents E>
struct ConvolutionData {
  Arena<float> x = random_numbers(samples * E.input_size()),
               kernel = random_numbers(E.kernel_rows() * E.filters),
               dy = random_numbers(samples * E.output_size()), scratch{conv2d_scratch<E>()},
               y{samples * E.output_size()}, dx{samples * E.input_size()},
               d_kernel{E.kernel_rows() * E.filters}, bias{E.filters},
               for_forward{conv2d_packed_forward<E>()}, for_backward{conv2d_packed_backward<E>()};
  static constexpr double operations = 2.0 * samples * E.multiply_adds();

  ConvolutionData() {
    conv2d_pack_forward<E>(kernel.data(), for_forward.data());
    conv2d_pack_backward<E>(kernel.data(), for_backward.data());
  }
};

// Counted as the operations of the direct method, as everywhere below.
template <Conv2DExtents E>
void convolution_forward(benchmark::State& state) {
  ConvolutionData<E> d;
  for (auto _ : state)
    conv2d_forward<E>(samples, d.x.data(), d.kernel.data(), d.bias.data(), d.for_forward.data(), d.y.data(),
                      d.scratch.data());
  count_operations(state, d.operations);
}
template <Conv2DExtents E>
void convolution_direct(benchmark::State& state) {
  ConvolutionData<E> d;
  for (auto _ : state)
    conv2d_forward<E>(samples, d.x.data(), d.kernel.data(), d.bias.data(), static_cast<const float*>(nullptr),
                      d.y.data(), d.scratch.data());
  count_operations(state, d.operations);
}
template <Conv2DExtents E>
void convolution_weights(benchmark::State& state) {
  ConvolutionData<E> d;
  for (auto _ : state)
    conv2d_backward_weights<E>(samples, d.x.data(), d.dy.data(), d.d_kernel.data(), d.bias.data(),
                               d.scratch.data());
  count_operations(state, d.operations);
}
template <Conv2DExtents E>
void convolution_input(benchmark::State& state) {
  ConvolutionData<E> d;
  for (auto _ : state)
    conv2d_backward_input<E>(samples, d.dy.data(), d.for_backward.data(), d.dx.data(), d.scratch.data());
  count_operations(state, d.operations);
}

template <ConvPoolExtents E, bool pack>
void fused_forward(benchmark::State& state) {
  ConvolutionData<E.conv> d;
  Arena<std::uint8_t> argmax(samples * E.output_size());
  Arena<float> scratch(conv_pool_scratch<E>()), packed(conv_pool_packed_forward<E>());
  conv_pool_pack_forward<E>(d.kernel.data(), packed.data());
  for (auto _ : state)
    conv_pool_forward<E>(samples, d.x.data(), d.kernel.data(), d.bias.data(), pack ? packed.data() : nullptr,
                         d.y.data(), argmax.data(), scratch.data());
  count_operations(state, d.operations);
}
template <ConvPoolExtents E>
void fused_backward(benchmark::State& state) {
  ConvolutionData<E.conv> d;
  Arena<std::uint8_t> argmax(samples * E.output_size());
  Arena<float> scratch(conv_pool_scratch<E>()), filters_first(conv_pool_packed_backward<E>());
  conv_pool_forward<E>(samples, d.x.data(), d.kernel.data(), d.bias.data(),
                       static_cast<const float*>(nullptr), d.y.data(), argmax.data(), scratch.data());
  conv_pool_pack_backward<E>(d.kernel.data(), filters_first.data());
  float* const dx = E.conv.channels == 1 ? nullptr : d.dx.data();
  for (auto _ : state)
    conv_pool_backward<E>(samples, d.x.data(), static_cast<const float*>(d.dy.data()), argmax.data(),
                          filters_first.data(), d.d_kernel.data(), d.bias.data(), dx, scratch.data());
  count_operations(state, d.operations * (dx ? 2 : 1));
}

constexpr Conv2DExtents first(28, 28, 1, 32, 3, 1, valid), second(13, 13, 32, 64, 3, 1, valid);
template <std::size_t side, std::size_t channels>
constexpr Conv2DExtents residual(side, side, channels, channels, 3, 1, same);

template <DepthwiseExtents E>
struct DepthwiseData {
  Arena<float> x = random_numbers(samples * E.input_size()), kernel = random_numbers(9 * E.channels),
               dy = random_numbers(samples * E.output_size()), scratch{depthwise_scratch<E>()},
               y{samples * E.output_size()}, dx{samples * E.input_size()}, d_kernel{9 * E.channels},
               bias{E.channels};
  static constexpr double operations = 2.0 * samples * E.positions() * 9 * E.channels;
};
template <DepthwiseExtents E>
void depthwise_forward(benchmark::State& state) {
  DepthwiseData<E> d;
  for (auto _ : state)
    kernels::depthwise_forward<E>(samples, d.x.data(), d.kernel.data(), d.bias.data(), d.y.data(),
                                  d.scratch.data());
  count_operations(state, d.operations);
}
template <DepthwiseExtents E>
void depthwise_weights(benchmark::State& state) {
  DepthwiseData<E> d;
  for (auto _ : state)
    depthwise_backward_weights<E>(samples, d.x.data(), d.dy.data(), d.d_kernel.data(), d.bias.data(),
                                  d.scratch.data());
  count_operations(state, d.operations);
}
template <DepthwiseExtents E>
void depthwise_input(benchmark::State& state) {
  DepthwiseData<E> d;
  for (auto _ : state)
    depthwise_backward_input<E>(samples, d.dy.data(), d.kernel.data(), d.dx.data(), d.scratch.data());
  count_operations(state, d.operations);
}

// The names that the suite asks for: "convolution/forward/28x28x16".
template <std::size_t side, std::size_t channels>
void add(const char* what, void (*function)(benchmark::State&)) {
  const std::string extents =
      std::to_string(side) + "x" + std::to_string(side) + "x" + std::to_string(channels);
  benchmark::RegisterBenchmark((std::string(what) + "/" + extents).c_str(), function);
}
template <std::size_t side, std::size_t channels>
void add_residual() {
  add<side, channels>("convolution/forward", convolution_forward<residual<side, channels>>);
  add<side, channels>("convolution/direct", convolution_direct<residual<side, channels>>);
  add<side, channels>("convolution/weights", convolution_weights<residual<side, channels>>);
  add<side, channels>("convolution/input", convolution_input<residual<side, channels>>);
}
template <std::size_t side, std::size_t channels>
void add_depthwise() {
  add<side, channels>("depthwise/forward", depthwise_forward<residual<side, channels>>);
  add<side, channels>("depthwise/weights", depthwise_weights<residual<side, channels>>);
  add<side, channels>("depthwise/input", depthwise_input<residual<side, channels>>);
}
const bool registered = [] {
  [&]<std::size_t... channels>(std::index_sequence<channels...>) {
    (add_residual<28, channels>(), ...);
    (add_residual<14, channels>(), ...);
    (add_residual<7, channels>(), ...);
  }
  (std::index_sequence<16, 32, 64>{});
  add_depthwise<28, 32>();
  add_depthwise<14, 64>();
  add_depthwise<7, 128>();
  return true;
}();
BENCHMARK(convolution_forward<first>);
BENCHMARK(convolution_weights<first>);
BENCHMARK(convolution_forward<second>);
BENCHMARK(convolution_direct<second>);
BENCHMARK(convolution_weights<second>);
BENCHMARK(convolution_input<second>);
BENCHMARK(fused_forward<ConvPoolExtents{first, 2}, false>);
BENCHMARK(fused_backward<ConvPoolExtents{first, 2}>);
BENCHMARK(fused_forward<ConvPoolExtents{second, 2}, false>);
BENCHMARK(fused_forward<ConvPoolExtents{second, 2}, true>);
BENCHMARK(fused_backward<ConvPoolExtents{second, 2}>);

// The three products of a dense layer. Arguments: samples, inputs, outputs.
struct DenseData {
  std::size_t samples, inputs, outputs;
  Arena<float> x = random_numbers(samples * inputs), kernel = random_numbers(inputs * outputs),
               dy = random_numbers(samples * outputs), y{samples * outputs}, dx{samples * inputs},
               d_kernel{inputs * outputs}, packed{inputs * outputs};
  explicit DenseData(const benchmark::State& state)
      : samples(static_cast<std::size_t>(state.range(0))),
        inputs(static_cast<std::size_t>(state.range(1))),
        outputs(static_cast<std::size_t>(state.range(2))) {
    pack_panels(0, inputs, inputs, outputs, kernel.data(), packed.data());
  }
  void count(benchmark::State& state) const {
    count_operations(state, 2.0 * static_cast<double>(samples * inputs * outputs));
  }
};
void dense_forward(benchmark::State& state, bool packed) {
  DenseData d(state);
  for (auto _ : state)
    kernels::dense_forward<Identity>(d.samples, d.inputs, d.outputs, d.x.data(), d.kernel.data(),
                                     packed ? d.packed.data() : static_cast<const float*>(nullptr),
                                     static_cast<const float*>(nullptr), d.y.data());
  d.count(state);
}
// As the stepper asks for them: some rows at a time.
void dense_weights(benchmark::State& state) {
  DenseData d(state);
  pack_panels(0, d.samples, d.samples, d.outputs, d.dy.data(), d.y.data());
  for (auto _ : state)
    for (std::size_t row = 0; row < d.inputs; row += 16)
      dense_backward_weights<Result::assign>(
          std::min<std::size_t>(16, d.inputs - row), d.inputs, d.outputs, d.x.data() + row,
          PanelMatrix<float>{d.y.data(), d.samples, d.outputs, true}, d.d_kernel.data() + row * d.outputs);
  d.count(state);
}
void dense_input(benchmark::State& state) {
  DenseData d(state);
  for (auto _ : state)
    dense_backward_input(d.samples, d.inputs, d.outputs, d.dy.data(),
                         static_cast<const float*>(d.packed.data()), d.dx.data());
  d.count(state);
}
void dense_sgemm(benchmark::State& state) {
  DenseData d(state);
  const blas::SingleThread single;
  for (auto _ : state)
    blas::gemm(blas::Transpose::no, blas::Transpose::no, d.samples, d.outputs, d.inputs, d.x.data(), d.inputs,
               d.kernel.data(), d.outputs, 0.0f, d.y.data(), d.outputs);
  d.count(state);
}
void dense_shapes(benchmark::internal::Benchmark* benchmark) {
  for (const int batch : {16, 64})
    for (const auto& [inputs, outputs] :
         {std::pair{784, 100}, {1600, 64}, {512, 256}, {784, 256}, {512, 512}, {784, 512}, {1024, 1024}})
      benchmark->Args({batch, inputs, outputs});
}
BENCHMARK_CAPTURE(dense_forward, packed, true)->Apply(dense_shapes);
BENCHMARK_CAPTURE(dense_forward, plain, false)->Apply(dense_shapes);
BENCHMARK(dense_weights)->Apply(dense_shapes);
BENCHMARK(dense_input)->Apply(dense_shapes);
BENCHMARK(dense_sgemm)->Apply(dense_shapes);

}  // namespace
