// The exchange of gradients and parameters between the processes of a training: the one that
// TrainingCommunicator makes.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "digitnet/core/arena.hpp"
#include "digitnet/core/compiled.hpp"
#include "digitnet/train/communicator.hpp"
#include "digitnet/train/gradients.hpp"

namespace digitnet::detail {

/// The owner of a part of the arena gets every shard's gradient of it, and of a deferred weight gradient the
/// columns of x that belong to its rows and all of dy. So it adds and multiplies in the same order as a
/// process that is alone, and the result has the same bits. What goes over the wire is no more than in a ring
/// all-reduce where a rank has one shard.
class OwnersExchange final : public GradientExchange {
 public:
  /// Every rank owns some of the tasks, which lie together. Pieces of no task are rank 0's.
  OwnersExchange(Communicator& communicator, const StepPieces& pieces);

  void collect(const Gradients& gradients) override;
  void spread(std::span<float> arena) override;
  void spread_found(std::byte* found, std::size_t stride, std::size_t size) override;

 private:
  // Rows of a deferred weight gradient.
  struct Rows {
    const DeferredWeightGradient* product;
    std::size_t first, count;
  };

  bool travels(const StepPiece& piece, const Gradients& gradients) const {
    return !(piece.product && gradients.deferred);
  }
  // What lies together of the dy of a rank's samples.
  template <class Do>
  static void for_each_run(const Gradients& gradients, const DeferredWeightGradient& product,
                           std::size_t rank, const Do& run) {
    const std::size_t first = gradients.rank_samples[rank], end = gradients.rank_samples[rank + 1];
    const std::size_t panel = product.panel ? product.panel : product.outputs;
    float* const dy = gradients.deferred + gradients.batch * (product.deferred_before + product.inputs);
    for (std::size_t column = 0; column < product.outputs; column += panel) {
      const std::size_t count = std::min(panel, product.outputs - column);
      run(dy + gradients.batch * column + first * count, (end - first) * count);
    }
  }
  std::size_t floats(const Gradients& gradients, std::size_t owner, std::size_t source) const;
  void pack(const Gradients& gradients, std::size_t owner, float* to) const;
  void unpack(const Gradients& gradients, std::size_t source, const float* from) const;

  Communicator& communicator_;
  std::vector<std::vector<StepPiece>> owned_;
  std::vector<std::vector<Rows>> rows_;
  std::vector<std::size_t> first_piece_;
  Arena<float> sent_, received_;
  // In bytes.
  std::vector<std::size_t> sent_begins_, received_begins_, spread_begins_;
};

}  // namespace digitnet::detail

#if DIGITNET_BODIES
#include <utility>

namespace digitnet::detail {

DIGITNET_INLINE OwnersExchange::OwnersExchange(Communicator& communicator, const StepPieces& pieces)
    : communicator_(communicator),
      owned_(communicator.size()),
      rows_(communicator.size()),
      first_piece_{0},
      spread_begins_{0} {
  const std::size_t ranks = communicator.size(), in_tasks = pieces.first_piece(pieces.task_count());
  std::size_t task = 0, done = 0, all = 0;
  for (std::size_t i = 0; i < in_tasks; ++i) all += pieces.piece_at(i).size;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const std::size_t first = task, end = share_begin(rank + 1, ranks, all);
    for (; task < pieces.task_count(); ++task) {
      std::size_t size = 0;
      for (std::size_t i = pieces.first_piece(task); i < pieces.first_piece(task + 1); ++i)
        size += pieces.piece_at(i).size;
      // Whoever has the half of a task has it.
      if (done + size / 2 >= end && rank + 1 < ranks) break;
      done += size;
      for (std::size_t i = pieces.first_piece(task); i < pieces.first_piece(task + 1); ++i)
        owned_[rank].push_back(pieces.piece_at(i));
    }
    if (rank == communicator.rank()) {
      first_task = first;
      tasks = task - first;
    }
    first_piece_.push_back(pieces.first_piece(task));
  }
  for (std::size_t i = in_tasks; i < pieces.piece_count(); ++i) owned_[0].push_back(pieces.piece_at(i));
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    std::size_t size = 0;
    for (const StepPiece& piece : owned_[rank]) {
      size += piece.size;
      if (!piece.product) continue;
      const std::size_t first = (piece.begin - piece.product->parameter) / piece.product->outputs;
      const std::size_t count = std::min(piece.size / piece.product->outputs, piece.product->inputs - first);
      std::vector<Rows>& rows = rows_[rank];
      if (!rows.empty() && rows.back().product == piece.product)
        rows.back().count += count;
      else
        rows.push_back({piece.product, first, count});
    }
    spread_begins_.push_back(spread_begins_.back() + size * sizeof(float));
  }
}

DIGITNET_INLINE void OwnersExchange::spread_found(std::byte* found, std::size_t stride, std::size_t size) {
  std::vector<std::size_t> begins;
  for (const std::size_t piece : first_piece_) begins.push_back(piece * size);
  std::vector<std::byte> all(begins.back());
  for (std::size_t i = 0; i < first_piece_.back(); ++i)
    std::memcpy(all.data() + i * size, found + i * stride, size);
  communicator_.all_gather(all.data(), begins);
  for (std::size_t i = 0; i < first_piece_.back(); ++i)
    std::memcpy(found + i * stride, all.data() + i * size, size);
}

