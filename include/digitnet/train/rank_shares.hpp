// Which rank has which shards and samples of a batch, and how every rank gets what the others have found.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "digitnet/train/communicator.hpp"

namespace digitnet::detail {

/// Without a communicator, the one rank has everything.
class RankShares {
 public:
  explicit RankShares(Communicator* communicator) : communicator_(communicator) {
    if (!communicator) return;
    rank_ = communicator->rank();
    ranks_ = communicator->size();
  }

  std::size_t rank() const { return rank_; }
  /// Where a rank's share of so many things begins; of the number of ranks: the end.
  std::size_t begin(std::size_t rank, std::size_t count) const { return share_begin(rank, ranks_, count); }

  /// A batch of so many samples in so many shards; its step has `step_shards`, which are the same ranks' in
  /// each of its batches.
  void cut(std::size_t samples, std::size_t shards, std::size_t step_shards) {
    step_shards_.clear();
    shards_.clear();
    samples_.clear();
    for (std::size_t rank = 0; rank <= ranks_; ++rank) {
      step_shards_.push_back(begin(rank, step_shards));
      shards_.push_back(std::min(step_shards_.back(), shards));
      samples_.push_back(shards_.back() * samples / shards);
    }
  }
  /// Where each rank's begin, and the end: of the batch's shards and samples, and of the step's shards.
  const std::vector<std::size_t>& shards() const { return shards_; }
  const std::vector<std::size_t>& samples() const { return samples_; }
  const std::vector<std::size_t>& step_shards() const { return step_shards_; }

  /// Every rank gets the others' parts of an array; begin(rank) is the first element of a rank's.
  template <class T, class Begin>
  void gather(T* array, const Begin& begin) {
    if (!communicator_) return;
    bytes_.clear();
    for (std::size_t rank = 0; rank <= ranks_; ++rank) bytes_.push_back(begin(rank) * sizeof(T));
    communicator_->all_gather(reinterpret_cast<std::byte*>(array), bytes_);
  }
  /// The same of some columns of an array's rows; begin(rank) is the first row of a rank's.
  template <class Begin>
  void gather_columns(double* rows, std::size_t row_size, std::size_t first, std::size_t count,
                      const Begin& begin) {
    if (!communicator_ || count == 0) return;
    columns_.resize(begin(ranks_) * count);
    for (std::size_t row = begin(rank_); row < begin(rank_ + 1); ++row)
      std::copy_n(rows + row * row_size + first, count, columns_.data() + row * count);
    gather(columns_.data(), [&](std::size_t rank) { return begin(rank) * count; });
    for (std::size_t row = 0; row < begin(ranks_); ++row)
      std::copy_n(columns_.data() + row * count, count, rows + row * row_size + first);
  }

 private:
  Communicator* communicator_;
  std::size_t rank_ = 0, ranks_ = 1;
  std::vector<std::size_t> step_shards_, shards_, samples_;
  // Reused by gather and gather_columns.
  std::vector<std::size_t> bytes_;
  std::vector<double> columns_;
};

}  // namespace digitnet::detail
