#include <digitnet/data/augment.hpp>
#include <digitnet/layers/activations.hpp>
#include <digitnet/layers/batch_normalization.hpp>
#include <digitnet/layers/conv2d.hpp>
#include <digitnet/layers/dense.hpp>
#include <digitnet/layers/input.hpp>
#include <digitnet/layers/layer_normalization.hpp>
#include <digitnet/layers/pooling.hpp>
#include <digitnet/layers/reshape.hpp>
#include <digitnet/model/sequential.hpp>
#include <digitnet/train/losses.hpp>
#include <digitnet/train/optimizers.hpp>
#include <digitnet/train/trainer.hpp>
#ifdef __GLIBC__
#include <pthread.h>
#endif
#include <thread>

#include "support/support.hpp"

using namespace digitnet;

#ifdef __GLIBC__
namespace {

// Runs something on a new thread, which has a stack of 256 KiB, as have all that it makes.
template <class Run>
void with_small_stack(const Run& run) {
  pthread_attr_t before, small;
  REQUIRE(pthread_getattr_default_np(&before) == 0);
  REQUIRE(pthread_getattr_default_np(&small) == 0);
  REQUIRE(pthread_attr_setstacksize(&small, 256 * 1024) == 0);
  REQUIRE(pthread_setattr_default_np(&small) == 0);
  std::thread(run).join();
  REQUIRE(pthread_setattr_default_np(&before) == 0);
}

// A training step with two threads, and inference after it.
template <class Model, class Samples>
void use(const Samples& x, const Matrix& targets, const FitOptions& options) {
  with_small_stack([&] {
    Model model{Seed{1}};
    Trainer trainer{model, SGD{.learning_rate = 1e-3f}, MeanSquaredError{}, {.threads = 2}};
    trainer.fit(x, targets, options);
    const auto y = model.predict(x);
    CHECK(std::isfinite(y.data()[y.size() - 1]));
  });
}

Matrix rows(std::size_t samples, std::size_t features) {
  return Matrix(std::array<std::size_t, 2>{samples, features}, 1.0f);
}
xt::xtensor<float, 4> images(std::size_t samples, std::size_t side) {
  return xt::xtensor<float, 4>(std::array<std::size_t, 4>{samples, side, side, 1}, 1.0f);
}

}  // namespace

TEST_CASE("no array of a layer's size is on the stack") {
  const FitOptions plain{.batch_size = 4, .verbose = Verbose::silent};
  SUBCASE("many inputs") {
    use<Sequential<Input<500'000>, BatchNormalization, LayerNormalization, Dense<2>>>(rows(4, 500'000),
                                                                                      rows(4, 2), plain);
  }
  SUBCASE("many outputs, of mixtures") {
    const FitOptions mixing{
        .batch_size = 4, .augmentation = Augmentation{.mixup = 1}, .verbose = Verbose::silent};
    use<Sequential<Input<2, 2, 1>, Flatten, Dense<500'000>>>(images(4, 2), rows(4, 500'000), mixing);
  }
  SUBCASE("many windows") {
    use<Sequential<Input<600, 600, 1>, Conv2D<2, 5>, ReLU, MaxPooling2D<2>, GlobalAveragePooling2D>>(
        images(4, 600), rows(4, 2), plain);
  }
}
#endif