DIGITNET_INLINE std::size_t OwnersExchange::floats(const Gradients& gradients, std::size_t owner,
                                                   std::size_t source) const {
  if (owner == source) return 0;
  const std::size_t shards = gradients.rank_shards[source + 1] - gradients.rank_shards[source];
  const std::size_t samples = gradients.rank_samples[source + 1] - gradients.rank_samples[source];
  std::size_t result = 0;
  for (const StepPiece& piece : owned_[owner])
    if (travels(piece, gradients)) result += shards * piece.size;
  if (gradients.deferred)
    for (const Rows& rows : rows_[owner]) result += samples * (rows.count + rows.product->outputs);
  return result;
}

DIGITNET_INLINE void OwnersExchange::pack(const Gradients& gradients, std::size_t owner, float* to) const {
  const std::size_t rank = communicator_.rank();
  for (std::size_t shard = gradients.rank_shards[rank]; shard < gradients.rank_shards[rank + 1]; ++shard)
    for (const StepPiece& piece : owned_[owner]) {
      if (!travels(piece, gradients)) continue;
      float* const from = gradients.shards[shard] + piece.begin;
      to = std::copy_n(from, piece.size, to);
      std::fill_n(from, piece.size, 0.0f);
    }
  if (!gradients.deferred) return;
  for (const Rows& rows : rows_[owner]) {
    const DeferredWeightGradient& product = *rows.product;
    const float* const x = gradients.deferred + gradients.batch * product.deferred_before;
    for (std::size_t i = gradients.rank_samples[rank]; i < gradients.rank_samples[rank + 1]; ++i)
      to = std::copy_n(x + i * product.inputs + rows.first, rows.count, to);
    for_each_run(gradients, product, rank,
                 [&](float* dy, std::size_t count) { to = std::copy_n(dy, count, to); });
  }
}

DIGITNET_INLINE void OwnersExchange::unpack(const Gradients& gradients, std::size_t source,
                                            const float* from) const {
  const auto take = [&](float* to, std::size_t count) {
    std::copy_n(from, count, to);
    from += count;
  };
  const std::size_t rank = communicator_.rank();
  for (std::size_t shard = gradients.rank_shards[source]; shard < gradients.rank_shards[source + 1]; ++shard)
    for (const StepPiece& piece : owned_[rank])
      if (travels(piece, gradients)) take(gradients.shards[shard] + piece.begin, piece.size);
  if (!gradients.deferred) return;
  for (const Rows& rows : rows_[rank]) {
    const DeferredWeightGradient& product = *rows.product;
    float* const x = gradients.deferred + gradients.batch * product.deferred_before;
    for (std::size_t i = gradients.rank_samples[source]; i < gradients.rank_samples[source + 1]; ++i)
      take(x + i * product.inputs + rows.first, rows.count);
    for_each_run(gradients, product, source, take);
  }
}

DIGITNET_INLINE void OwnersExchange::collect(const Gradients& gradients) {
  const std::size_t rank = communicator_.rank(), ranks = communicator_.size();
  sent_begins_.assign(1, 0);
  received_begins_.assign(1, 0);
  for (std::size_t other = 0; other < ranks; ++other) {
    sent_begins_.push_back(sent_begins_.back() + floats(gradients, other, rank) * sizeof(float));
    received_begins_.push_back(received_begins_.back() + floats(gradients, rank, other) * sizeof(float));
  }
  const auto grow = [](Arena<float>& buffer, std::size_t bytes) {
    if (buffer.size() * sizeof(float) < bytes) buffer = Arena<float>(bytes / sizeof(float));
  };
  grow(sent_, sent_begins_.back());
  grow(received_, received_begins_.back());
  for (std::size_t other = 0; other < ranks; ++other)
    if (other != rank) pack(gradients, other, sent_.data() + sent_begins_[other] / sizeof(float));
  communicator_.exchange(reinterpret_cast<const std::byte*>(sent_.data()), sent_begins_,
                         reinterpret_cast<std::byte*>(received_.data()), received_begins_);
  for (std::size_t other = 0; other < ranks; ++other)
    if (other != rank) unpack(gradients, other, received_.data() + received_begins_[other] / sizeof(float));
}

DIGITNET_INLINE void OwnersExchange::spread(std::span<float> arena) {
  const std::size_t rank = communicator_.rank();
  if (sent_.size() * sizeof(float) < spread_begins_.back())
    sent_ = Arena<float>(spread_begins_.back() / sizeof(float));
  float* to = sent_.data() + spread_begins_[rank] / sizeof(float);
  for (const StepPiece& piece : owned_[rank]) to = std::copy_n(arena.data() + piece.begin, piece.size, to);
  communicator_.all_gather(reinterpret_cast<std::byte*>(sent_.data()), spread_begins_);
  const float* from = sent_.data();
  for (std::size_t other = 0; other < owned_.size(); ++other)
    for (const StepPiece& piece : owned_[other]) {
      if (other != rank) std::copy_n(from, piece.size, arena.data() + piece.begin);
      from += piece.size;
    }
}

}  // namespace digitnet::detail
#endif
