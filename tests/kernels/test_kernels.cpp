#include <digitnet/core/arena.hpp>
#include <digitnet/core/random.hpp>
#include <digitnet/kernels/conv2d.hpp>
#include <digitnet/kernels/dense.hpp>
#include <digitnet/kernels/depthwise_conv2d.hpp>
#include <digitnet/kernels/gather_gemm.hpp>
#include <digitnet/kernels/optimizer_step.hpp>
#include <digitnet/kernels/pooling.hpp>
#include <digitnet/kernels/softmax.hpp>
#include <limits>

#include "support/support.hpp"

using namespace digitnet;
using namespace digitnet::kernels;

namespace {

template <class T>
Arena<T> random_arena(std::size_t size, std::uint64_t seed) {
  Arena<T> arena(size);
  Random random(Seed{seed});
  for (T& value : arena.span()) value = static_cast<T>(random.uniform(-1, 1));
  return arena;
}

struct Plain {
  static constexpr std::size_t slots = 0;
  template <class V>
  V operator()(V w, V g, std::array<V, 0>&) const {
    return w - V(0.5f) * g;
  }
};

}  // namespace

TEST_CASE_TEMPLATE("gathered products equal plain loops at every extent", T, float, double) {
  for (std::size_t rows : {1, 2, 5, 6, 7, 13})
    for (std::size_t columns : {1, 3, 7, 8, 10, 16, 17, 33, 48, 64, 70, 100})
      for (std::size_t depth : {1, 2, 9}) {
        const auto a = random_arena<T>(rows * depth, 1);
        const auto b = random_arena<T>(depth * columns, 2);
        const auto bias = random_arena<T>(columns, 3);
        Arena<T> c(rows * columns + 1);
        c.fill(T{5});
        gather_gemm(
            rows, columns, Walk{.length = depth}, [&](std::size_t i) { return a.data() + i * depth; },
            b.data(), columns, bias.data(), [&](std::size_t i) { return c.data() + i * columns; });
        gather_gemm<DefaultArch, Result::add>(
            rows, columns, Walk{.length = depth}, [&](std::size_t i) { return a.data() + i * depth; },
            b.data(), columns, static_cast<const T*>(nullptr),
            [&](std::size_t i) { return c.data() + i * columns; });
        for (std::size_t i = 0; i < rows; ++i)
          for (std::size_t j = 0; j < columns; ++j) {
            double sum = bias.data()[j];
            for (std::size_t k = 0; k < depth; ++k)
              sum += 2.0 * a.data()[i * depth + k] * b.data()[k * columns + j];
            CHECK(std::abs(c.data()[i * columns + j] - sum) < 1e-5);
          }
        CHECK(c.data()[rows * columns] == T{5});
      }
}

namespace {

template <std::size_t length, std::size_t columns, class T>
void check_lines() {
  constexpr std::size_t lines = 3, depth = 5, a_pitch = depth + 1, a_line = length * a_pitch + 7;
  const auto a = random_arena<T>(lines * a_line, 1), b = random_arena<T>(depth * columns, 2),
             bias = random_arena<T>(columns, 3);
  Arena<T> c(lines * length * columns + 1);
  c.fill(T{5});
  const auto run = [&]<Result result>(const T* with_bias) {
    line_gemm<Lines{length, a_pitch, columns}, columns, DefaultArch, result>(
        lines, Walk{.length = depth}, [&](std::size_t line) { return a.data() + line * a_line; }, b.data(),
        with_bias, [&](std::size_t line) { return c.data() + line * length * columns; });
  };
  run.template operator()<Result::assign>(bias.data());
  run.template operator()<Result::add>(nullptr);
  double largest = 0;
  for (std::size_t i = 0; i < lines * length; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      double sum = bias.data()[j];
      for (std::size_t k = 0; k < depth; ++k)
        sum += 2.0 * a.data()[i / length * a_line + i % length * a_pitch + k] * b.data()[k * columns + j];
      largest = std::max(largest, std::abs(c.data()[i * columns + j] - sum));
    }
  CAPTURE(length);
  CAPTURE(columns);
  CHECK(largest < 1e-5);
  CHECK(c.data()[lines * length * columns] == T{5});
}

}  // namespace

TEST_CASE_TEMPLATE("products of lines equal plain loops, tiles that look back included", T, float, double) {
  [&]<std::size_t... length>(std::index_sequence<length...>) {
    (check_lines<length, 10, T>(), ...);
    (check_lines<length, 33, T>(), ...);
    (check_lines<length, 64, T>(), ...);
  }
  (std::index_sequence<1, 2, 7, 11, 13, 29, 30>{});
  check_lines<9, 100, T>();
}

