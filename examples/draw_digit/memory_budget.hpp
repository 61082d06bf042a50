// How much memory all requests together may take.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>

namespace draw {

/// Bytes that requests lease before they allocate them. One address gets at most half, so that it cannot keep
/// others from being served.
class MemoryBudget {
 public:
  explicit MemoryBudget(std::size_t bytes) : bytes_(bytes) {}

  /// What one request holds; given back when it ends.
  class Lease {
   public:
    Lease(MemoryBudget& budget, std::string address) : budget_(budget), address_(std::move(address)) {}
    ~Lease() { give_back(); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    /// Takes so much more; waits up to so long until others gave it back. Throws a Problem with status 503 if
    /// it does not come.
    void take(std::size_t bytes, std::chrono::milliseconds patience = std::chrono::milliseconds(1000));
    void give_back() noexcept;

   private:
    MemoryBudget& budget_;
    std::string address_;
    std::size_t held_ = 0;
  };

  /// What is leased now.
  std::size_t used() const;

 private:
  std::size_t bytes_, used_ = 0;
  std::map<std::string, std::size_t> used_by_{};
  mutable std::mutex mutex_{};
  std::condition_variable given_back_{};
};

}  // namespace draw
