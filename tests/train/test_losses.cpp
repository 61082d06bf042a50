#include <digitnet/core/samples.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/schedules.hpp>

#include "reference/torch.hpp"
#include "support/support.hpp"

using namespace digitnet;

namespace {

using Values = std::vector<double>;

// The losses and gradients of four samples of five outputs.
template <class T, class Loss>
void check_loss(const Loss& loss, const Values& outputs, const Values* rows, const Values& losses,
                const Values& gradients, double tolerance) {
  const std::vector<float> targets =
      rows ? std::vector<float>(rows->begin(), rows->end()) : std::vector<float>();
  const std::vector<T> output(outputs.begin(), outputs.end());
  std::vector<T> gradient(20), found(4);
  for (std::size_t i = 0; i < 4; ++i) {
    Target target;
    if (rows)
      target.row = targets.data() + 5 * i;
    else
      target.label = static_cast<std::size_t>(reference::loss_labels[i]);
    found[i] = loss(5, output.data() + 5 * i, target, gradient.data() + 5 * i);
    CHECK(loss(5, output.data() + 5 * i, target, static_cast<T*>(nullptr)) == found[i]);
  }
  support::check_close(found, losses, tolerance);
  support::check_close(gradient, gradients, tolerance);
}

template <class Loss>
void check_both(const Loss& loss, const Values& outputs, const Values* rows, const Values& losses,
                const Values& gradients) {
  check_loss<double>(loss, outputs, rows, losses, gradients, 1e-9);
  check_loss<float>(loss, outputs, rows, losses, gradients, 1e-6);
}

}  // namespace

TEST_CASE("losses and their gradients equal PyTorch's") {
  using namespace reference;
  check_both(CategoricalCrossentropy{.from_logits = true}, loss_logits, nullptr, cce_logits_loss,
             cce_logits_gradient);
  check_both(CategoricalCrossentropy{.from_logits = true}, loss_logits, &loss_soft, cce_logits_soft_loss,
             cce_logits_soft_gradient);
  check_both(CategoricalCrossentropy{.from_logits = true, .label_smoothing = 0.1f}, loss_logits, nullptr,
             cce_logits_smooth_loss, cce_logits_smooth_gradient);
  check_both(CategoricalCrossentropy{}, loss_probabilities, nullptr, cce_probabilities_loss,
             cce_probabilities_gradient);
  check_both(CategoricalCrossentropy{.label_smoothing = 0.1f}, loss_probabilities, nullptr,
             cce_probabilities_smooth_loss, cce_probabilities_smooth_gradient);
  check_both(BinaryCrossentropy{}, loss_probabilities, &loss_soft, bce_loss, bce_gradient);
  check_both(BinaryCrossentropy{.from_logits = true}, loss_logits, &loss_soft, bce_logits_loss,
             bce_logits_gradient);
  check_both(MeanSquaredError{}, loss_logits, &loss_values, mse_loss, mse_gradient);
  check_both(MeanAbsoluteError{}, loss_logits, &loss_values, mae_loss, mae_gradient);
  check_both(Huber{.delta = 0.75f}, loss_logits, &loss_values, huber_loss, huber_gradient);
}

TEST_CASE("every loss's gradient equals differences, in double") {
  const auto check = [](const auto& loss, double low) {
    std::vector<double> y{low + 0.11, low + 0.52, low + 0.23, low + 0.74}, gradient(4);
    const float row[] = {0.1f, 0.2f, 0.3f, 0.4f};
    Target target;
    target.row = row;
    loss(4, y.data(), target, gradient.data());
    for (std::size_t i = 0; i < 4; ++i) {
      const double middle = y[i], step = 1e-6;
      y[i] = middle + step;
      const double above = loss(4, y.data(), target, static_cast<double*>(nullptr));
      y[i] = middle - step;
      const double below = loss(4, y.data(), target, static_cast<double*>(nullptr));
      y[i] = middle;
      CHECK(std::abs((above - below) / (2 * step) - gradient[i]) <
            1e-6 * std::max(1.0, std::abs(gradient[i])));
    }
  };
  check(CategoricalCrossentropy{}, 0);
  check(CategoricalCrossentropy{.label_smoothing = 0.2f}, 0);
  check(CategoricalCrossentropy{.from_logits = true}, -1);
  check(BinaryCrossentropy{}, 0);
  check(BinaryCrossentropy{.label_smoothing = 0.2f}, 0);
  check(BinaryCrossentropy{.from_logits = true}, -1);
  check(MeanSquaredError{}, -1);
  check(MeanAbsoluteError{}, -1);
  check(Huber{.delta = 0.3f}, -1);
}

