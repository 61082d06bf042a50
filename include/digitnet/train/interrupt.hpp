// Ctrl-C during a training ends it after the current step and keeps what was learnt.
#pragma once
#include <atomic>
#include <csignal>

#include "digitnet/core/language.hpp"

namespace digitnet {

/// While it lives, SIGINT is noted instead of ending the program; a second one ends it as usual. Afterwards
/// the former handler is restored. One at a time is active; nested ones leave the signal to the outer one. A
/// program that was started with SIGINT ignored (a shell does that to jobs in the background) goes on
/// ignoring it.
class InterruptGuard {
 public:
  /// `terminates`: SIGTERM is noted too.
  explicit InterruptGuard(bool active, bool terminates = false)
      : active_(active && !installed().exchange(true)), terminates_(terminates) {
    if (!active_) return;
    noted().store(false);
    if (terminates_) note(SIGTERM, terminate_before_);
    note(SIGINT, before_);
  }
  ~InterruptGuard() {
    if (!active_) return;
    sigaction(SIGINT, &before_, nullptr);
    if (terminates_) sigaction(SIGTERM, &terminate_before_, nullptr);
    installed().store(false);
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  bool interrupted() const { return active_ && noted().load(std::memory_order_relaxed); }

 private:
  static void note(int signal, struct sigaction& before) {
    sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) return;
    struct sigaction action {};
    action.sa_handler = [](int number) {
      noted().store(true);
      std::signal(number, SIG_DFL);
    };
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
  }
  static std::atomic<bool>& noted() {
    static constinit std::atomic<bool> flag{false};
    static_assert(std::atomic<bool>::is_always_lock_free);
    return flag;
  }
  static std::atomic<bool>& installed() {
    static constinit std::atomic<bool> flag{false};
    return flag;
  }

  bool active_, terminates_;
  struct sigaction before_ {};
  struct sigaction terminate_before_ {};
};

}  // namespace digitnet