TEST_CASE("a walk in segments and steps reads what it says") {
  std::vector<float> a(100);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i);
  Arena<float> b(6);
  b.fill(1);
  float c = 0;
  gather_gemm(
      1, 1, Walk{.segments = 2, .length = 3, .segment_stride = 50, .step = 10},
      [&](std::size_t) { return a.data() + 1; }, static_cast<const float*>(b.data()), 1,
      static_cast<const float*>(nullptr), [&](std::size_t) { return &c; });
  CHECK(c == 1 + 11 + 21 + 51 + 61 + 71);
}

namespace {

// Winograd's way against the direct one, and the gradients by the adjoint identities <dy, conv x> = <dx, x> =
// <d_kernel, kernel>. Scratch holds no number before.
template <Conv2DExtents E, class T>
void check_convolution(double tolerance) {
  constexpr std::size_t samples = 3;
  const auto x = random_arena<T>(samples * E.input_size(), 1),
             kernel = random_arena<T>(E.kernel_rows() * E.filters, 2), bias = random_arena<T>(E.filters, 3),
             dy = random_arena<T>(samples * E.output_size(), 4);
  Arena<T> direct(samples * E.output_size()), y(samples * E.output_size()), dx(x.size()),
      d_kernel(kernel.size()), d_bias(E.filters), scratch(conv2d_scratch<E>()),
      forward(conv2d_packed_forward<E>()), backward(conv2d_packed_backward<E>());
  const auto forget = [&] {
    scratch.fill(std::numeric_limits<T>::quiet_NaN());
    return scratch.data();
  };
  conv2d_forward<E>(samples, x.data(), kernel.data(), bias.data(), static_cast<const T*>(nullptr),
                    direct.data(), forget());
  conv2d_pack_forward<E>(kernel.data(), forward.data());
  conv2d_forward<E>(samples, x.data(), kernel.data(), bias.data(), static_cast<const T*>(forward.data()),
                    y.data(), forget());
  support::check_close(y.span(), direct.span(), tolerance);
  double errors = 0, squares = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    errors += std::pow(double{y.data()[i]} - direct.data()[i], 2);
    squares += std::pow(double{direct.data()[i]}, 2);
  }
  CHECK(std::sqrt(errors / squares) < tolerance / 25);
  conv2d_pack_backward<E>(kernel.data(), backward.data());
  dx.fill(std::numeric_limits<T>::quiet_NaN());
  conv2d_backward_input<E>(samples, dy.data(), static_cast<const T*>(backward.data()), dx.data(), forget());
  conv2d_backward_weights<E>(samples, x.data(), dy.data(), d_kernel.data(), d_bias.data(), forget());
  const auto inner = [](const Arena<T>& a, const Arena<T>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += double{a.data()[i]} * b.data()[i];
    return sum;
  };
  double by_y = 0, norm = 0;
  for (std::size_t i = 0; i < dy.size(); ++i) {
    by_y += double{dy.data()[i]} * (direct.data()[i] - bias.data()[i % E.filters]);
    norm += std::abs(double{dy.data()[i]} * direct.data()[i]);
  }
  CHECK(std::abs(inner(dx, x) - by_y) < tolerance * norm);
  CHECK(std::abs(inner(d_kernel, kernel) - by_y) < tolerance * norm);
  for (std::size_t filter = 0; filter < E.filters; ++filter) {
    double sum = 0;
    for (std::size_t i = filter; i < dy.size(); i += E.filters) sum += double{dy.data()[i]};
    CHECK(std::abs(sum - double{d_bias.data()[filter]}) < tolerance * norm);
  }
}

// For tiles of so many outputs, in y, d_kernel and dx.
template <std::size_t y, std::size_t d_kernel, std::size_t dx, Conv2DExtents E>
constexpr bool has_tiles = kernels::detail::forward_outputs(E) == y&& kernels::detail::weights_outputs(E) ==
                           d_kernel&& kernels::detail::input_outputs(E) == dx;

}  // namespace

