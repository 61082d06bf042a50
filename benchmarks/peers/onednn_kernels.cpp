// oneDNN's convolution primitives on one thread, under the names of benchmarks/kernels.cpp: layouts of their
// own choosing, reordered outside the timing.
#include <benchmark/benchmark.h>

#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>

using dnnl::memory;

namespace {

constexpr memory::dim samples = 8;

struct Shape {
  memory::dim side, channels;
  bool depthwise;
};

struct Primitives {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  memory::dims x, w, y, b;
  memory::dims stride{1, 1}, padding{1, 1};

  explicit Primitives(const Shape& s) : x{samples, s.channels, s.side, s.side}, y(x), b{s.channels} {
    w = s.depthwise ? memory::dims{s.channels, 1, 1, 3, 3} : memory::dims{s.channels, s.channels, 3, 3};
  }
  static memory::desc any(const memory::dims& dims) {
    return {dims, memory::data_type::f32, memory::format_tag::any};
  }
  memory filled(const memory::desc& description) const {
    memory m(description, engine);
    auto* const values = static_cast<float*>(m.get_data_handle());
    for (std::size_t i = 0; i < description.get_size() / sizeof(float); ++i)
      values[i] = static_cast<float>(i % 17) / 17 - 0.5f;
    return m;
  }
  dnnl::convolution_forward::primitive_desc forward() const {
    return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_auto, any(x), any(w), any(b),
             any(y), stride, padding, padding},
            engine};
  }
};

void run(benchmark::State& state, const Shape& shape, const std::string& what) {
  Primitives p(shape);
  const auto forward = p.forward();
  dnnl::primitive primitive;
  std::unordered_map<int, memory> arguments;
  constexpr auto direct = dnnl::algorithm::convolution_direct;
  if (what == "forward") {
    primitive = dnnl::convolution_forward(forward);
    arguments = {{DNNL_ARG_SRC, p.filled(forward.src_desc())},
                 {DNNL_ARG_WEIGHTS, p.filled(forward.weights_desc())},
                 {DNNL_ARG_BIAS, p.filled(forward.bias_desc())},
                 {DNNL_ARG_DST, p.filled(forward.dst_desc())}};
  } else if (what == "weights") {
    const dnnl::convolution_backward_weights::primitive_desc d(
        {direct, p.any(p.x), p.any(p.w), p.any(p.b), p.any(p.y), p.stride, p.padding, p.padding}, p.engine,
        forward);
    primitive = dnnl::convolution_backward_weights(d);
    arguments = {{DNNL_ARG_SRC, p.filled(d.src_desc())},
                 {DNNL_ARG_DIFF_DST, p.filled(d.diff_dst_desc())},
                 {DNNL_ARG_DIFF_WEIGHTS, p.filled(d.diff_weights_desc())},
                 {DNNL_ARG_DIFF_BIAS, p.filled(d.diff_bias_desc())}};
  } else {
    const dnnl::convolution_backward_data::primitive_desc d(
        {direct, p.any(p.x), p.any(p.w), p.any(p.y), p.stride, p.padding, p.padding}, p.engine, forward);
    primitive = dnnl::convolution_backward_data(d);
    arguments = {{DNNL_ARG_DIFF_DST, p.filled(d.diff_dst_desc())},
                 {DNNL_ARG_WEIGHTS, p.filled(d.weights_desc())},
                 {DNNL_ARG_DIFF_SRC, p.filled(d.diff_src_desc())}};
  }
  for (auto _ : state) {
    primitive.execute(p.stream, arguments);
    p.stream.wait();
  }
  const double operations = 2.0 * 9 * samples * double(shape.side * shape.side * shape.channels) *
                            (shape.depthwise ? 1 : double(shape.channels));
  state.counters["FLOP/s"] =
      benchmark::Counter(operations * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

}  // namespace

int main(int argc, char** argv) {
  for (const char* what : {"forward", "weights", "input"}) {
    const auto add = [&](const Shape& shape) {
      const std::string side = std::to_string(shape.side);
      const std::string name = std::string(shape.depthwise ? "depthwise/" : "convolution/") + what + "/" +
                               side + "x" + side + "x" + std::to_string(shape.channels);
      benchmark::RegisterBenchmark(name.c_str(), run, shape, std::string(what));
    };
    for (const memory::dim side : {28, 14, 7})
      for (const memory::dim channels : {16, 32, 64}) add({side, channels, false});
    add({28, 32, true});
    add({14, 64, true});
    add({7, 128, true});
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
