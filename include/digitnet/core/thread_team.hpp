// A team of threads that lasts, and takes numbered tasks from one atomic counter.
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "digitnet/core/compiled.hpp"
#include "digitnet/core/error.hpp"
#include "digitnet/core/float_mode.hpp"

namespace digitnet {

/// The threads that the machine runs at once.
inline std::size_t hardware_threads() {
  const std::size_t count = std::thread::hardware_concurrency();
  return count == 0 ? 1 : count;
}

/// `size` threads, the caller being one of them. `for_each(count, task)` runs task(index, thread) for every
/// index below count and returns when all are done. Threads take indices from a counter as they become free,
/// so a core that is slow or taken away costs its share and no more, and a thread that does not even wake up
/// is not waited for. Idle threads spin for some microseconds, then sleep. Denormals are flushed to zero in
/// tasks. One for_each at a time; a task must not call for_each of its own team.
class ThreadTeam {
 public:
  static constexpr std::size_t max_tasks = (std::size_t{1} << 20) - 1024;

  explicit ThreadTeam(std::size_t size = hardware_threads());
  ~ThreadTeam() { stop(); }
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  std::size_t size() const { return helpers_.size() + 1; }

  /// Runs task(index, thread) for each index < count; `thread` < size() tells which thread runs it. The first
  /// exception that a task throws is thrown here, after the remaining tasks are done.
  template <class Task>
  void for_each(std::size_t count, Task&& task) {
    using Function = std::remove_reference_t<Task>;
    run(
        count,
        [](void* function, std::size_t index, std::size_t thread) {
          (*static_cast<Function*>(function))(index, thread);
        },
        const_cast<void*>(static_cast<const void*>(&task)));
  }

 private:
  using Call = void (*)(void*, std::size_t, std::size_t);

  // The ticket: job number (24 bits), tasks of the job (20 bits), next free task (20 bits), in one word.
  // Whoever increments it owns the task number he read, provided that it is below the count he read with it:
  // then that job cannot end before he is done, so call_ and function_ are that job's. A thread that read an
  // older ticket may increment any later one, so the bits above the next task must say all that matters.
  static constexpr std::uint64_t stop_job = (std::uint64_t{1} << 24) - 1;
  static constexpr std::uint64_t task_mask = (std::uint64_t{1} << 20) - 1;
  static std::uint64_t next_task(std::uint64_t ticket) { return ticket & task_mask; }
  static std::uint64_t task_count(std::uint64_t ticket) { return (ticket >> 20) & task_mask; }

  void run(std::size_t count, Call call, void* function);

  void work(std::size_t thread);

  void help(std::size_t thread);

  // Spins for about 20 microseconds: longer than the gap between two stages of a training step, shorter than
  // what a sleeping thread takes to wake up twice. Then sleeps in `park` until the condition may have
  // changed.
  template <class Condition, class Park>
  static void wait_until(Condition condition, Park park) {
    for (int spin = 0; spin < 400; ++spin) {
      if (condition()) return;
#if defined(__SSE2__)
      _mm_pause();
#endif
    }
    while (!condition()) park();
  }

  static bool stopping(std::uint64_t ticket) { return ticket >> 40 == stop_job; }
  void stop();

  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<std::uint32_t> done_{0};
  alignas(64) Call call_ = nullptr;
  void* function_ = nullptr;
  std::uint64_t job_ = 0;
  std::mutex exception_mutex_;
  std::exception_ptr exception_;
  std::atomic<bool> failed_{false};
  std::vector<std::thread> helpers_;
};

}  // namespace digitnet

#if DIGITNET_BODIES
namespace digitnet {

DIGITNET_INLINE ThreadTeam::ThreadTeam(std::size_t size) {
  if (size == 0 || size > 1024)
    fail("A thread team has 1 to 1024 threads, but " + std::to_string(size) + " were asked for");
  helpers_.reserve(size - 1);
  try {
    for (std::size_t thread = 1; thread < size; ++thread)
      helpers_.emplace_back([this, thread] { help(thread); });
  } catch (...) {
    stop();
    throw;
  }
}

DIGITNET_INLINE void ThreadTeam::run(std::size_t count, Call call, void* function) {
  if (count > max_tasks) fail("A thread team takes at most " + std::to_string(max_tasks) + " tasks at once");
  if (count == 0) return;
  if (helpers_.empty() || count == 1) {
    const FlushDenormals flush;
    for (std::size_t index = 0; index < count; ++index) call(function, index, 0);
    return;
  }
  call_ = call;
  function_ = function;
  done_.store(0, std::memory_order_relaxed);
  job_ = (job_ + 1) % stop_job;
  ticket_.store(job_ << 40 | std::uint64_t{count} << 20, std::memory_order_release);
  ticket_.notify_all();
  work(0);
  wait_until([this, count] { return done_.load(std::memory_order_acquire) == count; },
             [this, count] {
               const auto seen = done_.load(std::memory_order_acquire);
               if (seen != count) done_.wait(seen, std::memory_order_acquire);
             });
  if (failed_.load(std::memory_order_acquire)) {
    failed_.store(false, std::memory_order_relaxed);
    std::rethrow_exception(std::exchange(exception_, nullptr));
  }
}

DIGITNET_INLINE void ThreadTeam::work(std::size_t thread) {
  const FlushDenormals flush;
  while (true) {
    const std::uint64_t seen = ticket_.load(std::memory_order_acquire);
    if (next_task(seen) >= task_count(seen)) return;
    const std::uint64_t mine = ticket_.fetch_add(1, std::memory_order_acq_rel);
    if (next_task(mine) >= task_count(mine)) continue;
    try {
      call_(function_, static_cast<std::size_t>(next_task(mine)), thread);
    } catch (...) {
      const std::lock_guard lock(exception_mutex_);
      if (!exception_) exception_ = std::current_exception();
      failed_.store(true, std::memory_order_release);
    }
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == task_count(mine)) done_.notify_all();
  }
}

DIGITNET_INLINE void ThreadTeam::help(std::size_t thread) {
  while (true) {
    std::uint64_t idle = 0;
    wait_until(
        [this, &idle] {
          idle = ticket_.load(std::memory_order_acquire);
          return next_task(idle) < task_count(idle) || stopping(idle);
        },
        [this, &idle] { ticket_.wait(idle, std::memory_order_acquire); });
    if (stopping(idle)) return;
    work(thread);
  }
}

DIGITNET_INLINE void ThreadTeam::stop() {
  ticket_.store(stop_job << 40, std::memory_order_release);  // a job without tasks
  ticket_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

}  // namespace digitnet
#endif