TEST_CASE("Winograd's transforms equal the direct convolution, on odd shapes too") {
  check_convolution<Conv2DExtents(14, 14, 32, 32, 3, 1, same), float>(3e-5);
  check_convolution<Conv2DExtents(13, 13, 32, 64, 3, 1, valid), float>(3e-5);
  check_convolution<Conv2DExtents(13, 17, 25, 27, 3, 1, same), float>(3e-5);
  check_convolution<Conv2DExtents(15, 12, 33, 24, 3, 1, valid), float>(3e-5);
  check_convolution<Conv2DExtents(28, 28, 24, 40, 3, 1, same), double>(1e-12);
  check_convolution<Conv2DExtents(13, 17, 25, 27, 3, 1, same), double>(1e-12);
  check_convolution<Conv2DExtents(15, 12, 33, 24, 3, 1, valid), double>(1e-12);
  check_convolution<Conv2DExtents(7, 5, 64, 48, 3, 1, same), double>(1e-12);
  check_convolution<Conv2DExtents(8, 8, 64, 64, 3, 1, valid), float>(3e-5);
  static_assert(has_tiles<4, 4, 4, Conv2DExtents(28, 28, 24, 40, 3, 1, same)>);
  static_assert(has_tiles<2, 2, 4, Conv2DExtents(8, 8, 64, 64, 3, 1, valid)>);
  static_assert(has_tiles<0, 0, 0, Conv2DExtents(28, 28, 1, 32, 3, 1, same)>);
}

TEST_CASE("Gradients of strided convolutions are adjoint to them, whatever stride, kernel and border") {
  check_convolution<Conv2DExtents(28, 28, 16, 32, 3, 2, same), float>(3e-5);
  check_convolution<Conv2DExtents(28, 28, 16, 32, 1, 2, same), float>(3e-5);
  check_convolution<Conv2DExtents(13, 10, 5, 7, 3, 2, valid), double>(1e-12);
  check_convolution<Conv2DExtents(13, 10, 5, 7, Extent{2, 5}, Extent{3, 2}, same), double>(1e-12);
  check_convolution<Conv2DExtents(11, 12, 3, 20, Extent{4, 1}, Extent{2, 3}, valid), double>(1e-12);
  check_convolution<Conv2DExtents(5, 1, 2, 3, Extent{2, 1}, Extent{4, 2}, valid), double>(1e-12);
  check_convolution<Conv2DExtents(9, 9, 6, 4, 5, 1, same), double>(1e-12);
}

namespace {

template <DepthwiseExtents E>
void check_depthwise() {
  constexpr std::size_t samples = 2;
  const auto x = random_arena<double>(samples * E.input_size(), 1),
             kernel = random_arena<double>(E.kernel.height * E.kernel.width * E.channels, 2),
             bias = random_arena<double>(E.channels, 3),
             dy = random_arena<double>(samples * E.output_size(), 4);
  Arena<double> y(dy.size()), wanted_y(dy.size()), dx(x.size()), wanted_dx(x.size()), d_kernel(kernel.size()),
      wanted_d_kernel(kernel.size()), d_bias(E.channels), wanted_d_bias(E.channels),
      scratch(depthwise_scratch<E>());
  scratch.fill(std::numeric_limits<double>::quiet_NaN());
  for (std::size_t i = 0; i < dy.size(); ++i) {
    const std::size_t channel = i % E.channels, column = i / E.channels % E.out_width,
                      row = i / E.channels / E.out_width % E.out_height, sample = i / E.output_size();
    wanted_y.data()[i] = bias.data()[channel];
    wanted_d_bias.data()[channel] += dy.data()[i];
    for (std::size_t ky = 0; ky < E.kernel.height; ++ky)
      for (std::size_t kx = 0; kx < E.kernel.width; ++kx) {
        const std::size_t r = row * E.stride.height + ky - E.before.height,
                          c = column * E.stride.width + kx - E.before.width;
        if (r >= E.height || c >= E.width) continue;
        const std::size_t at = sample * E.input_size() + (r * E.width + c) * E.channels + channel,
                          tap = (ky * E.kernel.width + kx) * E.channels + channel;
        wanted_y.data()[i] += x.data()[at] * kernel.data()[tap];
        wanted_dx.data()[at] += dy.data()[i] * kernel.data()[tap];
        wanted_d_kernel.data()[tap] += dy.data()[i] * x.data()[at];
      }
  }
  depthwise_forward<E>(samples, x.data(), kernel.data(), bias.data(), y.data(), scratch.data());
  depthwise_backward_weights<E>(samples, x.data(), dy.data(), d_kernel.data(), d_bias.data(), scratch.data());
  depthwise_backward_input<E>(samples, dy.data(), kernel.data(), dx.data(), scratch.data());
  support::check_close(y.span(), wanted_y.span(), 1e-12);
  support::check_close(dx.span(), wanted_dx.span(), 1e-12);
  support::check_close(d_kernel.span(), wanted_d_kernel.span(), 1e-12);
  support::check_close(d_bias.span(), wanted_d_bias.span(), 1e-12);
}

}  // namespace

