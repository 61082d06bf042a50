// What a prediction into the caller's memory costs from the second call on: it takes no memory, takes no lock
// and meets no page for the first time. Counted by replacing operator new and the functions of a mutex.
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdlib>
#include <digitnet/digitnet.hpp>
#include <mutex>
#include <new>
#include <thread>

#include "support/support.hpp"

// g++ sees the free in here next to a new that it takes for the usual one.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace {

std::atomic<std::size_t> allocations{0}, locks{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* const memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

// The system's function of this name.
auto* system_function(const char* name) {
  return reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, name));
}

}  // namespace

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  ++locks;
  static const auto lock = system_function("pthread_mutex_lock");
  return lock(mutex);
}
extern "C" int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  ++locks;
  static const auto lock = system_function("pthread_mutex_trylock");
  return lock(mutex);
}

using namespace digitnet;

namespace {

struct Cost {
  std::size_t allocations, locks;
  /// Bytes that malloc has given out, and pages that this thread met.
  std::size_t bytes;
  long pages;
};
Cost cost() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  const auto memory = mallinfo2();
  return {.allocations = allocations,
          .locks = locks,
          .bytes = memory.uordblks + memory.hblkhd,
          .pages = usage.ru_minflt + usage.ru_majflt};
}

// `predict` is called once, then counted.
template <class Predict>
void check_free(const Predict& predict) {
  predict();
  const Cost before = cost();
  for (int i = 0; i < 10; ++i) predict();
  const Cost after = cost();
  CHECK(after.allocations == before.allocations);
  CHECK(after.bytes == before.bytes);
  CHECK(after.locks == before.locks);
  CHECK(after.pages == before.pages);
}

using Ann = Sequential<Input<784>, Dense<300>, ReLU, Dense<10>, Softmax>;
using Cnn = Sequential<Input<28, 28, 1>, Conv2D<8, 3>, BatchNormalization, ReLU, MaxPooling2D<2>, Flatten,
                       Dense<10>, Softmax>;

template <class Model>
void check_model() {
  const Model model{Seed{1}};
  const Predictor<Model> predictor(model);
  std::vector<float> digits(8 * Model::InputShape::size);
  for (std::size_t i = 0; i < digits.size(); ++i) digits[i] = static_cast<float>(i % 17) / 17;
  const Samples all(digits.data(), 8, Model::InputShape::extents);
  std::vector<Samples> samples;
  for (std::size_t i = 0; i < 8; ++i)
    samples.emplace_back(digits.data() + i * Model::InputShape::size, 1, Model::InputShape::extents);
  float answer[80];
  check_free([&] {
    for (const Samples& sample : samples) predictor.predict(sample, answer);
  });
  check_free([&] {
    for (const Samples& sample : samples) model.predict(sample, answer);
  });
  check_free([&] { predictor.predict(all, answer); });
  // Another thread's first call makes its own memory, its second none.
  std::thread([&] {
    float there[10];
    check_free([&] { predictor.predict(samples[3], there); });
  }).join();
}

}  // namespace

TEST_CASE("what this test counts, it does count") {
  const Cost before = cost();
  std::vector<int> numbers(5);
  std::mutex mutex;
  { const std::lock_guard lock(mutex); }
  const Cost after = cost();
  CHECK(after.allocations == before.allocations + 1);
  CHECK(after.bytes > before.bytes);
  CHECK(after.locks == before.locks + 1);
  const Arena<float> fresh(16 << 20);
  CHECK(cost().pages > after.pages);
}

TEST_CASE("predicting again takes no memory, no lock and no new page") {
  check_model<Ann>();
  check_model<Cnn>();
}

TEST_CASE("an answer has the same bits alone and among others, packed and not, zeros left out and not") {
  const Ann model{Seed{2}};
  const Predictor<Ann> predictor(model);
  constexpr std::size_t most = 70;
  std::vector<float> digits(most * 784);
  for (std::size_t i = 0; i < digits.size(); ++i)
    digits[i] = (i / 784) % 2 == 0 && i % 5 > 0 ? 0 : static_cast<float>(i % 17 + 1) / 17;
  std::vector<float> all(most * 10), some(most * 10);
  predictor.predict(Samples(digits.data(), most, Ann::InputShape::extents), all.data());
  for (const std::size_t count : {std::size_t{2}, std::size_t{17}, most}) {
    model.predict(Samples(digits.data(), count, Ann::InputShape::extents), some.data());
    CHECK(std::equal(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(10 * count), all.begin()));
  }
  for (std::size_t i = 0; i < 4; ++i) {
    const Samples one(digits.data() + i * 784, 1, Ann::InputShape::extents);
    for (const bool packed : {false, true}) {
      if (packed)
        predictor.predict(one, some.data());
      else
        model.predict(one, some.data());
      CHECK(std::equal(some.begin(), some.begin() + 10, all.begin() + static_cast<std::ptrdiff_t>(10 * i)));
    }
  }
}
