// A training step after warm-up takes no memory: counted by replacing operator new.
#include <atomic>
#include <cstdlib>
#include <digitnet/digitnet.hpp>
#include <digitnet/model/quantize.hpp>
#include <new>

#include "support/support.hpp"

// g++ sees the free in here next to a new that it takes for the usual one.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace {
std::atomic<std::size_t> allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* const memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

using namespace digitnet;

TEST_CASE("steps after the first take no memory") {
  struct Watch : Callback {
    std::size_t at_second = 0, at_last = 0;
    void on_batch_end(TrainingControl&, std::size_t step, const EpochLogs&) override {
      if (step == 2) at_second = allocations;
      at_last = allocations;
    }
  } watch;
  const Dataset data = synthetic_digits(320, Seed{1});
  const auto fit = [&](auto model, auto optimizer) {
    Trainer trainer{model, optimizer, CategoricalCrossentropy{}, {.threads = 2}};
    trainer.fit(data, {.callbacks = {&watch}, .verbose = Verbose::silent});
    CHECK(watch.at_second > 0);
    CHECK(watch.at_last == watch.at_second);
  };
  using Cnn = Sequential<Input<28, 28, 1>, Conv2D<8, 3>, ReLU, MaxPooling2D<2>, Flatten, Dense<10>, Softmax>;
  fit(Cnn{}, Adam{.clipnorm = 1});
  fit(Sequential{Input<784>{}, Dense<300>{}, ReLU{}, Dropout{0.1f}, Dense<10>{}, Softmax{}},
      SGD{.learning_rate = CosineDecay{0.1f, 10}, .momentum = 0.9f});
}

TEST_CASE("predicting again into given memory takes none") {
  const Sequential<Input<784>, Dense<10>, Softmax> model;
  const Dataset data = synthetic_digits(1, Seed{1});
  float answer[10];
  const Samples samples(data.images);
  model.predict(samples, answer);
  const std::size_t before = allocations;
  for (int i = 0; i < 10; ++i) model.predict(samples, answer);
  CHECK(allocations == before);
}

TEST_CASE("so does predicting on bytes, with layers in float32 between") {
  using Model =
      Sequential<Input<28, 28, 1>, Conv2D<8, 3, 1, same>, Tanh, Residual<Conv2D<8, 3, 1, same>, ReLU>,
                 MaxPooling2D<2>, Flatten, Dense<10>, Softmax>;
  const Model model{Seed{1}};
  const Dataset data = synthetic_digits(70, Seed{1});
  const Quantized<Model> quantized = quantize(model, Samples(data.images));
  for (const std::size_t count : {1, 70}) {
    std::vector<float> answers(10 * count);
    const Dataset some = slice(data, 0, count);
    const Samples samples(some.images);
    // Each thread's memory comes with its first part, and a thread may be late.
    for (int i = 0; i < 50; ++i) quantized.predict(samples, answers.data());
    const std::size_t before = allocations;
    for (int i = 0; i < 10; ++i) quantized.predict(samples, answers.data());
    CHECK(allocations == before);
  }
}