TEST_CASE("depthwise convolutions equal plain loops: odd edges, strides, padding, any kernel") {
  check_depthwise<DepthwiseExtents(7, 9, 16, 16, 3, 1, same)>();
  check_depthwise<DepthwiseExtents(8, 7, 5, 5, 3, 1, valid)>();
  check_depthwise<DepthwiseExtents(9, 8, 11, 11, 3, 2, same)>();
  check_depthwise<DepthwiseExtents(6, 9, 3, 3, Extent{5, 2}, Extent{1, 3}, same)>();
  check_depthwise<DepthwiseExtents(5, 5, 8, 8, 1, 2, valid)>();
}

TEST_CASE("one row times a matrix equals the product of many rows, bit for bit") {
  for (const std::size_t columns : {1, 7, 8, 10, 64, 100, 513})
    for (const std::size_t depth : {1, 9, 77}) {
      const auto x = random_arena<float>(2 * depth, 1), b = random_arena<float>(depth * columns, 2),
                 bias = random_arena<float>(columns, 3);
      Arena<float> one(columns), two(2 * columns);
      row_times_matrix(Walk{.length = depth}, columns, x.data(), b.data(), bias.data(), one.data());
      gather_gemm(
          2, columns, Walk{.length = depth}, [&](std::size_t i) { return x.data() + i * depth; }, b.data(),
          columns, bias.data(), [&](std::size_t i) { return two.data() + i * columns; });
      for (std::size_t j = 0; j < columns; ++j) CHECK(one.data()[j] == two.data()[j]);
    }
}

TEST_CASE("of a row with zeros only the others are read, and the result is the same, bit for bit") {
  const std::size_t inputs = 300;
  std::uint16_t places[most_picked];
  for (const std::size_t outputs : {1, 10, 100, 513}) {
    auto x = random_arena<float>(inputs, 1);
    const auto kernel = random_arena<float>(inputs * outputs, 2), bias = random_arena<float>(outputs, 3);
    CHECK(pick_nonzero(inputs, x.data(), places) == 0);
    for (std::size_t i = 0; i < inputs; ++i)
      if (i % 3 != 1) x.data()[i] = i % 2 == 0 ? 0.0f : -0.0f;
    CHECK(pick_nonzero(inputs, x.data(), places) == inputs / 3);
    CHECK(places[7] == 22);
    Arena<float> y(outputs), wanted(outputs);
    const float* const none = nullptr;
    dense_forward(1, inputs, outputs, x.data(), kernel.data(), none, bias.data(), y.data());
    row_times_matrix(Walk{.length = inputs}, outputs, x.data(), kernel.data(), bias.data(), wanted.data());
    CHECK(std::equal(y.span().begin(), y.span().end(), wanted.data()));
    if (outputs < 100) continue;
    // What is left out is not read.
    auto hole = kernel;
    for (std::size_t j = 0; j < outputs; ++j) hole.data()[j] = std::numeric_limits<float>::infinity();
    dense_forward(1, inputs, outputs, x.data(), hole.data(), none, bias.data(), y.data());
    CHECK(std::equal(y.span().begin(), y.span().end(), wanted.data()));
  }
  Arena<float> zeros(inputs);
  CHECK(pick_nonzero(inputs, zeros.data(), places) == 0);
}