TEST_CASE("a label is a one-hot row; for a single output it is the value itself") {
  Target label;
  label.label = 1;
  const float probability = 0.8f;
  CHECK(BinaryCrossentropy{}(1, &probability, label, static_cast<float*>(nullptr)) ==
        doctest::Approx(-std::log(0.8)));
  const float row[] = {0, 1, 0};
  Target one_hot;
  one_hot.row = row;
  const double logits[] = {0.3, -1, 2};
  const CategoricalCrossentropy loss{.from_logits = true};
  CHECK(loss(3, logits, label, static_cast<double*>(nullptr)) ==
        loss(3, logits, one_hot, static_cast<double*>(nullptr)));
  CHECK(one_hot.predicted_class(3) == 1);
}

TEST_CASE("certain and wrong answers give large but finite losses") {
  Target target;
  target.label = 0;
  const float wrong[] = {0, 1};
  float gradient[2];
  CHECK(CategoricalCrossentropy{}(2, wrong, target, gradient) ==
        doctest::Approx(-std::log(1e-7)).epsilon(1e-4));
  CHECK(std::isfinite(gradient[0]));
  const float logits[] = {-500, 500};
  CHECK(CategoricalCrossentropy{.from_logits = true}(2, logits, target, gradient) == 1000);
  CHECK(gradient[0] == -1);
  const float zeros[] = {0, 0};
  CHECK(std::isfinite(CategoricalCrossentropy{}(2, zeros, target, gradient)));
  CHECK(std::isfinite(gradient[0]));
}

TEST_CASE("schedules equal PyTorch's and Keras'") {
  const auto rates = [](const LearningRate& rate) {
    std::vector<float> result;
    for (std::uint64_t step = 0; step < 40; ++step) result.push_back(rate(step));
    return result;
  };
  using namespace reference;
  support::check_close(rates(StepDecay{0.1f, 7, 0.5f}), step_decay_rates, 1e-7);
  support::check_close(rates(ExponentialDecay{0.1f, 1, 0.9f}), exponential_rates, 1e-7);
  support::check_close(rates(CosineDecay{0.1f, 41}), cosine_rates, 1e-7);
  support::check_close(rates(OneCycle{.peak = 0.1f, .total_steps = 41}), one_cycle_rates, 1e-7);
  support::check_close(rates(OneCycle{.peak = 0.1f, .total_steps = 41, .linear = true}),
                       one_cycle_linear_rates, 1e-7);
  CHECK(rates(0.25f)[17] == 0.25f);
  // Keras: staircase, pieces, warm-up.
  CHECK(ExponentialDecay{1, 10, 0.5f, true}(29) == 0.25f);
  const PiecewiseConstantDecay pieces{{5, 10}, {1, 2, 3}};
  CHECK(pieces(5) == 1);
  CHECK(pieces(6) == 2);
  CHECK(pieces(11) == 3);
  const CosineDecay warm{
      .initial_learning_rate = 0, .decay_steps = 100, .alpha = 0.1f, .warmup_target = 1, .warmup_steps = 10};
  CHECK(warm(5) == doctest::Approx(0.5));
  CHECK(warm(10) == doctest::Approx(1));
  CHECK(warm(60) == doctest::Approx(0.55));
  CHECK(warm(1000) == doctest::Approx(0.1));
}
