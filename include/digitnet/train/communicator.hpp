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
};

/// The communicator of a trainer: none, a copy of one, or a pointer to one that the caller keeps.
class CommunicatorHandle {
 public:
  CommunicatorHandle() = default;
  template <std::derived_from<Communicator> C>
  CommunicatorHandle(C communicator) : communicator_(std::make_shared<C>(std::move(communicator))) {}
  CommunicatorHandle(Communicator* communicator) : communicator_(communicator, [](Communicator*) {}) {}

  /// Null where there is none, or where it has a single rank.
  Communicator* get() const {
    return communicator_ && communicator_->size() > 1 ? communicator_.get() : nullptr;
  }

 private:
  std::shared_ptr<Communicator> communicator_;
};

namespace detail {

/// Where each rank's share of so many things begins, and the end.
inline std::size_t share_begin(std::size_t rank, std::size_t ranks, std::size_t count) {
  return rank * count / ranks;
}

}  // namespace detail

}  // namespace digitnet
