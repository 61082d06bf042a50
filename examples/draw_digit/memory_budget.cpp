#include "memory_budget.hpp"

#include "http_message.hpp"

namespace draw {

void MemoryBudget::Lease::take(std::size_t bytes, std::chrono::milliseconds patience) {
  std::unique_lock lock(budget_.mutex_);
  const bool there = budget_.given_back_.wait_for(lock, patience, [&] {
    const auto own = budget_.used_by_.find(address_);
    return bytes <= budget_.bytes_ - budget_.used_ &&
           bytes <= budget_.bytes_ / 2 - (own == budget_.used_by_.end() ? 0 : own->second);
  });
  if (!there)
    throw Problem(503, "Other requests use the memory that this one needs: send it again in a moment");
  budget_.used_by_[address_] += bytes;
  budget_.used_ += bytes;
  held_ += bytes;
}

void MemoryBudget::Lease::give_back() noexcept {
  if (held_ == 0) return;
  const std::scoped_lock lock(budget_.mutex_);
  budget_.used_ -= held_;
  const auto own = budget_.used_by_.find(address_);
  own->second -= held_;
  if (own->second == 0) budget_.used_by_.erase(own);
  held_ = 0;
  budget_.given_back_.notify_all();
}

std::size_t MemoryBudget::used() const {
  const std::scoped_lock lock(mutex_);
  return used_;
}

}  // namespace draw
