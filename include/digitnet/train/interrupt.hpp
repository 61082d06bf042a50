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
  explicit InterruptGuard(bool active) : active_(active && !installed().exchange(true)) {
    if (!active_) return;
    noted().store(false);
    sigaction(SIGINT, nullptr, &before_);
    if (before_.sa_handler == SIG_IGN) return;
    struct sigaction action {};
    action.sa_handler = [](int) {
      noted().store(true);
      std::signal(SIGINT, SIG_DFL);
    };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
  }
  ~InterruptGuard() {
    if (!active_) return;
    sigaction(SIGINT, &before_, nullptr);
    installed().store(false);
  }
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  bool interrupted() const { return active_ && noted().load(std::memory_order_relaxed); }

 private:
  static std::atomic<bool>& noted() {
    static constinit std::atomic<bool> flag{false};
    static_assert(std::atomic<bool>::is_always_lock_free);
    return flag;
  }
  static std::atomic<bool>& installed() {
    static constinit std::atomic<bool> flag{false};
    return flag;
  }

  bool active_;
  struct sigaction before_ {};
};

}  // namespace digitnet