TEST_CASE("dense products agree with plain loops, packed and not, bit for bit the same") {
  const std::pair<std::size_t, std::size_t> shapes[] = {{7, 10}, {300, 500}, {50, 49}, {5, 3}, {64, 48}};
  for (const auto& [inputs, outputs] : shapes)
    for (const std::size_t samples : {1, 5, 17}) {
      const auto x = random_arena<float>(samples * inputs, 1),
                 kernel = random_arena<float>(inputs * outputs, 2), bias = random_arena<float>(outputs, 3),
                 dy = random_arena<float>(samples * outputs, 4);
      Arena<float> y(samples * outputs), dx(samples * inputs), d_kernel(inputs * outputs),
          packed(inputs * outputs), packed_dy(samples * outputs), other_y(samples * outputs),
          other_d_kernel(inputs * outputs);
      pack_panels(0, inputs, inputs, outputs, kernel.data(), packed.data());
      // As two micro-batches do.
      pack_panels(0, samples / 2, samples, outputs, dy.data(), packed_dy.data());
      pack_panels(samples / 2, samples - samples / 2, samples, outputs, dy.data() + samples / 2 * outputs,
                  packed_dy.data());
      const float* const none = nullptr;
      dense_forward(samples, inputs, outputs, x.data(), kernel.data(), none, bias.data(), y.data());
      dense_forward(samples, inputs, outputs, x.data(), kernel.data(),
                    static_cast<const float*>(packed.data()), bias.data(), other_y.data());
      dense_backward_weights<Result::add>(inputs, inputs, outputs, x.data(),
                                          PanelMatrix<float>{dy.data(), samples, outputs, false},
                                          d_kernel.data());
      for (std::size_t row = 0; row < inputs; row += 16)
        dense_backward_weights<Result::assign>(std::min<std::size_t>(16, inputs - row), inputs, outputs,
                                               x.data() + row,
                                               PanelMatrix<float>{packed_dy.data(), samples, outputs, true},
                                               other_d_kernel.data() + row * outputs);
      CHECK(std::equal(y.span().begin(), y.span().end(), other_y.data()));
      CHECK(std::equal(d_kernel.span().begin(), d_kernel.span().end(), other_d_kernel.data()));
      pack_transposed_panels(outputs, inputs, kernel.data(), packed.data());
      dense_backward_input(samples, inputs, outputs, dy.data(), static_cast<const float*>(packed.data()),
                           dx.data());
      double worst = 0;
      for (std::size_t i = 0; i < samples; ++i)
        for (std::size_t j = 0; j < outputs; ++j) {
          double sum = bias.data()[j];
          for (std::size_t k = 0; k < inputs; ++k)
            sum += double{x.data()[i * inputs + k]} * kernel.data()[k * outputs + j];
          worst = std::max(worst, std::abs(sum - y.data()[i * outputs + j]));
        }
      for (std::size_t k = 0; k < inputs; ++k)
        for (std::size_t j = 0; j < outputs; ++j) {
          double sum = 0;
          for (std::size_t i = 0; i < samples; ++i)
            sum += double{x.data()[i * inputs + k]} * dy.data()[i * outputs + j];
          worst = std::max(worst, std::abs(sum - d_kernel.data()[k * outputs + j]));
        }
      for (std::size_t i = 0; i < samples; ++i)
        for (std::size_t k = 0; k < inputs; ++k) {
          double sum = 0;
          for (std::size_t j = 0; j < outputs; ++j)
            sum += double{dy.data()[i * outputs + j]} * kernel.data()[k * outputs + j];
          worst = std::max(worst, std::abs(sum - dx.data()[i * inputs + k]));
        }
        // Where multiplication and addition round apart, the worst of many samples is worse.
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
      CHECK(worst < 2e-5);
#else
      CHECK(worst < (samples <= 5 ? 2e-5 : 2.5e-5));
#endif
    }
}

TEST_CASE("softmax sums to one, and large numbers do not overflow") {
  std::vector<float> x{1000, 1001, 998, -1000}, y(4);
  softmax(4, x.data(), y.data());
  CHECK(y[0] + y[1] + y[2] + y[3] == doctest::Approx(1));
  CHECK(y[1] / y[0] == doctest::Approx(std::exp(1.0)));
  CHECK(y[3] == 0);
}

TEST_CASE("of equal values the first of a window wins, and its argmax gets the gradient") {
  constexpr PoolingExtents extents(2, 2, 1, 2, 2, valid);
  const float x[] = {-3, -1, -1, -2};
  float y = 0, dx[4];
  std::uint8_t argmax = 9;
  max_pooling_forward<extents>(1, x, &y, &argmax);
  CHECK(y == -1);
  CHECK(argmax == 1);
  const float dy = 5;
  max_pooling_backward<extents>(1, &dy, &argmax, dx);
  support::check_close(dx, std::vector<float>{0, 5, 0, 0}, 0);
}

TEST_CASE("the optimizer's sweep sums the lanes, empties them, and leaves padding at zero") {
  Arena<float> weights(32), first(32), second(32);
  for (std::size_t i = 0; i < 20; ++i) {
    weights.data()[i] = 1;
    first.data()[i] = 0.25f;
    second.data()[i] = 0.75f;
  }
  float* const lanes[] = {first.data(), second.data()};
  const SweepSums sums = step_parameters(32, weights.data(), lanes, nullptr, 0, Plain{}, {.l2 = 0.5f});
  CHECK(sums.penalty == doctest::Approx(10));
  for (std::size_t i = 0; i < 32; ++i) {
    CHECK(weights.data()[i] == 0);  // 1 - 0.5 (1 + 2 * 0.5), and padding
    CHECK(first.data()[i] == 0);
    CHECK(second.data()[i] == 0);
  }
}
