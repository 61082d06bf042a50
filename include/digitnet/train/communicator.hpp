// Communicator: how the processes of one training, its ranks, exchange numbers. digitnet/mpi has one over
// MPI; a training knows this interface alone.
#pragma once
#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "digitnet/core/language.hpp"

namespace digitnet {

class SampleStream;
class TrainableModel;
struct Gradients;
struct DeferredWeightGradient;
struct DataView;
struct FitOptions;
struct History;
struct Evaluation;

namespace detail {

struct Training;

/// A part of the arena that is stepped at once.
struct StepPiece {
  std::size_t begin = 0, size = 0;
  /// Null: its gradient is always in the shards.
  const DeferredWeightGradient* product = nullptr;
};
/// What is stepped: pieces of the arena, in tasks of some that lie together, and behind them pieces of no
/// task.
class StepPieces {
 public:
  virtual std::size_t task_count() const = 0;
  /// The first piece of a task; of task_count(): behind the last task.
  virtual std::size_t first_piece(std::size_t task) const = 0;
  virtual std::size_t piece_count() const = 0;
  virtual StepPiece piece_at(std::size_t number) const = 0;

 protected:
  ~StepPieces() = default;
};

/// Between the ranks of a training: each gets what it needs to step its share of the parameters, and then
/// everybody gets all parameters.
class GradientExchange {
 public:
  virtual ~GradientExchange() = default;
  /// The tasks that this rank steps.
  std::size_t first_task = 0, tasks = 0;
  /// Every owner gets its gradients. What was sent from the shards is zero there afterwards.
  virtual void collect(const Gradients& gradients) = 0;
  /// Everybody gets each owner's numbers, of an array laid out as the arena.
  virtual void spread(std::span<float> arena) = 0;
  /// Everybody gets what each owner has found: `size` bytes for a piece of a task, each `stride` bytes behind
  /// the one before.
  virtual void spread_found(std::byte* found, std::size_t stride, std::size_t size) = 0;
};

/// What a Trainer does where several processes train together.
class RankedTraining {
 public:
  virtual ~RankedTraining() = default;
  /// What the training of this process works on.
  virtual TrainableModel& model() = 0;
  /// The training of this process, which works on model().
  virtual void of(Training& training) = 0;
  virtual History fit(const DataView& data, FitOptions options) = 0;
  virtual History fit(SampleStream& stream, FitOptions options) = 0;
  virtual Evaluation evaluate(const DataView& data) = 0;
  virtual Evaluation evaluate(SampleStream& stream) = 0;
  /// Runs call(object) on rank 0 alone; the others do what it makes of the model.
  virtual void on_rank_0(const char* name, void (*call)(const void*), const void* object) = 0;
};

}  // namespace detail

/// The ranks of a training, 0 to size() - 1, of which this process is one. Every rank calls the same
/// functions in the same order, with sizes that fit; each call returns when this rank has what it is to get.
/// A rank that gives up ends all of them.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual std::size_t rank() const = 0;
  virtual std::size_t size() const = 0;
  /// Everybody gets rank 0's bytes.
  virtual void broadcast(std::span<std::byte> bytes) = 0;
  /// Every rank has a part of an array, rank r the bytes from begins[r] to begins[r + 1]; everybody gets the
  /// others' parts.
  virtual void all_gather(std::byte* array, std::span<const std::size_t> begins) = 0;
  /// Sends rank r the bytes from from_begins[r] to from_begins[r + 1] of one array, and gets its bytes into
  /// another one likewise. Nothing is sent to oneself.
  virtual void exchange(const std::byte* from, std::span<const std::size_t> from_begins, std::byte* to,
                        std::span<const std::size_t> to_begins) = 0;
  /// Says why, and ends all ranks.
  [[noreturn]] virtual void abort(const std::string& sentence) = 0;

  /// What a training does with this communicator. A communicator derives from TrainingCommunicator, which has
  /// it, so that a program that trains alone compiles none of it.
  virtual std::unique_ptr<detail::RankedTraining> ranked_training(TrainableModel& own) = 0;
  virtual std::unique_ptr<detail::GradientExchange> gradient_exchange(const detail::StepPieces& pieces) = 0;
};

/// The communicator of a trainer: none, a copy of one, or a pointer to one that the caller keeps.
class CommunicatorHandle {
 public:
  CommunicatorHandle() = default;
  template <std::derived_from<Communicator> C>
  CommunicatorHandle(C communicator) {
    const auto kept = std::make_shared<C>(std::move(communicator));
    communicator_ = kept.get();
    owner_ = kept;
  }
  CommunicatorHandle(Communicator* communicator) : communicator_(communicator) {}

  /// Null where there is none, or where it has a single rank.
  Communicator* get() const { return communicator_ && communicator_->size() > 1 ? communicator_ : nullptr; }

 private:
  Communicator* communicator_ = nullptr;
  // Null: somebody else's.
  std::shared_ptr<const void> owner_;
};

namespace detail {

/// Where each rank's share of so many things begins, and the end.
inline std::size_t share_begin(std::size_t rank, std::size_t ranks, std::size_t count) {
  return rank * count / ranks;
}

}  // namespace detail

}  // namespace digitnet
